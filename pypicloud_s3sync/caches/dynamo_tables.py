"""Send requests to the two tables of a DynamoDB cache, and retry those that DynamoDB throttles.

Limits and errors: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from dynamo3.exception import DynamoDBError
from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

from ..exceptions import UnreachableError
from .dynamo_client import cancellation_reasons, is_throttled
from .throttling import THROTTLED_ITEM
from .transactions import Item, batches

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

    def indexed(self, name: str) -> list[Any]:
        """Return the rows of a name that its index shows."""
        try:
            return list(self.engine.query(DynamoPackage).filter(name=name).gen())
        except DynamoDBError as error:
            if is_throttled(error):
                raise throttled(error) from error
            raise

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
