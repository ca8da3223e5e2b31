"""Adapt a DynamoDB cache: rows and the summary of their name change together, in one transaction.

pypicloud itself writes the summary of the file that was saved last, and counts a name's files in an index
that lags behind. Here the summary is that of the name's newest row. The index alone never decides which rows
exist: each summary has a checksum of the rows that it covers, in an attribute that pypicloud ignores, and a
transaction replaces row and summary only if neither has changed since it was read. If the index shows rows
that do not match the checksum, it has not caught up yet and is queried again. Each write of a summary by the
function has a revision of its own, so one that was replaced and restored since it was read counts as changed.

A summary that the server wrote has no checksum, and a checksum is outdated after the server has deleted a
row. In these cases the index is trusted after a while, and a new checksum is stored. Most files are newer
than all others of their name and do not need the index at all. Nor does the deletion of the newest file, once
the index has agreed with the checksum: the summary then has the keys of the few rows that come next, in
another attribute. A summary is only deleted if the index agrees that no row is left: a checksum that was
taken from an index that lagged behind may lack a row of the server. If a row and the summary are missing, the
server may have deleted a summary that other rows need, and the index is trusted after a while as well.

The requests are those of :mod:`.dynamo_tables`.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError
from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

from ..exceptions import UnreachableError
from . import dynamo_client
from .base import CacheAdapter, Change, Result, Results, RowKey, Snapshot, same
from .canary import is_canary
from .dynamo_tables import DynamoTables, throttled
from .summaries import KnownRow, RowChanges, Summary, SummaryUpdate, update_summary
from .transactions import (
    CHECKSUM,
    ITEMS_OF_SUMMARY,
    MAX_ITEMS,
    NEWEST,
    OLDER,
    REVISION,
    Item,
    RawItems,
    batches,
    changes_by_name,
    condition,
    item_count,
    repeats_of,
    summaries_of,
    unchanged,
)


class DynamoAdapter(CacheAdapter):
    """Reads and writes rows and summaries of ``pypicloud.cache.dynamo.DynamoCache``.

    Parameters
    ----------
    cache : pypicloud.cache.dynamo.DynamoCache
    pause : callable, optional
        Waits for a number of seconds, after DynamoDB has throttled a call.

    Attributes
    ----------
    new_revision : callable
        Returns the revision of a summary, which no other one has.
    """

    def __init__(self, cache: Any, pause: Callable[[float], None] = time.sleep) -> None:
        super().__init__(cache)
        self.tables = DynamoTables(cache.engine, pause)
        self.client = self.tables.client
        self.new_revision = _new_revision
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
        items, summaries = self.tables.get({key.filename for key in keys}, names)
        rows = {filename: self.tables.load(DynamoPackage, item) for filename, item in items.items()}
        # A few rows have another name, because their filename was split wrongly.
        more = {row.name for row in rows.values() if row is not None} - summaries.keys()
        if more:
            summaries |= self.tables.get(set(), more)[1]
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
            return throttled("BatchGetItem did not return every item")
        read = {name: summaries[name] for name in needed | possible if name in summaries}
        return Snapshot(row, RawItems(items[key.filename], read))

    def write(self, changes: Sequence[Change]) -> Results:
        """Write rows with the summaries of their names, as many names as fit into one transaction."""
        groups: dict[str, list[Change]] = {}
        for change in changes:
            groups.setdefault(self._name_of(change), []).append(change)
        return _merged(self.tables.parallel(self._write_batch, batches(list(groups.values()), item_count)))

    def _write_batch(self, batch: Sequence[Sequence[Change]]) -> dict[str, Result | Exception]:
        together = self._write_together(batch) if len(batch) > 1 else None
        return self._write_each(batch) if together is None else together

    def _write_each(self, batch: Sequence[Sequence[Change]]) -> dict[str, Result | Exception]:
        """Write each name alone, until DynamoDB throttles even that."""
        results: dict[str, Result | Exception] = {}
        for group in batch:
            failure = next((found for found in results.values() if _is_unreachable(found)), None)
            if failure is None:
                results |= self._write_group(group)
            else:
                results |= {change.filename: failure for change in group}
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
        writes = [
            self.tables.replacement(change.filename, change.snapshot.raw.item, change.wanted)
            for change in changes
            if self._alters(change)
        ]
        written: dict[str, Item | None] = {}
        for name, rows in changes_by_name(changes, summaries).items():
            if name not in summaries:
                return Result.CONFLICT
            before = self._summary(summaries[name])
            update = self._updated(name, before, rows, repeats_of(name, changes, summaries))
            if update is None:
                return Result.CONFLICT
            if update.summary != before or (update.summary is not None and rows.change_checksum):
                written[name] = self._item(name, update.summary)
                writes += self._write_summary(name, summaries[name], written[name], update)
            elif rows.removed or rows.added:
                # The summary stays as it is, unless another handler has changed it since it was read.
                writes.append({"ConditionCheck": self._unchanged_summary(name, summaries[name])})
        if not writes:
            return Result.UNCHANGED
        if not self.tables.transact(writes):
            return Result.CONFLICT
        summaries |= written
        return Result.WRITTEN

    def _updated(
        self, name: str, before: Summary | None, rows: RowChanges, repeats: int
    ) -> SummaryUpdate | None:
        if is_canary(name):
            # Without a summary, no list of projects shows it.
            return SummaryUpdate(None)
        indexed = functools.partial(self.tables.indexed, name)
        fetch = functools.partial(self.tables.fetch, name)
        return update_summary(before, rows, indexed, fetch, repeats)

    @staticmethod
    def _alters(change: Change) -> bool:
        return not same(change.snapshot.row, change.wanted)

    def _item(self, name: str, summary: Summary | None) -> Item | None:
        if summary is None:
            return None
        own = {
            CHECKSUM: {"N": str(summary.checksum)},
            NEWEST: {"S": summary.filename},
            REVISION: {"S": self.new_revision()},
        }
        if summary.older is not None:
            own[OLDER] = {"L": [{"S": self._text_of(row)} for row in summary.older]}
        return {**self.tables.dump_fields(name, summary.last_modified, summary.summary), **own}

    def _text_of(self, row: KnownRow) -> str:
        return f"{self.tables.dump_time(row.last_modified)} {row.hash} {row.filename}"

    def _known_row(self, text: str) -> KnownRow:
        last_modified, number, filename = text.split(" ", 2)
        return KnownRow(self.tables.load_time(last_modified), filename, int(number))

    def _write_summary(
        self, name: str, before: Item | None, after: Item | None, update: SummaryUpdate
    ) -> Iterator[dict[str, Any]]:
        """Yield the writes that replace a summary, if it has not changed and its source still exists."""
        test = self._unchanged_summary(name, before)
        if after is None:
            yield {"Delete": test}
            return
        del test["Key"]
        yield {"Put": {"Item": after, **test}}
        if update.source is not None:
            # The index may still show a row under a name that it no longer has, or the text of an object that
            # was replaced within a second.
            source = self.tables.dump_fields(name, update.source.last_modified, update.source.summary)
            tests, values = "#time = :time AND #name = :name", [source["last_modified"], source["name"]]
            if "summary" in source:
                tests += " AND #text = :text"
                values.append(source["summary"])
            exists = condition(tests, *values)
            identity = {"filename": {"S": update.source.filename}}
            yield {
                "ConditionCheck": {"TableName": self.tables.name(DynamoPackage), "Key": identity, **exists}
            }

    def _unchanged_summary(self, name: str, before: Item | None) -> dict[str, Any]:
        """Return the condition that a summary has not changed since it was read, with its table and key."""
        if before is None:
            test = condition("attribute_not_exists(#name)")
        else:
            # The server's summaries have no checksum, and two of them may be of the same time. The function's
            # own may have been replaced and restored since it was read, and the index queried in between.
            test = unchanged(before, "#time", "#rows", "#text", "#revision")
        return {"TableName": self.tables.name(PackageSummary), "Key": {"name": {"S": name}}, **test}

    def _summary(self, item: Item | None) -> Summary | None:
        loaded = self.tables.load(PackageSummary, item)
        if item is None or loaded is None:
            return None
        checksum = int(item[CHECKSUM]["N"]) if CHECKSUM in item else None
        older = tuple(self._known_row(entry["S"]) for entry in item[OLDER]["L"]) if OLDER in item else None
        newest = item.get(NEWEST, {}).get("S")
        return Summary(loaded.last_modified, loaded.summary, checksum, newest, older)


def _new_revision() -> str:
    return os.urandom(8).hex()


def _merged(results: Iterable[Mapping[str, Result | Exception]]) -> dict[str, Result | Exception]:
    return {filename: result for some in results for filename, result in some.items()}


def _is_unreachable(result: Result | Exception) -> bool:
    return isinstance(result, UnreachableError)


def _downgrade(result: Result) -> Result:
    """Return the result of a row that did not have to be written by the transaction."""
    return Result.UNCHANGED if result is Result.WRITTEN else result
