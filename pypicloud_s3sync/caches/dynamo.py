"""Adapt a DynamoDB cache: rows and the summary of their name change together, in one transaction.

pypicloud itself writes the summary of the file that was saved last, and counts a name's files in an index
that lags behind. Here the summary is that of the name's newest row. The index alone never decides which rows
exist: each summary has a checksum of the rows that it covers, in an attribute that pypicloud ignores, and a
transaction replaces row and summary only if neither has changed since it was read. If the index shows rows
that do not match the checksum, it has not caught up yet and is queried again.

A summary that the server wrote has no checksum, and a checksum is outdated after the server has deleted a
row. In these cases the index is trusted after a while, and a new checksum is stored. Most files are newer
than all others of their name and do not need the index at all.

Limits and errors: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from dynamo3.exception import DynamoDBError
from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

from ..exceptions import UnreachableError
from . import dynamo_client
from .base import CacheAdapter, Change, Result, Results, RowKey, Snapshot, same
from .canary import is_canary
from .dynamo_client import THROTTLED_ITEM, cancellation_reasons, is_throttled
from .summaries import RowChanges, Summary, SummaryUpdate, update_summary
from .transactions import (
    CHECKSUM,
    ITEMS_OF_SUMMARY,
    MAX_ITEMS,
    NEWEST,
    Item,
    RawItems,
    batches,
    changes_by_name,
    condition,
    item_count,
    repeats_of,
    summaries_of,
)

#: Keys in one BatchGetItem.
MAX_KEYS = 100
#: Parallel calls.
PARALLEL = 4
#: Reasons for which a cancelled transaction is worth retrying after the rows have been read again.
CONFLICTS = {"ConditionalCheckFailed", "TransactionConflict"}
#: Seconds to pause before each further attempt of a transaction that was cancelled because it was throttled.
PAUSES = (0.3, 0.9)
#: Seconds to pause before each further read of the items that DynamoDB did not return.
READ_PAUSES = (0.1, 0.3, 0.9, 2)

T = TypeVar("T")
R = TypeVar("R")


class DynamoAdapter(CacheAdapter):
    """Reads and writes rows and summaries of ``pypicloud.cache.dynamo.DynamoCache``.

    Parameters
    ----------
    cache : pypicloud.cache.dynamo.DynamoCache
    pause : callable, optional
        Waits for a number of seconds, after DynamoDB has throttled a call.
    """

    def __init__(self, cache: Any, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(cache)
        self.engine = cache.engine
        self.dynamizer = cache.engine.dynamo.dynamizer
        self.client = cache.engine.dynamo.client
        self.pause = pause
        self.pool = ThreadPoolExecutor(PARALLEL)
        # db.tablenames changes the models, which the caches of all configurations share.
        models, namespace = (DynamoPackage, PackageSummary), self.engine.namespace
        self._tables = {model: str(model.meta_.ddb_tablename(namespace)) for model in models}
        self.client.meta.events.register("before-send.dynamodb", self._before_send)

    def is_unreachable(self, error: BaseException) -> bool:
        """Return whether DynamoDB did not answer, throttles the call, or refuses it as a whole."""
        return super().is_unreachable(error) or dynamo_client.is_unreachable(error)

    def _before_send(self, **_: Any) -> None:
        """Send nothing after the function's time is over; botocore's retries are sent by this too."""
        self.check_running()

    def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
        """Return rows and summaries by a consistent read; pypicloud's own read may miss a new row."""
        names = {name for key in keys for name in (key.name, *key.possible_names) if name}
        items, summaries = self._get({key.filename for key in keys}, names)
        rows = {filename: self._load(DynamoPackage, item) for filename, item in items.items()}
        # A few rows have another name, because their filename was split wrongly.
        more = {row.name for row in rows.values() if row is not None} - summaries.keys()
        if more:
            summaries |= self._get(set(), more)[1]
        return {key.filename: self._snapshot(key, items, rows, summaries) for key in keys}

    def _snapshot(
        self,
        key: RowKey,
        items: Mapping[str, Item | None],
        rows: Mapping[str, Any],
        summaries: Mapping[str, Item | None],
    ) -> Snapshot | Exception:
        """Return a row with the summaries that were read, or an error if DynamoDB did not return it."""
        row = rows.get(key.filename)
        possible = {name for name in (key.name, *key.possible_names) if name}
        needed = possible if row is None else {row.name}
        if key.filename not in items or not needed <= summaries.keys():
            return _throttled("BatchGetItem did not return every item")
        read = {name: summaries[name] for name in needed | possible if name in summaries}
        return Snapshot(row, RawItems(items[key.filename], read))

    def write(self, changes: Sequence[Change]) -> Results:
        """Write rows with the summaries of their names, as many names as fit into one transaction."""
        groups: dict[str, list[Change]] = {}
        for change in changes:
            groups.setdefault(self._name_of(change), []).append(change)
        return _merged(self._parallel(self._write_batch, batches(list(groups.values()), item_count)))

    def _write_batch(self, batch: Sequence[Sequence[Change]]) -> dict[str, Result | Exception]:
        together = self._write_together(batch) if len(batch) > 1 else None
        return self._write_each(batch) if together is None else together

    def _write_each(self, batch: Sequence[Sequence[Change]]) -> dict[str, Result | Exception]:
        """Write each name alone, until DynamoDB throttles even that."""
        results: dict[str, Result | Exception] = {}
        for group in batch:
            throttled = next((found for found in results.values() if _is_unreachable(found)), None)
            if throttled is None:
                results |= self._write_group(group)
            else:
                results |= {change.filename: throttled for change in group}
        return results

    def _write_together(self, batch: Sequence[Sequence[Change]]) -> dict[str, Result | Exception] | None:
        """Write several names in one transaction; return None if one of them makes it fail."""
        changes = [change for group in batch for change in group]
        try:
            written = self._try(changes, summaries_of(changes))
        except (ClientError, UnreachableError):
            return None
        return None if written is Result.CONFLICT else self._each(changes, written)

    def _write_group(self, group: Sequence[Change]) -> dict[str, Result | Exception]:
        """Write the rows of one name, in as many transactions as they need."""
        # The summaries that were read; each transaction updates them for the next one.
        summaries = summaries_of(group)
        chunks = batches(
            group, lambda change: item_count([change]) - ITEMS_OF_SUMMARY, MAX_ITEMS - ITEMS_OF_SUMMARY
        )
        return _merged(self._write_name(chunk, summaries) for chunk in chunks)

    def _each(self, changes: Sequence[Change], written: Result) -> dict[str, Result | Exception]:
        """Return the result of each change of a successful transaction."""
        return {
            change.filename: written if self._alters(change) else _downgrade(written) for change in changes
        }

    def _name_of(self, change: Change) -> str:
        row = change.wanted or change.snapshot.row
        return str(change.key.name if row is None else row.name)

    def _write_name(
        self, changes: Sequence[Change], summaries: dict[str, Item | None]
    ) -> dict[str, Result | Exception]:
        try:
            written = self._try(changes, summaries)
        except UnreachableError as error:
            return {change.filename: error for change in changes}
        except ClientError as error:
            if len(changes) == 1:
                return {changes[0].filename: error}
            return _merged(self._write_name([change], summaries) for change in changes)
        return self._each(changes, written)

    def _try(self, changes: Sequence[Change], summaries: dict[str, Item | None]) -> Result:
        writes = [self._row(change) for change in changes if self._alters(change)]
        written: dict[str, Item | None] = {}
        for name, rows in changes_by_name(changes, summaries).items():
            if name not in summaries:
                return Result.CONFLICT
            before = self._summary(summaries[name])
            update = self._updated(name, before, rows, repeats_of(name, changes, summaries))
            if update is None:
                return Result.CONFLICT
            if update.summary != before:
                written[name] = self._item(name, update.summary)
                writes += self._write_summary(name, summaries[name], written[name], update)
            elif rows.removed or rows.added:
                # Another handler that still sees the former rows may be about to write their summary.
                writes.append({"ConditionCheck": self._unchanged_summary(name, summaries[name])})
        if not writes:
            return Result.UNCHANGED
        if not self._transact(writes):
            return Result.CONFLICT
        summaries |= written
        return Result.WRITTEN

    def _updated(
        self, name: str, before: Summary | None, rows: RowChanges, repeats: int
    ) -> SummaryUpdate | None:
        if is_canary(name):
            # Without a summary, no list of projects shows it.
            return SummaryUpdate(None)
        return update_summary(before, rows, functools.partial(self._indexed, name), repeats)

    @staticmethod
    def _alters(change: Change) -> bool:
        return not same(change.snapshot.row, change.wanted)

    def _indexed(self, name: str) -> list[Any]:
        """Return the rows of a name that its index shows."""
        try:
            return list(self.engine.query(DynamoPackage).filter(name=name).gen())
        except DynamoDBError as error:
            if is_throttled(error):
                raise _throttled(error) from error
            raise

    def _row(self, change: Change) -> dict[str, Any]:
        """Return the write that replaces a row, on condition that it has not changed since it was read."""
        table, item = self._table(DynamoPackage), change.snapshot.raw.item
        if item is None:
            unchanged = condition("attribute_not_exists(#file)")
        elif "data" in item:
            unchanged = condition("#time = :time AND #data = :data", item["last_modified"], item["data"])
        else:
            unchanged = condition("#time = :time AND attribute_not_exists(#data)", item["last_modified"])
        if change.wanted is None:
            return {"Delete": {"TableName": table, "Key": {"filename": {"S": change.filename}}, **unchanged}}
        return {"Put": {"TableName": table, "Item": self._dump(change.wanted), **unchanged}}

    def _item(self, name: str, summary: Summary | None) -> Item | None:
        if summary is None:
            return None
        # This equals what PackageSummary dumps, but creating a PackageSummary takes ten times as long.
        values = {"name": name, "last_modified": summary.last_modified, "summary": summary.summary or None}
        fields = PackageSummary.meta_.fields.items()
        dumped = {field: kind.ddb_dump(values[field]) for field, kind in fields if values[field] is not None}
        own = {CHECKSUM: {"N": str(summary.checksum)}, NEWEST: {"S": summary.filename}}
        return {**self.dynamizer.encode_keys(dumped), **own}

    def _write_summary(
        self, name: str, before: Item | None, after: Item | None, update: SummaryUpdate
    ) -> Iterator[dict[str, Any]]:
        """Yield the writes that replace a summary, if it has not changed and its source still exists."""
        unchanged = self._unchanged_summary(name, before)
        if after is None:
            yield {"Delete": unchanged}
            return
        del unchanged["Key"]
        yield {"Put": {"Item": after, **unchanged}}
        if update.source is not None:
            # The index may still show a row under a name that it no longer has.
            source = self._dump(update.source)
            exists = condition("#time = :time AND #name = :name", source["last_modified"], source["name"])
            identity = {"filename": {"S": update.source.filename}}
            yield {"ConditionCheck": {"TableName": self._table(DynamoPackage), "Key": identity, **exists}}

    def _unchanged_summary(self, name: str, before: Item | None) -> dict[str, Any]:
        """Return the condition that a summary has not changed since it was read, with its table and key."""
        if before is None:
            unchanged = condition("attribute_not_exists(#name)")
        elif CHECKSUM in before:
            unchanged = condition(
                "#time = :time AND #rows = :rows", before["last_modified"], before[CHECKSUM]
            )
        else:
            unchanged = condition("#time = :time AND attribute_not_exists(#rows)", before["last_modified"])
        return {"TableName": self._table(PackageSummary), "Key": {"name": {"S": name}}, **unchanged}

    def _transact(self, writes: Sequence[dict[str, Any]]) -> bool:
        """Write all or nothing; return False if another handler prevented it."""
        for pause in (*PAUSES, None):
            try:
                self.client.transact_write_items(TransactItems=list(writes))
                return True
            except ClientError as error:
                reasons = cancellation_reasons(error)
                if reasons & CONFLICTS and not reasons - CONFLICTS - THROTTLED_ITEM:
                    return False
                if not is_throttled(error):
                    raise
                # botocore itself retries the codes of a throttled call, but not of a cancelled transaction.
                if pause is None or not reasons:
                    raise _throttled(error) from error
            self.pause(pause)
        return False

    def _get(self, filenames: Collection[str], names: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the items by filename and by name: None for an item that does not exist.

        Items that DynamoDB did not return are left out.
        """
        rows, summaries = self._table(DynamoPackage), self._table(PackageSummary)
        wanted = [(rows, "filename", filename) for filename in sorted(filenames)]
        wanted += [(summaries, "name", name) for name in sorted(names)]
        found: dict[str, dict[str, Any]] = {
            rows: dict.fromkeys(filenames),
            summaries: dict.fromkeys(names),
        }
        for read, unread in self._parallel(self._batch_get, batches(wanted, lambda _: 1, MAX_KEYS)):
            for table, value in unread:
                del found[table][value]
            for table, items in read:
                key = "filename" if table == rows else "name"
                found[table].update({item[key]["S"]: item for item in items})
        return found[rows], found[summaries]

    def _batch_get(
        self, wanted: Sequence[tuple[str, str, str]]
    ) -> tuple[list[tuple[str, list[Item]]], list[tuple[str, str]]]:
        """Return the items of each table, and the table and the key of each item that was not returned."""
        requests: dict[str, Any] = {}
        for table, key, value in wanted:
            keys = requests.setdefault(table, {"Keys": [], "ConsistentRead": True})["Keys"]
            keys.append({key: {"S": value}})
        read: list[tuple[str, list[Item]]] = []
        for pause in (*READ_PAUSES, None):
            response = self.client.batch_get_item(RequestItems=requests)
            read += response["Responses"].items()
            requests = response.get("UnprocessedKeys", {})
            if not requests or pause is None:
                break
            self.pause(pause)
        keys = [(table, key) for table, request in requests.items() for key in request["Keys"]]
        return read, [(table, value["S"]) for table, key in keys for value in key.values()]

    def _parallel(self, call: Callable[[T], R], values: Iterable[T]) -> list[R]:
        """Call for each of the values, a few in parallel; after an error, begin no further call."""
        values = list(values)
        if len(values) < 2:
            return [call(value) for value in values]
        errors: list[Exception] = []

        def call_unless_failed(value: T) -> list[R]:
            try:
                return [] if errors else [call(value)]
            except Exception as error:
                errors.append(error)
                return []

        results = list(self.pool.map(call_unless_failed, values))
        if errors:
            raise errors[0]
        return [result for (result,) in results]

    def _summary(self, item: Item | None) -> Summary | None:
        loaded = self._load(PackageSummary, item)
        if item is None or loaded is None:
            return None
        checksum = int(item[CHECKSUM]["N"]) if CHECKSUM in item else None
        return Summary(loaded.last_modified, loaded.summary, checksum, item.get(NEWEST, {}).get("S"))

    def _table(self, model: Any) -> str:
        return self._tables[model]

    def _dump(self, item: Any) -> dict[str, Any]:
        return dict(self.dynamizer.encode_keys(item.ddb_dump_()))

    def _load(self, model: Any, item: Item | None) -> Any | None:
        return None if item is None else model.ddb_load_(self.engine, self.dynamizer.decode_keys(item))


def _merged(results: Iterable[Mapping[str, Result | Exception]]) -> dict[str, Result | Exception]:
    return {filename: result for some in results for filename, result in some.items()}


def _throttled(reason: object) -> UnreachableError:
    return UnreachableError(
        f"DynamoDB throttles the tables ({reason}): raise their capacity if this persists;"
        " the event will be retried"
    )


def _is_unreachable(result: Result | Exception) -> bool:
    return isinstance(result, UnreachableError)


def _downgrade(result: Result) -> Result:
    """Return the result of a row that did not have to be written by the transaction."""
    return Result.UNCHANGED if result is Result.WRITTEN else result
