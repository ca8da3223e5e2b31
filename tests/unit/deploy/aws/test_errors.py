"""Translating the errors of AWS clients: one line with action, resource, reason and remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
import pytest
from botocore import exceptions as botocore

from pypicloud_s3sync.deploy.aws.errors import iam_action, is_missing, translated
from pypicloud_s3sync.exceptions import AwsError, BundleError
from support.fakes import refusal

ACTION, RESOURCE = "lambda:CreateFunction", "the function sync"
EMULATOR = "http://localhost:4566"
WAYS_TO_SET_CREDENTIALS = ("environment", "~/.aws", "storage.aws_access_key_id")


def translate(error: BaseException, endpoint: str | None = None) -> AwsError:
    """Return the AwsError that an error is translated to."""
    with pytest.raises(AwsError) as raised, translated(ACTION, RESOURCE, endpoint):
        raise error
    return raised.value


def connection_error() -> botocore.EndpointConnectionError:
    return botocore.EndpointConnectionError(endpoint_url=EMULATOR)


#: An error of each kind that boto3 raises, with fragments of its translated message.
ERRORS: dict[str, tuple[Exception, Sequence[str]]] = {
    "denied (IAM, S3)": (refusal("AccessDenied", "User: x is not authorized"), ["AccessDenied", "in IAM"]),
    "denied (Lambda, Logs)": (refusal("AccessDeniedException"), ["AccessDenied", "in IAM"]),
    "denied (EC2)": (refusal("UnauthorizedOperation"), ["AccessDenied", "in IAM"]),
    "denied (HEAD)": (refusal("403", "Forbidden"), ["AccessDenied", "in IAM"]),
    "expired": (refusal("ExpiredToken"), ["expired", "renew them"]),
    "expired (Lambda, Logs)": (refusal("ExpiredTokenException"), ["expired", "renew them"]),
    "expired request": (refusal("RequestExpired"), ["expired", "renew them"]),
    "unknown key (STS, IAM)": (refusal("InvalidClientTokenId"), WAYS_TO_SET_CREDENTIALS),
    "unknown key (Lambda, Logs)": (refusal("UnrecognizedClientException"), WAYS_TO_SET_CREDENTIALS),
    "unknown key (S3)": (refusal("InvalidAccessKeyId"), WAYS_TO_SET_CREDENTIALS),
    "wrong secret": (refusal("SignatureDoesNotMatch"), WAYS_TO_SET_CREDENTIALS),
    "wrong secret (Logs)": (refusal("InvalidSignatureException"), WAYS_TO_SET_CREDENTIALS),
    "no credentials": (botocore.NoCredentialsError(), WAYS_TO_SET_CREDENTIALS),
    "half of the credentials": (
        botocore.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        WAYS_TO_SET_CREDENTIALS,
    ),
    "no region": (botocore.NoRegionError(), ["no AWS region", "-r"]),
    "no connection": (connection_error(), ["does not answer", "check the network"]),
    "no answer": (
        botocore.ReadTimeoutError(endpoint_url="https://lambda.example"),
        ["does not answer", "check the network"],
    ),
    "no connection in time": (
        botocore.ConnectTimeoutError(endpoint_url="https://lambda.example"),
        ["does not answer", "check the network"],
    ),
    "TLS": (
        botocore.SSLError(endpoint_url="https://lambda.example", error=Exception("certificate")),
        ["does not answer", "certificate"],
    ),
    "a proxy": (
        botocore.ProxyConnectionError(proxy_url="http://proxy.example"),
        ["does not answer", "proxy.example"],
    ),
    "closed": (
        botocore.ConnectionClosedError(endpoint_url="https://lambda.example"),
        ["does not answer", "check the network"],
    ),
    "throttled": (refusal("ThrottlingException", "Rate exceeded"), ["ThrottlingException", "Rate exceeded"]),
    "throttled (Lambda)": (
        refusal("TooManyRequestsException", "Rate exceeded"),
        ["TooManyRequestsException", "Rate exceeded"],
    ),
    "refused": (
        refusal("InvalidParameterValueException", "Memory"),
        ["InvalidParameterValueException", "Memory"],
    ),
    "missing": (refusal("NoSuchEntity", "Role x not found."), ["NoSuchEntity", "Role x not found."]),
    "without a reason": (refusal("InternalFailure", ""), ["InternalFailure", "no reason given"]),
    "an argument": (
        botocore.ParamValidationError(report='Missing required parameter: "X"\nUnknown parameter: "Y"'),
        ["failed", 'parameter: "X"', 'parameter: "Y"'],
    ),
    "anything else": (botocore.UnknownServiceError(service_name="x", known_service_names="y"), ["failed"]),
}


@pytest.mark.parametrize(("error", "fragments"), ERRORS.values(), ids=ERRORS)
def test_each_message_names_the_action_the_resource_and_the_remedy(
    error: Exception, fragments: Sequence[str]
) -> None:
    message = str(translate(error))
    for expected in (ACTION, RESOURCE, *fragments):
        assert expected in message, message


@pytest.mark.parametrize(("error", "fragments"), ERRORS.values(), ids=ERRORS)
def test_each_message_is_one_line_and_keeps_its_cause(error: Exception, fragments: Sequence[str]) -> None:
    raised = translate(error)
    assert "\n" not in str(raised)
    assert str(raised) == str(raised).strip()
    assert raised.__cause__ is error
    assert raised.action == ACTION


@pytest.mark.parametrize(
    "error",
    [
        botocore.TokenRetrievalError(provider="sso", error_msg="Token has\nexpired"),
        botocore.UnauthorizedSSOTokenError(),
        botocore.SSOTokenLoadError(error_msg="no such file"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_expired_login_is_one_line(error: Exception) -> None:
    message = str(translate(error))
    assert "\n" not in message
    assert "expired" in message or "login" in message or "SSO" in message


@pytest.mark.parametrize("message", ["a\nb", "a\r\n\tb\n", "a  b"])
def test_line_breaks_in_aws_messages_are_removed(message: str) -> None:
    for code in ("AccessDenied", "ThrottlingException"):
        translated_message = str(translate(refusal(code, message)))
        assert "a b" in translated_message
        assert "\n" not in translated_message
        assert "\r" not in translated_message


def test_an_error_without_a_message_is_translated() -> None:
    error = botocore.ClientError({"Error": {"Code": "ServiceUnavailable"}}, "Operation")
    assert "ServiceUnavailable: no reason given" in str(translate(error))


def test_the_error_keeps_the_code_of_aws() -> None:
    assert translate(refusal("ThrottlingException")).code == "ThrottlingException"
    assert translate(connection_error()).code == ""
    assert translate(botocore.NoCredentialsError()).code == ""


def test_an_emulator_that_does_not_answer_is_named_with_the_command_that_starts_it() -> None:
    message = str(translate(connection_error(), EMULATOR))
    assert f"AWS at {EMULATOR} does not answer" in message
    assert "python -m pypicloud_s3sync.embedded " in message
    assert "check the network" not in message


def test_the_emulator_is_not_mentioned_without_an_endpoint() -> None:
    assert "emulator" not in str(translate(connection_error()))


#: https://github.com/aws-samples/aws-security-hub-findings-export/issues/5
PASS_ROLE = (
    "User: arn:aws:iam::1:user/u is not authorized to perform: iam:PassRole on resource:"
    " arn:aws:iam::1:role/r because no identity-based policy allows the iam:PassRole action"
)


def test_a_denied_action_other_than_the_called_one_is_named() -> None:
    """Lambda denies CreateFunction if the caller lacks iam:PassRole."""
    message = str(translate(refusal("AccessDeniedException", PASS_ROLE)))
    assert message.startswith(
        "AccessDenied for iam:PassRole on arn:aws:iam::1:role/r: allow it for the caller in IAM"
    )


@pytest.mark.parametrize("action", ["lambda:CreateFunction", "lambda:createFunction"])
def test_the_resource_keeps_its_plain_name_if_the_called_action_is_denied(action: str) -> None:
    denial = PASS_ROLE.replace("iam:PassRole", action)
    message = str(translate(refusal("AccessDeniedException", denial)))
    assert message.startswith("AccessDenied for lambda:CreateFunction on the function sync: allow it")


def test_an_environment_quoted_by_lambda_is_left_out() -> None:
    refused = (
        "Lambda was unable to configure your environment variables because the environment variables you have"
        " provided exceeded the 4KB limit. String measured:"
        ' {"PYPICLOUD_SETTINGS":"{\\"db.url\\":\\"hunter2\\"}"}'
    )
    message = str(translate(refusal("InvalidParameterValueException", refused)))
    assert "exceeded the 4KB limit" in message
    assert "hunter2" not in message


def test_a_right_that_the_function_s_role_lacks_is_not_blamed_on_the_caller() -> None:
    reason = "The provided execution role does not have permissions to call SendMessage on SQS"
    message = str(translate(refusal("InvalidParameterValueException", reason)))
    assert message.endswith(f"{reason}; allow it in the policy of the function's role")


def test_other_errors_are_not_translated() -> None:
    errors: tuple[BaseException, ...] = (BundleError("x"), KeyError("y"), KeyboardInterrupt())
    for error in errors:
        with pytest.raises(type(error)) as raised, translated(ACTION, RESOURCE):
            raise error
        assert raised.value is error


def test_nothing_is_raised_without_an_error() -> None:
    with translated(ACTION, RESOURCE):
        pass


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("iam", "get_role", "iam:GetRole"),
        ("sqs", "get_queue_url", "sqs:GetQueueUrl"),
        ("lambda", "list_event_source_mappings", "lambda:ListEventSourceMappings"),
    ],
)
def test_an_operation_has_an_iam_action(service: str, operation: str, action: str) -> None:
    assert iam_action(service, operation) == action


@pytest.mark.parametrize(
    "code", ["404", "NoSuchBucket", "NoSuchEntity", "ResourceNotFoundException", "NotFound"]
)
def test_a_code_that_means_a_missing_resource_is_recognised(code: str) -> None:
    assert is_missing(refusal(code, status=404))


@pytest.mark.parametrize(
    "code", ["403", "AccessDenied", "ThrottlingException", "500", "ResourceConflictException"]
)
def test_any_other_code_does_not_mean_a_missing_resource(code: str) -> None:
    assert not is_missing(refusal(code))


def test_missing_credentials_in_a_real_client_are_translated() -> None:
    """The environment of the tests has no credentials, like that of a new user."""
    client = boto3.client("sts", region_name="eu-west-1")
    with (
        pytest.raises(AwsError, match="no AWS credentials for sts:GetCallerIdentity on the caller"),
        translated("sts:GetCallerIdentity", "the caller"),
    ):
        client.get_caller_identity()


def test_invalid_arguments_of_a_real_client_are_one_line() -> None:
    client: Any = boto3.client(
        "lambda", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with pytest.raises(AwsError) as raised, translated(ACTION, RESOURCE):
        client.create_function(FunctionName=1, Role=2)
    assert "\n" not in str(raised.value)
    assert "FunctionName" in str(raised.value)
