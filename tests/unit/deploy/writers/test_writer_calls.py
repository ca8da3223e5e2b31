"""Calling operations that change AWS: error messages and retries while changes propagate."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from pypicloud_s3sync.deploy.writers.calls import PROPAGATION_INTERVAL, PROPAGATION_TIMEOUT
from pypicloud_s3sync.deploy.writers.functions import ROLE_PROPAGATION
from pypicloud_s3sync.deploy.writers.notifications import INVALID_DESTINATION
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import FakeCalls, FakeClients, FakeTime, refusal

PUT_NOTIFICATIONS = "put_bucket_notification_configuration"
NOT_YET = refusal(
    "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."
)
#: A deleting operation of each service, with its arguments and the error for a missing resource.
DELETIONS: dict[str, tuple[str, dict[str, str], Exception]] = {
    "lambda": (
        "delete_function",
        {"FunctionName": "x"},
        refusal("ResourceNotFoundException", status=404),
    ),
    "logs": ("delete_log_group", {"logGroupName": "x"}, refusal("ResourceNotFoundException")),
    "iam": ("delete_role", {"RoleName": "x"}, refusal("NoSuchEntity", status=404)),
    "s3": ("delete_object", {"Bucket": "b", "Key": "x"}, refusal("NoSuchBucket", status=404)),
}


# Calls


def test_a_refused_call_names_its_action_and_resource() -> None:
    calls = FakeCalls({"create_log_group": refusal("AccessDeniedException")})
    with pytest.raises(AwsError, match="AccessDenied for logs:CreateLogGroup on the log group x") as raised:
        calls.do("logs", "create_log_group", "the log group x", logGroupName="x")
    assert raised.value.action == "logs:CreateLogGroup"


def test_a_refused_call_names_an_action_that_differs_from_the_operation() -> None:
    calls = FakeCalls({PUT_NOTIFICATIONS: refusal("AccessDenied")})
    with pytest.raises(AwsError, match="AccessDenied for s3:PutBucketNotification on the bucket b"):
        calls.do(
            *("s3", PUT_NOTIFICATIONS, "the bucket b"),
            action="s3:PutBucketNotification",
            Bucket="b",
            NotificationConfiguration={},
        )


def test_a_call_passes_its_arguments_and_returns_the_response() -> None:
    calls = FakeCalls({"get_role": {"Role": {}}})
    assert calls.do("iam", "get_role", "the role r", RoleName="r") == {"Role": {}}
    assert calls.clients.calls == [("get_role", {"RoleName": "r"})]


def test_an_emulator_that_does_not_answer_is_named() -> None:
    endpoint = "http://localhost:4566"
    error = EndpointConnectionError(endpoint_url=endpoint)
    calls = FakeCalls(clients=FakeClients({"get_role": error}, endpoint_url=endpoint))
    with pytest.raises(AwsError, match=f"AWS at {endpoint} does not answer iam:GetRole"):
        calls.do("iam", "get_role", "the role r", RoleName="r")


@pytest.mark.parametrize("service", DELETIONS)
def test_deleting_a_missing_resource_is_no_error(service: str) -> None:
    operation, arguments, error = DELETIONS[service]
    calls = FakeCalls({operation: error})
    calls.delete_if_exists(service, operation, "the resource x", **arguments)
    assert calls.clients.calls == [(operation, arguments)]


@pytest.mark.parametrize(
    "code", ["AccessDenied", "DeleteConflict", "ResourceConflictException", "Throttling"]
)
def test_any_other_error_of_a_deletion_is_raised(code: str) -> None:
    calls = FakeCalls({"delete_role": refusal(code)})
    with pytest.raises(AwsError, match=code):
        calls.delete_if_exists("iam", "delete_role", "the role r", RoleName="r")


# Retries


def get_role(calls: FakeCalls, messages: tuple[str, ...]) -> Any:
    return calls.retry_on(messages, lambda: calls.do("iam", "get_role", "the role r", RoleName="r"))


@pytest.mark.parametrize("message", [*ROLE_PROPAGATION, INVALID_DESTINATION])
def test_a_call_is_retried_until_the_change_has_propagated(message: str) -> None:
    time = FakeTime()
    calls = FakeCalls({"get_role": [refusal("X", f"It {message} yet.")] * 3 + ["response"]}, time)
    assert get_role(calls, (message,)) == "response"
    assert calls.clients.operations == ["get_role"] * 4
    assert time.pauses == [PROPAGATION_INTERVAL] * 3


def test_retries_end_with_the_error_of_aws_after_the_timeout() -> None:
    time = FakeTime()
    with pytest.raises(AwsError, match="cannot be assumed by Lambda"):
        get_role(FakeCalls({"get_role": NOT_YET}, time), ROLE_PROPAGATION)
    assert PROPAGATION_TIMEOUT <= time.now <= PROPAGATION_TIMEOUT + 2 * PROPAGATION_INTERVAL


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "InvalidParameterValueException", "ThrottlingException"]
)
def test_any_other_error_is_raised_immediately(code: str) -> None:
    time = FakeTime()
    calls = FakeCalls({"get_role": refusal(code, "The runtime is not supported.")}, time)
    with pytest.raises(AwsError, match="The runtime is not supported"):
        get_role(calls, (*ROLE_PROPAGATION, INVALID_DESTINATION))
    assert calls.clients.operations == ["get_role"]
    assert time.pauses == []


def test_a_successful_call_is_not_retried() -> None:
    time = FakeTime()
    assert FakeCalls(time=time).retry_on(("x",), lambda: "response") == "response"
    assert time.pauses == []


def test_retries_end_with_the_first_error_for_another_reason() -> None:
    calls = FakeCalls({"get_role": [NOT_YET, refusal("ServiceException", "broken")]})
    with pytest.raises(AwsError, match="broken"):
        get_role(calls, ROLE_PROPAGATION)
    assert calls.clients.operations == ["get_role", "get_role"]
