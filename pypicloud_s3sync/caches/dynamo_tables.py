"""Send requests to the two tables of a DynamoDB cache, and retry those that DynamoDB throttles.

Limits and errors: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from botocore.exceptions import ClientError
from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

from ..exceptions import UnreachableError
from .dynamo_client import cancellation_reasons, is_throttled
from .throttling import THROTTLED_ITEM
from .transactions import Item, batches, condition, unchanged

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


class IndexedRow(NamedTuple):
    """A row as the index shows it, without what does not count for a summary."""

    filename: str
    last_modified: datetime.datetime
    summary: str | None


class DynamoTables:
    """The tables of ``pypicloud.cache.dynamo.DynamoCache``.

    Parameters
    ----------
    engine : flywheel.Engine
    pause : callable
        Waits for a number of seconds, after DynamoDB has throttled a call.
    """

    def __init__(self, engine: Any, pause: Callable[[float], None]) -> None:
        self.engine = engine
        self.dynamizer = engine.dynamo.dynamizer
        self.client = engine.dynamo.client
        self.pause = pause
        self.pool = ThreadPoolExecutor(PARALLEL)
        # db.tablenames changes the models, which the caches of all configurations share.
        models = DynamoPackage, PackageSummary
        self._names = {model: str(model.meta_.ddb_tablename(engine.namespace)) for model in models}

    def name(self, model: Any) -> str:
        """Return the name of a model's table."""
        return self._names[model]

    def dump(self, item: Any) -> dict[str, Any]:
        """Return a model's instance as an item."""
        return dict(self.dynamizer.encode_keys(item.ddb_dump_()))

    def load(self, model: Any, item: Item | None) -> Any | None:
        """Return an item as an instance of a model, or None for no item."""
        return None if item is None else model.ddb_load_(self.engine, self.dynamizer.decode_keys(item))

    def dump_fields(
        self, name: str, last_modified: datetime.datetime, summary: str | None = None
    ) -> dict[str, Any]:
        """Return the attributes of a summary.

        This equals what PackageSummary dumps, but creating a PackageSummary takes ten times as long.
        """
        values = {"name": name, "last_modified": last_modified, "summary": summary or None}
        fields = PackageSummary.meta_.fields.items()
        dumped = {field: kind.ddb_dump(values[field]) for field, kind in fields if values[field] is not None}
        return dict(self.dynamizer.encode_keys(dumped))

    def dump_time(self, last_modified: datetime.datetime) -> str:
        """Return a time as the number that its attribute has."""
        dumped = PackageSummary.meta_.fields["last_modified"].ddb_dump(last_modified)
        return str(self.dynamizer.encode(dumped)["N"])

    def load_time(self, number: str) -> datetime.datetime:
        """Return the time of an attribute."""
        loaded: datetime.datetime = PackageSummary.meta_.fields["last_modified"].ddb_load(Decimal(number))
        return loaded

    def indexed(self, name: str) -> list[IndexedRow]:
        """Return the rows of a name that its index shows, with what decides on the summary.

        The models of thousands of rows would take a hundred times as long as reading them.
        """
        request: dict[str, Any] = {
            "TableName": self.name(DynamoPackage),
            "IndexName": "name-index",
            "KeyConditionExpression": "#name = :name",
            "ProjectionExpression": "filename, last_modified, summary",
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {":name": {"S": name}},
        }
        rows: list[IndexedRow] = []
        while True:
            try:
                page = self.client.query(**request)
            except ClientError as error:
                if is_throttled(error):
                    raise throttled(error) from error
                raise
            rows += map(self._indexed_row, page["Items"])
            if not page.get("LastEvaluatedKey"):
                return rows
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _indexed_row(self, item: Item) -> IndexedRow:
        last_modified = self.load_time(item["last_modified"]["N"])
        return IndexedRow(item["filename"]["S"], last_modified, item.get("summary", {}).get("S"))

    def fetch(self, name: str, filename: str) -> Any | None:
        """Return a row by a consistent read, or None if the name has no such row."""
        items, _ = self.get({filename}, set())
        if filename not in items:
            raise throttled("BatchGetItem did not return every item")
        row = self.load(DynamoPackage, items[filename])
        return row if row is not None and row.name == name else None

    def get(self, filenames: Collection[str], names: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the items by filename and by name: None for an item that does not exist.

        Items that DynamoDB did not return are left out.
        """
        rows, summaries = self.name(DynamoPackage), self.name(PackageSummary)
        wanted = [(rows, "filename", filename) for filename in sorted(filenames)]
        wanted += [(summaries, "name", name) for name in sorted(names)]
        found: dict[str, dict[str, Any]] = {
            rows: dict.fromkeys(filenames),
            summaries: dict.fromkeys(names),
        }
        for read, unread in self.parallel(self._batch_get, batches(wanted, lambda _: 1, MAX_KEYS)):
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

    def replacement(self, filename: str, item: Item | None, wanted: Any | None) -> dict[str, Any]:
        """Return the write that replaces a row, on condition that it has not changed since it was read."""
        table = self.name(DynamoPackage)
        if item is None:
            test = condition("attribute_not_exists(#file)")
        else:
            # The time alone is the same for two uploads within a second.
            test = unchanged(item, "#time", "#data", "#name", "#text")
        if wanted is None:
            return {"Delete": {"TableName": table, "Key": {"filename": {"S": filename}}, **test}}
        return {"Put": {"TableName": table, "Item": self.dump(wanted), **test}}

    def parallel(self, call: Callable[[T], R], values: Iterable[T]) -> list[R]:
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

    def transact(self, writes: Sequence[dict[str, Any]]) -> bool:
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
                    raise throttled(error) from error
            self.pause(pause)
        return False


def throttled(reason: object) -> UnreachableError:
    """Return the error that DynamoDB throttles the tables."""
    return UnreachableError(
        f"DynamoDB throttles the tables ({reason}): raise their capacity if this persists;"
        " the event will be retried"
    )
