from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from dynamo3 import DynamoDBConnection
from dynamo3.exception import translate_exception

from pypicloud_s3sync.caches.base import RowKey, Snapshot
from pypicloud_s3sync.caches.dynamo import DynamoAdapter
from pypicloud_s3sync.caches.dynamo_client import is_throttled, is_unreachable, time_limits
from pypicloud_s3sync.caches.registry import adapter_for
from pypicloud_s3sync.exceptions import OutOfTimeError, UnreachableError
from pypicloud_s3sync.sync import startup
from support.moto_world import World, notification_of

KEYS = [f"x/pkg{number}-1.0.tar.gz" for number in range(5)]


def error(code: str, *reasons: str, status: int = 400) -> ClientError:
    """Return an error as DynamoDB answers it; ``reasons`` are those of a cancelled transaction."""
    response: Any = {
        "Error": {"Code": code, "Message": "m"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    if reasons:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(response, "TransactWriteItems")


def cancelled(*reasons: str) -> ClientError:
    return error("TransactionCanceledException", *reasons)


def test_the_client_gives_up_before_lambda_ends_the_function(world: World) -> None:
    """By default it waits 60 seconds for a response, up to ten times."""
    connection = startup.syncer().adapter.cache.engine.dynamo
    config = connection.client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 5)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert connection.request_retries == 0, "dynamo3 repeats a throttled call for 200 seconds"


def test_the_clients_of_the_server_stay_as_they_are(world: World) -> None:
    startup.syncer()
    assert world.cache.engine.dynamo.client.meta.config.read_timeout == 60
    with time_limits():
        pass
    from pypicloud.cache import dynamo

    assert dynamo.DynamoDBConnection is DynamoDBConnection


def test_credentials_in_the_settings_are_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPC_DB_AWS_ACCESS_KEY_ID", "AKIDOFTHEINI")
    monkeypatch.setenv("PPC_DB_AWS_SECRET_ACCESS_KEY", "secret")
    client = startup.syncer().adapter.cache.engine.dynamo.client
    assert client._request_signer._credentials.access_key == "AKIDOFTHEINI"


THROTTLED = [
    *(error(code) for code in ("ProvisionedThroughputExceededException", "ThrottlingException")),
    *(error(code) for code in ("RequestLimitExceeded", "TooManyRequestsException")),
    cancelled("None", "ThrottlingError"),
    cancelled("ProvisionedThroughputExceeded", "ProvisionedThroughputExceeded"),
]


@pytest.mark.parametrize("throttled", THROTTLED, ids=str)
def test_a_throttled_call_is_an_error_of_the_whole_database(throttled: ClientError) -> None:
    assert is_throttled(throttled)
    assert is_unreachable(throttled)


def test_a_throttled_call_of_flywheel_is_recognized_too() -> None:
    translated = translate_exception(error("ProvisionedThroughputExceededException"), {})
    assert is_throttled(translated)


@pytest.mark.parametrize(
    "unreachable",
    [
        ReadTimeoutError(endpoint_url="dynamodb"),
        ConnectTimeoutError(endpoint_url="dynamodb"),
        EndpointConnectionError(endpoint_url="dynamodb"),
        NoCredentialsError(),
        error("AccessDeniedException"),
        error("ResourceNotFoundException"),
        error("InternalServerError", status=500),
        error("Unknown", status=503),
        translate_exception(error("AccessDeniedException"), {}),
    ],
    ids=repr,
)
def test_an_error_that_no_single_item_causes_is_one_of_the_whole_database(unreachable: Exception) -> None:
    assert is_unreachable(unreachable)


@pytest.mark.parametrize(
    "single",
    [
        error("ValidationException"),
        error("ItemCollectionSizeLimitExceededException"),
        cancelled("ConditionalCheckFailed"),
        cancelled("TransactionConflict"),
        cancelled("ValidationError"),
        ValueError("x"),
    ],
    ids=repr,
)
def test_an_error_of_an_item_is_not_one_of_the_whole_database(single: Exception) -> None:
    assert not is_unreachable(single)


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


def test_nothing_is_sent_after_the_adapter_has_been_stopped(world: World, adapter: DynamoAdapter) -> None:
    """botocore retries a call by itself, and its retries are not sent either."""
    sent: list[Any] = []
    key = RowKey("pkg1-1.0.tar.gz", "pkg1")
    assert isinstance(adapter.read([key])[key.filename], Snapshot)
    adapter.client.meta.events.register_last("before-send.dynamodb", lambda **options: sent.append(1))
    adapter.stop()
    with pytest.raises(OutOfTimeError):
        adapter.read([key])
    assert sent == []


def test_an_event_is_not_saved_after_the_adapter_has_been_stopped(
    world: World, adapter: DynamoAdapter
) -> None:
    adapter.stop()
    with pytest.raises(Exception, match="the function's time is over"):
        world.notify(*KEYS)
    assert world.rows() == {}
    assert notification_of(KEYS[0])["Records"]
    assert adapter_for(adapter.cache) is not adapter
