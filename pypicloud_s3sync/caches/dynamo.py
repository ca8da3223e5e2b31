"""A DynamoDB cache: rows and the summary of their name change together, in one transaction.

pypicloud writes the summary of whichever file came last, and counts a name's files in an index that lags
behind. Here the summary is that of the name's newest row. The index tells which rows there are, but never by
itself: each summary carries a checksum of the rows that it stands for, an attribute that pypicloud ignores,
and a transaction replaces row and summary only while both are as they were read. An index whose rows do not
add up to the checksum has not caught up yet, and is asked again.

A summary that the server wrote has no checksum, and one may be stale after the server deleted a row: then
what the index shows is believed after a while, and the checksum begins anew. Most files are newer than all
others of their name, and need the index not at all.

Limits and errors: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

from botocore.exceptions import ClientError, HTTPClientError
from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

from ..exceptions import S3SyncError
from .base import CacheIndex, Change, Result, Results, Seen, Subject, same
from .summaries import Settled, Summary, settle
from .transactions import (
    ACTIONS,
    CHECKSUM,
    NEWEST,
    OF_SUMMARY,
    Beside,
    Item,
    changes_by_name,
    condition,
    needed,
    packs,
    summaries_of,
)

#: Keys in one BatchGetItem.
GET = 100
#: Calls at a time.
PARALLEL = 4
#: What passes by itself; any other reason for which a transaction is cancelled is an error.
PASSING = {
    "ConditionalCheckFailed",
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
}

T = TypeVar("T")
R = TypeVar("R")


class DynamoIndex(CacheIndex):
    """Rows and summaries of ``pypicloud.cache.dynamo.DynamoCache``.

    Parameters
    ----------
    cache : pypicloud.cache.dynamo.DynamoCache
    pause : callable, optional
        Waits for some seconds, where DynamoDB did not get to all keys of a read.
    """

    unreachable = (OSError, HTTPClientError)

    def __init__(self, cache: Any, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(cache)
        self.engine = cache.engine
        self.dynamizer = cache.engine.dynamo.dynamizer
        self.client = cache.engine.dynamo.client
        self.pause = pause
        self.pool = ThreadPoolExecutor(PARALLEL)

    def read(self, subjects: Sequence[Subject]) -> Mapping[str, Seen | Exception]:
        """Rows and summaries as they are now, consistently; pypicloud's own read may miss a new row."""
        items, summaries = self._get(
            {subject.filename for subject in subjects}, {subject.name for subject in subjects if subject.name}
        )
        rows = {filename: self._load(DynamoPackage, item) for filename, item in items.items()}
        # Few: a row has another name where its filename was split wrongly.
        more = {row.name for row in rows.values() if row is not None} - summaries.keys()
        if more:
            summaries |= self._get(set(), more)[1]
        return {filename: Seen(row, Beside(items[filename], summaries)) for filename, row in rows.items()}

    def write(self, changes: Sequence[Change]) -> Results:
        """Write rows with the summaries of their names: as many names at once as go into a transaction."""
        groups: dict[str, list[Change]] = {}
        for change in changes:
            groups.setdefault(self._name_of(change), []).append(change)
        return _merged(self._at_once(self._write_pack, packs(list(groups.values()), needed)))

    def _write_pack(self, pack: Sequence[Sequence[Change]]) -> dict[str, Result | Exception]:
        together = self._write_together(pack) if len(pack) > 1 else None
        return _merged(map(self._write_group, pack)) if together is None else together

    def _write_together(self, pack: Sequence[Sequence[Change]]) -> dict[str, Result | Exception] | None:
        """Write several names in one transaction; None where one of them keeps the others from it."""
        changes = [change for group in pack for change in group]
        try:
            written = self._try(changes, summaries_of(changes))
        except ClientError:
            return None
        return None if written is Result.LOST else self._each(changes, written)

    def _write_group(self, group: Sequence[Change]) -> dict[str, Result | Exception]:
        """Write the rows of one name, in as many transactions as they need."""
        # As they were read, and then as each transaction leaves them for the next one.
        summaries = summaries_of(group)
        chunks = packs(group, lambda change: needed([change]) - OF_SUMMARY, ACTIONS - OF_SUMMARY)
        return _merged(self._write_name(chunk, summaries) for chunk in chunks)

    def _each(self, changes: Sequence[Change], written: Result) -> dict[str, Result | Exception]:
        """What a transaction that was done means for each of its changes."""
        return {change.filename: written if self._alters(change) else _milder(written) for change in changes}

    def _name_of(self, change: Change) -> str:
        row = change.wanted or change.seen.row
        return str(change.subject.name if row is None else row.name)

    def _write_name(
        self, changes: Sequence[Change], summaries: dict[str, Item | None]
    ) -> dict[str, Result | Exception]:
        try:
            written = self._try(changes, summaries)
        except ClientError as error:
            if len(changes) == 1:
                return {changes[0].filename: error}
            return _merged(self._write_name([change], summaries) for change in changes)
        return self._each(changes, written)

    def _try(self, changes: Sequence[Change], summaries: dict[str, Item | None]) -> Result:
        writes = [self._row(change) for change in changes if self._alters(change)]
        left: dict[str, Item | None] = {}
        for name, rows in changes_by_name(changes, summaries).items():
            if name not in summaries:
                return Result.LOST
            before = self._summary(summaries[name])
            settled = settle(before, rows, functools.partial(self._indexed, name), changes[0].look)
            if settled is None:
                return Result.LOST
            if settled.summary != before:
                left[name] = self._item(name, settled.summary)
                writes += self._summarized(name, summaries[name], left[name], settled)
        if not writes:
            return Result.UNCHANGED
        if not self._transact(writes):
            return Result.LOST
        summaries |= left
        return Result.WRITTEN

    @staticmethod
    def _alters(change: Change) -> bool:
        return not same(change.seen.row, change.wanted)

    def _indexed(self, name: str) -> list[Any]:
        """The rows of a name, as its index knows them."""
        return list(self.engine.query(DynamoPackage).filter(name=name).gen())

    def _row(self, change: Change) -> dict[str, Any]:
        """Replace a row while it is as it was read."""
        table, item = self._table(DynamoPackage), change.seen.beside.item
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
        # As PackageSummary dumps itself: making one takes ten times as long.
        values = {"name": name, "last_modified": summary.last_modified, "summary": summary.summary or None}
        fields = PackageSummary.meta_.fields.items()
        dumped = {field: kind.ddb_dump(values[field]) for field, kind in fields if values[field] is not None}
        ours = {CHECKSUM: {"N": str(summary.checksum)}, NEWEST: {"S": summary.filename}}
        return {**self.dynamizer.encode_keys(dumped), **ours}

    def _summarized(
        self, name: str, before: Item | None, after: Item | None, settled: Settled
    ) -> Iterator[dict[str, Any]]:
        """Replace a summary while it is as it was read, and its source is there."""
        table = self._table(PackageSummary)
        if before is None:
            unchanged = condition("attribute_not_exists(#name)")
        elif CHECKSUM in before:
            unchanged = condition(
                "#time = :time AND #rows = :rows", before["last_modified"], before[CHECKSUM]
            )
        else:
            unchanged = condition("#time = :time AND attribute_not_exists(#rows)", before["last_modified"])
        if after is None:
            yield {"Delete": {"TableName": table, "Key": {"name": {"S": name}}, **unchanged}}
            return
        yield {"Put": {"TableName": table, "Item": after, **unchanged}}
        if settled.source is not None:
            there = condition("#time = :time", self._dump(settled.source)["last_modified"])
            identity = {"filename": {"S": settled.source.filename}}
            yield {"ConditionCheck": {"TableName": self._table(DynamoPackage), "Key": identity, **there}}

    def _transact(self, writes: Sequence[dict[str, Any]]) -> bool:
        """Write all or nothing; whether it was done, or is to be tried again."""
        try:
            self.client.transact_write_items(TransactItems=list(writes))
        except ClientError as error:
            reasons = {reason["Code"] for reason in error.response.get("CancellationReasons", [])} - {"None"}
            if not reasons or reasons - PASSING:
                raise
            return False
        return True

    def _get(self, filenames: set[str], names: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Items by filename and by name, None for those that are not there."""
        rows, summaries = self._table(DynamoPackage), self._table(PackageSummary)
        wanted = [(rows, "filename", filename) for filename in sorted(filenames)]
        wanted += [(summaries, "name", name) for name in sorted(names)]
        found: dict[str, dict[str, Any]] = {
            rows: dict.fromkeys(filenames),
            summaries: dict.fromkeys(names),
        }
        for read in self._at_once(self._batch, packs(wanted, lambda _: 1, GET)):
            for table, items in read:
                key = "filename" if table == rows else "name"
                found[table].update({item[key]["S"]: item for item in items})
        return found[rows], found[summaries]

    def _batch(self, wanted: Sequence[tuple[str, str, str]]) -> list[tuple[str, list[Item]]]:
        requests: dict[str, Any] = {}
        for table, key, value in wanted:
            keys = requests.setdefault(table, {"Keys": [], "ConsistentRead": True})["Keys"]
            keys.append({key: {"S": value}})
        read: list[tuple[str, list[Item]]] = []
        for pause in (0.1, 0.3, 0.9, 2):
            response = self.client.batch_get_item(RequestItems=requests)
            read += response["Responses"].items()
            requests = response.get("UnprocessedKeys", {})
            if not requests:
                return read
            self.pause(pause)
        raise S3SyncError(
            f"DynamoDB left keys of {', '.join(requests)} unread: its events are left to a retry"
        )

    def _at_once(self, call: Callable[[T], R], values: Iterable[T]) -> list[R]:
        """Call for each of the values, a few at a time; what fails beside others is tried once more alone.

        They may have been too many at a time, and every call can be repeated: a write has its condition.
        """
        values = list(values)
        if len(values) < 2:
            return [call(value) for value in values]
        futures = [self.pool.submit(call, value) for value in values]
        wait(futures)
        return [
            call(value) if future.exception() else future.result()
            for value, future in zip(values, futures, strict=True)
        ]

    def _summary(self, item: Item | None) -> Summary | None:
        loaded = self._load(PackageSummary, item)
        if item is None or loaded is None:
            return None
        checksum = int(item[CHECKSUM]["N"]) if CHECKSUM in item else None
        return Summary(loaded.last_modified, loaded.summary, checksum, item.get(NEWEST, {}).get("S"))

    def _table(self, model: Any) -> str:
        return str(model.meta_.ddb_tablename(self.engine.namespace))

    def _dump(self, item: Any) -> dict[str, Any]:
        return dict(self.dynamizer.encode_keys(item.ddb_dump_()))

    def _load(self, model: Any, item: Item | None) -> Any | None:
        return None if item is None else model.ddb_load_(self.engine, self.dynamizer.decode_keys(item))


def _merged(results: Iterable[Mapping[str, Result | Exception]]) -> dict[str, Result | Exception]:
    return {filename: result for some in results for filename, result in some.items()}


def _milder(result: Result) -> Result:
    """What a transaction means for a row that it left alone."""
    return Result.UNCHANGED if result is Result.WRITTEN else result
