"""The clients: where the bucket's region is asked for, and how long AWS is waited for."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.retries.standard import ExponentialBackoff
from botocore.utils import parse_timestamp

from pypicloud_s3sync.deploy.aws import clients as aws
from pypicloud_s3sync.deploy.aws.clients import ANY_REGION, Clients, Limits
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import make_settings

NO_REGION = {
    "storage__region_name": None,
    "pypi__db": "redis",
    "db__url": "redis://cache.example",
    "db__region_name": None,
}


@pytest.fixture(autouse=True)
def no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every other source of a region."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setattr(aws, "_region_of_instance", lambda: None)


def first_region(**changes: str | None) -> str:
    return Clients(make_settings(**{**NO_REGION, **changes})).region


@pytest.mark.parametrize(
    ("changes", "region"),
    [
        ({}, ANY_REGION),
        ({"storage__region_name": "eusc-de-east-1"}, "eusc-de-east-1"),
        ({"pypi__db": "dynamo", "db__region_name": "cn-north-1"}, "cn-north-1"),
        ({"s3sync__role_arn": "arn:aws-us-gov:iam::111122223333:role/x"}, "us-gov-west-1"),
        ({"s3sync__permissions_boundary": "arn:aws-cn:iam::111122223333:policy/x"}, "cn-northwest-1"),
        ({"s3sync__role_arn": "arn:aws-iso-b:iam::111122223333:role/x"}, "us-isob-east-1"),
    ],
    ids=str,
)
def test_the_partition_that_the_settings_imply_is_asked_first(
    changes: dict[str, str | None], region: str
) -> None:
    assert first_region(**changes) == region


def test_a_region_of_another_partition_in_the_environment_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert first_region(pypi__db="dynamo", db__region_name="us-gov-east-1") == "us-gov-east-1"
    assert first_region(pypi__db="dynamo", db__region_name="eu-west-1") == "us-east-1"
    assert first_region() == "us-east-1"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "us-gov-east-1")
    assert first_region() == "us-gov-east-1"


def test_an_instance_is_asked_for_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "_region_of_instance", lambda: "cn-north-1")
    assert first_region() == "cn-north-1"
    assert first_region(s3sync__endpoint_url="http://localhost:4566") == ANY_REGION


def test_a_vpc_endpoint_is_used_for_s3_only() -> None:
    url = "https://bucket.vpce-1a2b3c4d-5e6f.s3.eu-west-1.vpce.amazonaws.com"
    clients = Clients(make_settings(storage__endpoint_url=url))
    assert clients["s3"].meta.endpoint_url == url
    assert clients["lambda"].meta.endpoint_url == "https://lambda.eu-west-1.amazonaws.com"


# How long it is waited for


def config_of(service: str, limits: Limits | None = None, **changes: str | None) -> Any:
    settings = make_settings(**{"s3sync__endpoint_url": "http://localhost:1", **changes})
    client: Any = Clients(settings, limits=limits)[service]
    return client.meta.config


@pytest.mark.parametrize("service", ["s3", "lambda", "dynamodb"])
def test_a_request_of_the_web_server_waits_seconds_and_a_run_minutes(service: str) -> None:
    config = config_of(service, Limits.for_web())
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries["total_max_attempts"] == 2
    assert config_of(service).retries["total_max_attempts"] == 5
    assert config_of(service).connect_timeout == 10


def test_a_role_of_a_profile_is_assumed_within_the_same_limits() -> None:
    """boto3 makes the client for that itself."""
    session = Clients(make_settings(), limits=Limits.for_web()).session
    config = session.client("sts").meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)


@pytest.mark.parametrize("service", ["sts", "dynamodb"])
def test_no_call_is_made_after_the_deadline(service: str) -> None:
    clients: Any = Clients(make_settings(), limits=Limits(deadline=time.monotonic()))
    operation = {"sts": "get_caller_identity", "dynamodb": "list_tables"}[service]
    with pytest.raises(AwsError, match="AWS answers too slowly for the admin UI"):
        getattr(clients[service], operation)()


def test_a_call_that_fails_is_not_tried_again_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    now, attempts = [0.0], []
    monkeypatch.setattr(aws, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda self, context: 0)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    dynamodb = Clients(make_settings(), limits=Limits.for_web())["dynamodb"]

    def wait_in_vain(request: Any, **event: Any) -> None:
        attempts.append(now[0])
        now[0] += 10
        raise ReadTimeoutError(endpoint_url=request.url)

    dynamodb.meta.events.register_last("before-send", wait_in_vain)
    with pytest.raises(ReadTimeoutError):
        dynamodb.list_tables()
    assert attempts == [0, 10]
    now[0], attempts[:] = 6, []
    with pytest.raises(AwsError, match="AWS answers too slowly for the admin UI"):
        dynamodb.list_tables()
    assert attempts == [6]


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-02T03:04:05.678Z",
        "2026-01-02T03:04:05Z",
        "Fri, 02 Jan 2026 03:04:05 GMT",
        1767323045,
        "1767323045",
    ],
)
def test_times_are_parsed_as_botocore_does(value: Any) -> None:
    assert aws._parse_timestamp(value) == parse_timestamp(value)
