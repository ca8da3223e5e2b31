"""A DynamoDB cache: a package's row and its name's summary change together, in one transaction.

pypicloud writes the summary of whichever file came last, and counts a name's files in an index that lags
behind. Here the summary is that of the name's newest row. The index tells which rows there may be; the
conditions of the transaction, which DynamoDB checks against the tables themselves, guard what is written: the
row that the summary is taken from is still there, and the summary has not become a newer one since it was
read. Where one does not hold, look again.

What they cannot guard: a row that the index does not show yet when the newest one is cleared. The summary is
then that of an older row, or missing, until the name's next event; rows themselves are never wrong for it.

Limits and errors: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError
from distlib import DistlibException
from pypicloud.cache.dynamo import DynamoPackage, PackageSummary
from pypicloud.util import PackageParseError, normalize_name, parse_filename

from .caches import CacheIndex, Clearance, belongs_to
from .exceptions import S3SyncError

#: Seconds between the looks at a name, where many handlers want its summary or the index lags behind; after
#: the last one, the event is left to Lambda's own retry.
PAUSES = (0.1, 0.3, 0.9, 1, 1, 1, 1, 1)
#: Looks after which a summary that no row explains is taken for one whose row is gone. The pauses until then
#: are well beyond what an index lags behind its table.
PATIENCE = 3
#: As PATIENCE, where the row is gone already: then the server has deleted it, and left the summary behind.
PATIENCE_WITHOUT_ROW = 1
#: What passes by itself; any other reason for which a transaction is cancelled is an error.
PASSING = {
    "ConditionalCheckFailed",
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
}
#: ``name`` and ``data`` are reserved words of DynamoDB's.
NAMES = {"#name": "name", "#data": "data", "#path": "path", "#time": "last_modified"}


class DynamoIndex(CacheIndex):
    """Rows and summaries of ``pypicloud.cache.dynamo.DynamoCache``.

    Parameters
    ----------
    cache : pypicloud.cache.dynamo.DynamoCache
    pause : callable, optional
        Waits for some seconds, between two looks.
    """

    def __init__(self, cache: Any, pause: Callable[[float], None] | None = None) -> None:
        super().__init__(cache)
        self.engine = cache.engine
        self.dynamizer = cache.engine.dynamo.dynamizer
        self.client = cache.engine.dynamo.client
        self.pause = pause or _sleep

    def save(self, package: Any) -> None:
        """Put the row, and the summary of the newest of its name's rows."""
        for look in self._looks(package.name):
            row, summary = self._read(package.filename, package.name)
            if row is not None and row.name != package.name:
                self._forget(row)
                row = None
            others = self._others(package)
            newest = _newest([*others, package])
            if newest is not package and _is_of(summary, newest):
                # Nothing but the row: many files of a release need not queue for the summary of one of them.
                if self._transact(self._put(package), self._check_newer(summary, package)):
                    return
            elif (look >= PATIENCE or _explained(summary, newest, row)) and self._transact(
                self._put(package),
                *self._summarize(package.name, summary, newest),
                *([] if newest is package else [self._check(newest)]),
            ):
                return

    def clear(self, filename: str, key: str) -> Clearance:
        """Delete the row where it is this key's, and bring its name's summary up to date.

        The server deletes a row itself when it deletes the file, and leaves the summary as it was: so the
        summary is looked after even where there is no row any more.
        """
        name = _guess_name(filename)
        for look in self._looks(filename):
            row, summary = self._read(filename, name)
            if row is not None and row.name != name:
                name = row.name
                row, summary = self._read(filename, name)
            if row is not None and not belongs_to(row, key):
                return Clearance.ANOTHER_KEY
            if name is None or (row is None and summary is None):
                return Clearance.ABSENT
            newest = _newest(self._others(row or DynamoPackage(name, "", filename)))
            if row is None and _is_of(summary, newest):
                return Clearance.ABSENT
            patience = PATIENCE_WITHOUT_ROW if row is None else PATIENCE
            if (look >= patience or _explained(summary, newest, row)) and self._transact(
                *([] if row is None else [self._delete(row, key)]),
                *self._summarize(name, summary, newest),
                *([] if newest is None else [self._check(newest)]),
            ):
                return Clearance.ABSENT if row is None else Clearance.CLEARED
        raise AssertionError("_looks raises after the last one")

    def _forget(self, row: Any) -> None:
        """Clear a row whose file has another name now, whichever key it is of."""
        self.clear(row.filename, row.data.get("path", ""))

    def _looks(self, subject: str) -> Iterator[int]:
        """Count the looks, with the pauses between them."""
        for look, pause in enumerate(PAUSES):
            yield look
            self.pause(pause)
        yield len(PAUSES)
        raise S3SyncError(f"the rows beside {subject} kept changing: its event is left to a retry")

    def _read(self, filename: str, name: str | None) -> tuple[Any | None, Any | None]:
        """The row and the summary as they are now, in one consistent read; pypicloud's may miss a new row."""
        rows, summaries = self._table(DynamoPackage), self._table(PackageSummary)
        wanted = {rows: {"Keys": [{"filename": {"S": filename}}], "ConsistentRead": True}}
        if name is not None:
            wanted[summaries] = {"Keys": [{"name": {"S": name}}], "ConsistentRead": True}
        found: dict[str, Any] = {}
        while wanted:
            response = self.client.batch_get_item(RequestItems=wanted)
            found.update({table: items[0] for table, items in response["Responses"].items() if items})
            wanted = response.get("UnprocessedKeys", {})
            if wanted:
                self.pause(PAUSES[0])
        return self._load(DynamoPackage, found.get(rows)), self._load(PackageSummary, found.get(summaries))

    def _others(self, subject: Any) -> list[Any]:
        """The other rows of the subject's name, as its index knows them."""
        rows = self.engine.query(DynamoPackage).filter(name=subject.name).gen()
        return [row for row in rows if row.filename != subject.filename]

    def _put(self, row: Any) -> dict[str, Any]:
        return {"Put": {"TableName": self._table(DynamoPackage), "Item": self._dump(row)}}

    def _delete(self, row: Any, key: str) -> dict[str, Any]:
        # Another handler may have saved the same filename for another key since the row was read.
        ours = {
            "ConditionExpression": "#data.#path = :key OR attribute_not_exists(#data.#path)",
            "ExpressionAttributeNames": _names("#data", "#path"),
            "ExpressionAttributeValues": {":key": {"S": key}},
        }
        identity = {"filename": {"S": row.filename}}
        return {"Delete": {"TableName": self._table(DynamoPackage), "Key": identity, **ours}}

    def _check(self, row: Any) -> dict[str, Any]:
        unchanged = self._unchanged(row)
        identity = {"filename": {"S": row.filename}}
        return {"ConditionCheck": {"TableName": self._table(DynamoPackage), "Key": identity, **unchanged}}

    def _check_newer(self, summary: Any, package: Any) -> dict[str, Any]:
        identity = {"name": {"S": summary.name}}
        newer = {
            "ConditionExpression": "#time >= :time",
            "ExpressionAttributeNames": _names("#time"),
            "ExpressionAttributeValues": {":time": self._dump(package)["last_modified"]},
        }
        return {"ConditionCheck": {"TableName": self._table(PackageSummary), "Key": identity, **newer}}

    def _summarize(self, name: str, summary: Any | None, newest: Any | None) -> list[dict[str, Any]]:
        """Replace the summary that was read by that of the newest row."""
        table = self._table(PackageSummary)
        if summary is None:
            unchanged = {
                "ConditionExpression": "attribute_not_exists(#name)",
                "ExpressionAttributeNames": _names("#name"),
            }
        else:
            unchanged = self._unchanged(summary)
        if newest is not None:
            return [{"Put": {"TableName": table, "Item": self._dump(PackageSummary(newest)), **unchanged}}]
        if summary is not None:
            return [{"Delete": {"TableName": table, "Key": {"name": {"S": name}}, **unchanged}}]
        return []

    def _unchanged(self, item: Any) -> dict[str, Any]:
        return {
            "ConditionExpression": "#time = :time",
            "ExpressionAttributeNames": _names("#time"),
            "ExpressionAttributeValues": {":time": self._dump(item)["last_modified"]},
        }

    def _transact(self, *writes: dict[str, Any]) -> bool:
        """Write all or nothing; whether it was done, or is to be tried again."""
        try:
            self.client.transact_write_items(TransactItems=list(writes))
        except ClientError as error:
            reasons = {reason["Code"] for reason in error.response.get("CancellationReasons", [])} - {"None"}
            if not reasons or reasons - PASSING:
                raise
            return False
        return True

    def _table(self, model: Any) -> str:
        return str(model.meta_.ddb_tablename(self.engine.namespace))

    def _dump(self, item: Any) -> dict[str, Any]:
        return dict(self.dynamizer.encode_keys(item.ddb_dump_()))

    def _load(self, model: Any, item: dict[str, Any] | None) -> Any | None:
        return None if item is None else model.ddb_load_(self.engine, self.dynamizer.decode_keys(item))


