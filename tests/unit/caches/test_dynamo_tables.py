from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.caches.base import RowKey, Snapshot
from pypicloud_s3sync.caches.dynamo import DynamoAdapter
from pypicloud_s3sync.exceptions import UnreachableError
from pypicloud_s3sync.sync import startup
from support.adapters import read_one
from support.dynamo_errors import cancelled, error
from support.moto_world import World

KEYS = [f"x/pkg{number}-1.0.tar.gz" for number in range(5)]


class Throttling:
    """Lets TransactWriteItems be cancelled for a reason; counts the calls."""

    def __init__(self, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch, failure: Any) -> None:
        self.calls, self.pauses = 0, list[float]()
        self.write = adapter.client.transact_write_items
        self.failure = failure
        monkeypatch.setattr(adapter.client, "transact_write_items", self)
        monkeypatch.setattr(adapter.tables, "pause", self.pauses.append)

    def __call__(self, TransactItems: Any) -> Any:
        self.calls += 1
        failure = self.failure(self.calls, TransactItems)
        if failure is not None:
            raise failure
        return self.write(TransactItems=TransactItems)


@pytest.fixture
def adapter(world: World) -> DynamoAdapter:
    for key in KEYS:
        world.put(key, name=key[2:6], version="1.0")
    adapter = startup.syncer().adapter
    assert isinstance(adapter, DynamoAdapter)
    return adapter


def converge(world: World) -> dict[str, Any]:
    return startup.syncer().converge("amzn-s3-demo-bucket", KEYS)


def test_a_batch_is_given_up_soon_if_even_one_name_is_throttled(
    world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttling = Throttling(adapter, monkeypatch, lambda call, items: cancelled("ThrottlingError"))
    outcomes = converge(world)
    assert all(isinstance(outcome, UnreachableError) for outcome in outcomes.values())
    assert "raise their capacity" in str(outcomes[KEYS[0]])
    assert throttling.calls == 6, "the batch and its first name, three times each"
    assert sum(throttling.pauses) < 3


def test_a_batch_that_is_too_much_at_once_is_written_name_by_name(
    world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table with five units per second never accepts a transaction of twenty items."""
    Throttling(
        adapter,
        monkeypatch,
        lambda call, items: cancelled("None", "ProvisionedThroughputExceeded") if len(items) > 2 else None,
    )
    assert {outcome.action for outcome in converge(world).values()} == {"saved"}
    assert len(world.rows()) == len(KEYS)


def test_what_was_written_before_the_capacity_was_used_up_counts_as_written(
    world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    Throttling(
        adapter,
        monkeypatch,
        lambda call, items: cancelled("ThrottlingError") if len(items) > 2 or call > 5 else None,
    )
    outcomes = converge(world)
    saved = [key for key, outcome in outcomes.items() if not isinstance(outcome, Exception)]
    assert len(saved) == 2
    assert len(world.rows()) == 2


def test_a_conflict_in_a_throttled_transaction_is_read_again(
    world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttling = Throttling(
        adapter,
        monkeypatch,
        lambda call, items: cancelled("ConditionalCheckFailed", "ThrottlingError") if call == 1 else None,
    )
    assert {outcome.action for outcome in converge(world).values()} == {"saved"}
    assert throttling.pauses == []


def test_a_throttled_index_is_an_error_of_the_whole_database(
    world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttle(*arguments: Any, **options: Any) -> None:
        raise error("ProvisionedThroughputExceededException")

    monkeypatch.setattr(adapter.client, "query", throttle)
    with pytest.raises(UnreachableError, match="throttles"):
        adapter.tables.indexed("pkg1")


def test_a_parallel_call_that_fails_is_the_last_that_begins(adapter: DynamoAdapter) -> None:
    called: list[int] = []

    def call(number: int) -> int:
        called.append(number)
        raise TimeoutError("DynamoDB is slow")

    with pytest.raises(TimeoutError, match="DynamoDB is slow"):
        adapter.tables.parallel(call, range(1000))
    assert len(called) < 100, "a batch waited for each of its calls"


def test_keys_that_were_not_processed_are_read_again_after_a_pause(
    world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    converge(world)
    batch_get_item, throttled, pauses = adapter.client.batch_get_item, list[Any](), list[float]()

    def throttle_once(RequestItems: Any) -> Any:
        if throttled:
            return batch_get_item(RequestItems=RequestItems)
        throttled.append(RequestItems)
        return {"Responses": {}, "UnprocessedKeys": RequestItems}

    monkeypatch.setattr(adapter.client, "batch_get_item", throttle_once)
    monkeypatch.setattr(adapter.tables, "pause", pauses.append)
    row = read_one(adapter, RowKey("pkg1-1.0.tar.gz", "pkg1")).row
    assert row is not None
    assert (row.version, len(pauses)) == ("1.0", 1)


def test_only_the_rows_that_dynamodb_never_returns_are_left_to_a_retry(
    world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    converge(world)
    batch_get_item = adapter.client.batch_get_item

    def throttle(RequestItems: Any) -> Any:
        unprocessed = {
            table: {**request, "Keys": [key for key in request["Keys"] if "pkg9" in str(key)]}
            for table, request in RequestItems.items()
        }
        answer = batch_get_item(RequestItems=RequestItems)
        return {**answer, "UnprocessedKeys": unprocessed}

    monkeypatch.setattr(adapter.client, "batch_get_item", throttle)
    monkeypatch.setattr(adapter.tables, "pause", lambda seconds: None)
    snapshots = adapter.read([RowKey(f"{name}-1.0.tar.gz", name) for name in ("pkg9", "pkg2")])
    assert isinstance(snapshots["pkg9-1.0.tar.gz"], UnreachableError)
    assert isinstance(snapshots["pkg2-1.0.tar.gz"], Snapshot)
