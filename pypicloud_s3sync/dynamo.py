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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

from .caches import CacheIndex, Change, Result, Results, Seen, Subject, same
from .exceptions import S3SyncError
from .summaries import RowChanges, Settled, Summary, settle

#: Keys in one BatchGetItem, and items in one transaction.
GET, ACTIONS = 100, 100
#: Rows of one name in one transaction, which has their summaries and checks too; and items for each summary.
TRANSACTION, OF_SUMMARY = 30, 2
#: What passes by itself; any other reason for which a transaction is cancelled is an error.
PASSING = {
    "ConditionalCheckFailed",
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
}
#: The attribute of a summary that holds the checksum of its rows.
CHECKSUM = "rows_checksum"
#: ``name`` and ``data`` are reserved words of DynamoDB's.
NAMES = {"#name": "name", "#data": "data", "#time": "last_modified", "#file": "filename", "#rows": CHECKSUM}

Item = Mapping[str, Any]


@dataclass(frozen=True)
class _Beside:
    """What was read with a row: its item, and the items of the summaries of its names."""

    item: Item | None
    summaries: Mapping[str, Item | None]


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
        return {filename: Seen(row, _Beside(items[filename], summaries)) for filename, row in rows.items()}

    def write(self, changes: Sequence[Change]) -> Results:
        """Write rows with the summaries of their names: as many names at once as go into a transaction."""
        groups: dict[str, list[Change]] = {}
        for change in changes:
            groups.setdefault(self._name_of(change), []).append(change)
        results: dict[str, Result | Exception] = {}
        for pack in _packs(list(groups.values())):
            together = self._write_together(pack) if len(pack) > 1 else None
            if together is not None:
                results |= together
                continue
            for group in pack:
                results |= self._write_group(group)
        return results

    def _write_together(self, pack: Sequence[Sequence[Change]]) -> dict[str, Result | Exception] | None:
        """Write several names in one transaction; None where one of them keeps the others from it."""
        changes = [change for group in pack for change in group]
        try:
            written = self._try(changes, _summaries_of(changes))
        except ClientError:
            return None
        return None if written is Result.LOST else self._each(changes, written)

    def _write_group(self, group: Sequence[Change]) -> dict[str, Result | Exception]:
        """Write the rows of one name, in as many transactions as they need."""
        results: dict[str, Result | Exception] = {}
        # As they were read, and then as each transaction leaves them for the next one.
        summaries = _summaries_of(group)
        for start in range(0, len(group), TRANSACTION):
            results |= self._write_name(group[start : start + TRANSACTION], summaries)
        return results

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
            alone = (self._write_name([change], summaries).items() for change in changes)
            return {filename: result for results in alone for filename, result in results}
        return self._each(changes, written)

    def _try(self, changes: Sequence[Change], summaries: dict[str, Item | None]) -> Result:
        writes = [self._row(change) for change in changes if self._alters(change)]
        left: dict[str, Item | None] = {}
        for name, rows in _by_name(changes, summaries).items():
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
            unchanged = _condition("attribute_not_exists(#file)")
        elif "data" in item:
            unchanged = _condition("#time = :time AND #data = :data", item["last_modified"], item["data"])
        else:
            unchanged = _condition("#time = :time AND attribute_not_exists(#data)", item["last_modified"])
        if change.wanted is None:
            return {"Delete": {"TableName": table, "Key": {"filename": {"S": change.filename}}, **unchanged}}
        return {"Put": {"TableName": table, "Item": self._dump(change.wanted), **unchanged}}

    def _item(self, name: str, summary: Summary | None) -> Item | None:
        if summary is None:
            return None
        row = SimpleNamespace(
            name=name, last_modified=summary.last_modified, summary=summary.summary or None
        )
        return {**self._dump(PackageSummary(row)), CHECKSUM: {"N": str(summary.checksum)}}

    def _summarized(
        self, name: str, before: Item | None, after: Item | None, settled: Settled
    ) -> Iterator[dict[str, Any]]:
        """Replace a summary while it is as it was read, and its source is there."""
        table = self._table(PackageSummary)
        if before is None:
            unchanged = _condition("attribute_not_exists(#name)")
        elif CHECKSUM in before:
            unchanged = _condition(
                "#time = :time AND #rows = :rows", before["last_modified"], before[CHECKSUM]
            )
        else:
            unchanged = _condition("#time = :time AND attribute_not_exists(#rows)", before["last_modified"])
        if after is None:
            yield {"Delete": {"TableName": table, "Key": {"name": {"S": name}}, **unchanged}}
            return
        yield {"Put": {"TableName": table, "Item": after, **unchanged}}
        if settled.source is not None:
            there = _condition("#time = :time", self._dump(settled.source)["last_modified"])
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
        for start in range(0, len(wanted), GET):
            requests: dict[str, Any] = {}
            for table, key, value in wanted[start : start + GET]:
                requests.setdefault(table, {"Keys": [], "ConsistentRead": True})["Keys"].append(
                    {key: {"S": value}}
                )
            for table, items in self._batch(requests):
                key = "filename" if table == rows else "name"
                found[table].update({item[key]["S"]: item for item in items})
        return found[rows], found[summaries]

    def _batch(self, requests: Mapping[str, Any]) -> Iterator[tuple[str, list[Item]]]:
        for pause in (0.1, 0.3, 0.9, 2):
            response = self.client.batch_get_item(RequestItems=requests)
            yield from response["Responses"].items()
            requests = response.get("UnprocessedKeys", {})
            if not requests:
                return
            self.pause(pause)
        raise S3SyncError(
            f"DynamoDB left keys of {', '.join(requests)} unread: its events are left to a retry"
        )

    def _summary(self, item: Item | None) -> Summary | None:
        loaded = self._load(PackageSummary, item)
        if item is None or loaded is None:
            return None
        checksum = int(item[CHECKSUM]["N"]) if CHECKSUM in item else None
        return Summary(loaded.last_modified, loaded.summary, checksum)

    def _table(self, model: Any) -> str:
        return str(model.meta_.ddb_tablename(self.engine.namespace))

    def _dump(self, item: Any) -> dict[str, Any]:
        return dict(self.dynamizer.encode_keys(item.ddb_dump_()))

    def _load(self, model: Any, item: Item | None) -> Any | None:
        return None if item is None else model.ddb_load_(self.engine, self.dynamizer.decode_keys(item))