def _sleep(seconds: float) -> None:
    """Wait, but never as long as the handler beside this one."""
    time.sleep(seconds * random.uniform(0.5, 1))  # noqa: S311 - spreads, keeps no secret


def _newest(rows: list[Any]) -> Any | None:
    return max(rows, key=lambda row: (row.last_modified, row.filename), default=None)


def _explained(summary: Any | None, newest: Any | None, replaced: Any | None) -> bool:
    """Whether a summary may be replaced: none of the rows we do not know can be its source.

    It is no newer than the newest row that is known, or it is that of the row that goes.
    Otherwise the index has not caught up yet; or, where it never does, the summary's row is gone.
    """
    if summary is None or (replaced is not None and summary.last_modified == replaced.last_modified):
        return True
    return newest is not None and bool(summary.last_modified <= newest.last_modified)


def _is_of(summary: Any | None, row: Any | None) -> bool:
    return summary is not None and row is not None and bool(summary.last_modified == row.last_modified)


def _guess_name(filename: str) -> str | None:
    """The name in a filename, for looking only: a filename can be split wrongly."""
    try:
        # Of a wheel, it comes as distlib has it: My_Pkg.
        return str(normalize_name(parse_filename(filename)[0]))
    except (PackageParseError, DistlibException):
        return None


def _names(*aliases: str) -> dict[str, str]:
    return {alias: NAMES[alias] for alias in aliases}
