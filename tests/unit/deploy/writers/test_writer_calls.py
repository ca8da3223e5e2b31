"""Calling operations that change AWS: arguments and error messages."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError

from pypicloud_s3sync.exceptions import AwsError
from support.fakes import FakeCalls, FakeClients, refusal

PUT_NOTIFICATIONS = "put_bucket_notification_configuration"
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
