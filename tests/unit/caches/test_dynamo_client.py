from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from dynamo3.exception import translate_exception

from pypicloud_s3sync.caches.dynamo_client import is_throttled, is_unreachable, time_limits
from pypicloud_s3sync.sync import startup
from support.dynamo_errors import cancelled, error
from support.moto_world import World


def test_the_client_gives_up_before_lambda_ends_the_function(world: World) -> None:
    """By default it waits 60 seconds for a response, up to ten times."""
    connection = startup.syncer().adapter.cache.engine.dynamo
    config = connection.client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 5)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert connection.request_retries == 0, "dynamo3 repeats a throttled call for 200 seconds"


def test_the_user_agent_is_the_same_for_each_request(world: World) -> None:
    """Otherwise botocore builds it anew, twice, for each request."""
    client, agents = startup.syncer().adapter.cache.engine.dynamo.client, list[bytes]()

    def record(request: Any, **_: Any) -> None:
        agents.append(request.headers["User-Agent"])

    client.meta.events.register_first("before-send", record)
    client.list_tables()
    with pytest.raises(ClientError):
        client.describe_table(TableName="unknown")
    assert agents == [botocore.session.Session().user_agent().encode()] * 2


def test_the_clients_of_the_server_stay_as_they_are(world: World) -> None:
    from pypicloud.cache import dynamo

    # dynamo3's, or pypicloud's repaired one.
    before = dynamo.DynamoDBConnection
    startup.syncer()
    assert world.cache.engine.dynamo.client.meta.config.read_timeout == 60
    with time_limits():
        pass
    assert dynamo.DynamoDBConnection is before


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
