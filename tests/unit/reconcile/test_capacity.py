from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.reconcile.capacity import DynamoCapacity


class Client:
    """A client that knows the capacity of its tables, and passes answers to whoever registered for them."""

    def __init__(self, reads: int = 0, writes: int = 0, *, denied: bool = False) -> None:
        self.units = {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}
        self.denied = denied
        self.handlers: dict[str, Any] = {}
        self.meta = SimpleNamespace(events=SimpleNamespace(register=self.handlers.__setitem__))

    def describe_table(self, TableName: str) -> dict[str, Any]:
        if self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeTable")
        index = {"ProvisionedThroughput": {name: max(0, units - 1) for name, units in self.units.items()}}
        return {
            "Table": {
                "ItemCount": 12,
                "ProvisionedThroughput": self.units,
                "GlobalSecondaryIndexes": [index],
            }
        }

    def answer(self, operation: str, parsed: dict[str, Any]) -> None:
        self.handlers[f"after-call.dynamodb.{operation}"](parsed)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def capacity(client: Client, clock: Clock) -> DynamoCapacity:
    return DynamoCapacity(client, ["rows"], clock.sleep, lambda: clock.now)


def throttled(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "Scan")


def test_an_on_demand_table_is_not_limited() -> None:
    client, clock = Client(), Clock()
    limits = capacity(client, clock)
    client.answer("Scan", {"ConsumedCapacity": {"TableName": "rows", "CapacityUnits": 128.0}})
    limits.rest()
    assert (limits.page("rows"), limits.batch(500), clock.now, limits.note) == ({}, 500, 0, None)


def test_a_small_table_is_read_in_small_pages_and_not_faster_than_three_quarters_of_its_capacity() -> None:
    client, clock = Client(reads=9, writes=9), Clock()
    limits = capacity(client, clock)
    assert limits.page("rows") == {"Limit": 64}
    # The index, which each write uses too, has eight units.
    client.answer("Scan", {"ConsumedCapacity": {"TableName": "rows", "CapacityUnits": 12.0}})
    limits.rest()
    assert clock.now == pytest.approx(12 / (0.75 * 8))
    assert limits.note is not None


def test_a_small_table_gets_few_rows_at_once() -> None:
    assert capacity(Client(reads=6, writes=6), Clock()).batch(500) == 1
    assert capacity(Client(reads=6, writes=601), Clock()).batch(500) == 200


def test_a_transaction_counts_for_each_of_its_tables() -> None:
    client, clock = Client(reads=5, writes=5), Clock()
    limits = capacity(client, clock)
    used = [
        {"TableName": "rows", "CapacityUnits": 6.0},
        {"TableName": "of another owner", "CapacityUnits": 99.0},
    ]
    client.answer("TransactWriteItems", {"ConsumedCapacity": used})
    limits.rest()
    assert clock.now == pytest.approx(6 / (0.75 * 4))


def test_a_throttled_request_is_repeated_until_it_succeeds_with_longer_pauses() -> None:
    clock, answers = Clock(), ["ThrottlingException", "TooManyRequestsException", "RequestThrottled"] * 3
    limits = capacity(Client(), clock)

    def scan(**arguments: Any) -> str:
        if answers:
            raise throttled(answers.pop())
        return "page"

    assert limits.patiently(scan) == "page"
    assert clock.now == 1 + 2 + 4 + 8 + 16 + 30 * 4
    assert "throttles" in str(limits.note)


def test_another_error_is_not_repeated() -> None:
    def scan() -> None:
        raise throttled("AccessDeniedException")

    with pytest.raises(ClientError):
        capacity(Client(), Clock()).patiently(scan)


def test_a_transaction_that_is_cancelled_because_of_throttling_is_counted() -> None:
    client = Client()
    limits = capacity(client, Clock())
    client.answer("TransactWriteItems", {"CancellationReasons": [{"Code": "ConditionalCheckFailed"}]})
    client.answer("TransactWriteItems", {"CancellationReasons": [{"Code": "ThrottlingError"}]})
    assert limits.throttled == 1


def test_without_the_permission_to_describe_the_tables_nothing_is_limited() -> None:
    limits = capacity(Client(denied=True), Clock())
    assert (limits.page("rows"), limits.items) == ({}, {})


def test_dynamodb_is_asked_what_requests_consume() -> None:
    client, parameters = Client(), dict[str, Any]()
    capacity(client, Clock())
    client.handlers["provide-client-params.dynamodb.Scan"](params=parameters)
    assert parameters == {"ReturnConsumedCapacity": "TOTAL"}