def _packs(groups: Sequence[Sequence[Change]]) -> Iterator[list[Sequence[Change]]]:
    """The groups, a name's each, in as few packs as surely go into one transaction."""
    pack: list[Sequence[Change]] = []
    room = ACTIONS
    for group in groups:
        names = 1 + sum(_moves(change) for change in group)
        needed = len(group) + OF_SUMMARY * names
        if pack and needed > room:
            yield pack
            pack, room = [], ACTIONS
        pack.append(group)
        room -= needed
    if pack:
        yield pack


def _moves(change: Change) -> bool:
    """Whether a row goes from one name to another, as where its filename had been split wrongly."""
    row, wanted = change.seen.row, change.wanted
    return row is not None and wanted is not None and bool(row.name != wanted.name)


def _summaries_of(changes: Sequence[Change]) -> dict[str, Item | None]:
    """The summaries of the changes' names, as they were read."""
    found: dict[str, Item | None] = {}
    for change in changes:
        read = change.seen.beside.summaries
        packages = (change.seen.row, change.wanted)
        names = {change.subject.name, *(package.name for package in packages if package is not None)}
        found |= {name: read[name] for name in names if name in read}
    return found


def _milder(result: Result) -> Result:
    """What a transaction means for a row that it left alone."""
    return Result.UNCHANGED if result is Result.WRITTEN else result


def _by_name(changes: Sequence[Change], summaries: Mapping[str, Item | None]) -> dict[str, RowChanges]:
    """What the changes mean for each name that they touch."""
    names: dict[str, tuple[list[Any], list[Any], list[Any]]] = {}
    for change in changes:
        row, wanted = change.seen.row, change.wanted
        if row is None and wanted is None:
            # The server has deleted the row itself: look after the summary that it left.
            name = change.subject.name
            if name is not None and summaries.get(name) is not None:
                names.setdefault(name, ([], [], []))
        elif wanted is not None and same(row, wanted):
            names.setdefault(wanted.name, ([], [], []))[2].append(wanted)
        else:
            if row is not None:
                names.setdefault(row.name, ([], [], []))[0].append(row)
            if wanted is not None:
                names.setdefault(wanted.name, ([], [], []))[1].append(wanted)
    return {name: RowChanges(*map(tuple, rows)) for name, rows in names.items()}


def _condition(expression: str, *values: Any) -> dict[str, Any]:
    """A condition with the names and the values that it mentions, the values in their order in it."""
    words = expression.replace("(", " ").replace(")", " ").split()
    condition: dict[str, Any] = {
        "ConditionExpression": expression,
        "ExpressionAttributeNames": {word: NAMES[word] for word in words if word.startswith("#")},
    }
    if values:
        placeholders = (word for word in words if word.startswith(":"))
        condition["ExpressionAttributeValues"] = dict(zip(placeholders, values, strict=True))
    return condition
