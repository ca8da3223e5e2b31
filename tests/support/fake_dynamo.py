"""Imitate DynamoDB with an index that lags behind, as none of the emulators does and DynamoDB may."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from support.scheduling import let_others_run


class FakeDynamo:
    """A boto3 DynamoDB client with the operations and the conditions that the adapter uses.

    Reads of the tables are consistent. The index of names shows a write only after some steps.

    Parameters
    ----------
    rng : random.Random
        Decides how many steps each write takes to reach the index.
    lag : int
        The largest number of these steps.
    """

    def __init__(self, rng: Random, lag: int) -> None:
        self.rng = rng
        self.lag = lag
        self.now = 0
        self.tables: dict[str, dict[str, Any]] = {"DynamoPackage": {}, "PackageSummary": {}}
        self.indexed: dict[str, Any] = {}
        #: Writes that the index does not show yet: the step at which it will, the filename and the item.
        self.delayed: list[tuple[int, str, Any]] = []
        #: The capacity of the tables, as DescribeTable returns it.
        self.throughput: dict[str, Any] = {}
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *a, **k: None))

    def advance(self, steps: int) -> None:
        """Let time pass, and show in the index what is due."""
        self.now += steps
        for due, filename, item in [entry for entry in self.delayed if entry[0] <= self.now]:
            self._show(filename, item)
            self.delayed.remove((due, filename, item))

    def _show(self, filename: str, item: Any) -> None:
        self.indexed.pop(filename, None)
        if item is not None:
            self.indexed[filename] = item

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        """Return the requested items that exist."""
        let_others_run()
        responses = {}
        for table, request in RequestItems.items():
            assert request["ConsistentRead"]
            keys = [next(iter(key.values()))["S"] for key in request["Keys"]]
            responses[table] = [self.tables[table][key] for key in keys if key in self.tables[table]]
        return {"Responses": responses}

    def describe_table(self, TableName: str) -> dict[str, Any]:
        """Return what DynamoDB tells of a table: the number of items is some hours old."""
        return {"Table": {"TableName": TableName, "ItemCount": 3, **self.throughput}}

    def scan(
        self, TableName: str, ExclusiveStartKey: Any = None, Limit: int = 2, **request: Any
    ) -> dict[str, Any]:
        """Return a page of a table's items; others run between two pages."""
        let_others_run()
        attribute = "filename" if TableName == "DynamoPackage" else "name"
        start = ExclusiveStartKey[attribute]["S"] if ExclusiveStartKey else ""
        keys = [key for key in sorted(self.tables[TableName]) if key > start]
        more = {"LastEvaluatedKey": {attribute: {"S": keys[Limit - 1]}}} if len(keys) > Limit else {}
        items = [self.tables[TableName][key] for key in keys[:Limit]]
        if request.get("Select") == "COUNT":
            return {"Count": len(items), **more}
        return {"Items": items, "Count": len(items), **more}

    def query(self, **request: Any) -> dict[str, Any]:
        """Return what the index shows for a name."""
        let_others_run()
        assert request["IndexName"] == "name-index"
        if "KeyConditionExpression" in request:
            assert request["KeyConditionExpression"] == "#name = :name"
            name = request["ExpressionAttributeValues"][":name"]
            items = [item for item in self.indexed.values() if item["name"] == name]
            return {"Items": [_projected(item, request) for item in items]}
        # flywheel sends DynamoDB's legacy parameters instead of an expression.
        (name,) = request["KeyConditions"]["name"]["AttributeValueList"]
        items = [item for item in self.indexed.values() if item["name"] == name]
        return {"Items": items, "Count": len(items), "ScannedCount": len(items)}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        """Write all items, or raise the error of a cancelled transaction if a condition does not hold."""
        let_others_run()
        operations = [next(iter(item.items())) for item in TransactItems]
        keys = [self._key(operation) for _, operation in operations]
        assert len(set(keys)) == len(keys), "a transaction has two operations on one item"
        checks = [
            self._holds(operation, self.tables[table].get(key))
            for (_, operation), (table, key) in zip(operations, keys, strict=True)
        ]
        if not all(checks):
            reasons = [{"Code": "None" if holds else "ConditionalCheckFailed"} for holds in checks]
            error: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")
        for (kind, operation), (table, key) in zip(operations, keys, strict=True):
            if kind != "ConditionCheck":
                self._write(table, key, operation.get("Item"))
        return {}

    def _write(self, table: str, key: str, item: Any) -> None:
        self.tables[table].pop(key, None)
        if item is not None:
            self.tables[table][key] = item
        if table == "DynamoPackage":
            # The index shows the writes of one item in their order.
            due = self.now + self.rng.randrange(self.lag + 1)
            earlier = [entry[0] for entry in self.delayed if entry[1] == key]
            self.delayed.append((max([due, *earlier]), key, item))
            self.advance(0)

    @staticmethod
    def _key(operation: dict[str, Any]) -> tuple[str, str]:
        attribute = "filename" if operation["TableName"] == "DynamoPackage" else "name"
        attributes = operation["Key"] if "Key" in operation else operation["Item"]
        return operation["TableName"], attributes[attribute]["S"]

    @staticmethod
    def _holds(operation: dict[str, Any], item: Any) -> bool:
        item = item or {}
        names = operation.get("ExpressionAttributeNames", {})
        values = operation.get("ExpressionAttributeValues", {})
        for term in operation["ConditionExpression"].split(" AND "):
            if term.startswith("attribute_not_exists("):
                if names[term[21:-1]] in item:
                    return False
            else:
                name, _, value = term.split()
                if item.get(names[name]) != values[value]:
                    return False
        return True


def _projected(item: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an item that a request names, or all if it names none."""
    if "ProjectionExpression" not in request:
        return item
    words = request["ProjectionExpression"].replace(",", " ").split()
    names = [request["ExpressionAttributeNames"].get(word, word) for word in words]
    return {name: item[name] for name in names if name in item}
