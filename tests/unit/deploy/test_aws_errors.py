"""What AWS refuses, in one line: the IAM action, the resource, the reason, the way out."""

import pytest
from botocore import exceptions as botocore

from pypicloud_s3sync.deploy.aws_errors import is_missing, translated
from pypicloud_s3sync.exceptions import AwsError, BundleError
from support.fakes import refusal

ACTION, RESOURCE = "lambda:CreateFunction", "the function sync"
EMULATOR = "http://localhost:4566"
WAYS_TO_GIVE_CREDENTIALS = ("environment", "~/.aws", "storage.aws_access_key_id")


def failure(error, endpoint=None):
    """What becomes of an error."""
    with pytest.raises(AwsError) as raised, translated(ACTION, RESOURCE, endpoint):
        raise error
    return raised.value


def connection_error():
    return botocore.EndpointConnectionError(endpoint_url=EMULATOR)


#: One of each class that boto3 raises, with what its line must say.
ERRORS = {
    "denied (IAM, S3)": (refusal("AccessDenied", "User: x is not authorized"), ["AccessDenied", "in IAM"]),
    "denied (Lambda, Logs)": (refusal("AccessDeniedException"), ["AccessDenied", "in IAM"]),
    "denied (EC2)": (refusal("UnauthorizedOperation"), ["AccessDenied", "in IAM"]),
    "denied (HEAD)": (refusal("403", "Forbidden"), ["AccessDenied", "in IAM"]),
    "expired": (refusal("ExpiredToken"), ["expired", "renew them"]),
    "expired (Lambda, Logs)": (refusal("ExpiredTokenException"), ["expired", "renew them"]),
    "expired request": (refusal("RequestExpired"), ["expired", "renew them"]),
    "unknown key (STS, IAM)": (refusal("InvalidClientTokenId"), WAYS_TO_GIVE_CREDENTIALS),
    "unknown key (Lambda, Logs)": (refusal("UnrecognizedClientException"), WAYS_TO_GIVE_CREDENTIALS),
    "unknown key (S3)": (refusal("InvalidAccessKeyId"), WAYS_TO_GIVE_CREDENTIALS),
    "wrong secret": (refusal("SignatureDoesNotMatch"), WAYS_TO_GIVE_CREDENTIALS),
    "wrong secret (Logs)": (refusal("InvalidSignatureException"), WAYS_TO_GIVE_CREDENTIALS),
    "no credentials": (botocore.NoCredentialsError(), WAYS_TO_GIVE_CREDENTIALS),
    "half of the credentials": (
        botocore.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        WAYS_TO_GIVE_CREDENTIALS,
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
        botocore.SSLError(endpoint_url="https://lambda.example", error="certificate"),
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


@pytest.mark.parametrize(("error", "says"), ERRORS.values(), ids=ERRORS)
def test_each_failure_names_the_action_the_resource_and_what_to_do(error, says):
    said = str(failure(error))
    for expected in (ACTION, RESOURCE, *says):
        assert expected in said, said


@pytest.mark.parametrize(("error", "says"), ERRORS.values(), ids=ERRORS)
def test_each_failure_is_one_line_with_its_cause(error, says):
    raised = failure(error)
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
def test_a_login_that_is_over_is_one_line_too(error):
    said = str(failure(error))
    assert "\n" not in said
    assert "expired" in said or "login" in said or "SSO" in said


@pytest.mark.parametrize("message", ["a\nb", "a\r\n\tb\n", "a  b"])
def test_no_line_break_of_aws_gets_through(message):
    for code in ("AccessDenied", "ThrottlingException"):
        said = str(failure(refusal(code, message)))
        assert "a b" in said
        assert "\n" not in said
        assert "\r" not in said


def test_an_error_without_a_message_is_told_too():
    error = botocore.ClientError({"Error": {"Code": "ServiceUnavailable"}}, "Operation")
    assert "ServiceUnavailable: no reason given" in str(failure(error))


def test_the_code_of_aws_goes_along():
    assert failure(refusal("ThrottlingException")).code == "ThrottlingException"
    assert failure(connection_error()).code == ""
    assert failure(botocore.NoCredentialsError()).code == ""


def test_an_emulator_that_does_not_answer_is_named_with_what_starts_it():
    said = str(failure(connection_error(), EMULATOR))
    assert f"AWS at {EMULATOR} does not answer" in said
    assert "pserve development.ini" in said
    assert "check the network" not in said


def test_without_an_emulator_none_is_spoken_of():
    assert "emulator" not in str(failure(connection_error()))


PASS_ROLE = (
    "User: arn:aws:iam::1:user/u is not authorized to perform: iam:PassRole on resource:"
    " arn:aws:iam::1:role/r because no identity-based policy allows the iam:PassRole action"
)


def test_a_role_that_may_not_be_passed_is_named_by_the_right_to_pass_it():
    """Lambda refuses CreateFunction itself there; what must be allowed is another action."""
    said = str(failure(refusal("AccessDeniedException", PASS_ROLE)))
    assert said.startswith(
        "AccessDenied for iam:PassRole on arn:aws:iam::1:role/r: allow it to the caller in IAM"
    )


@pytest.mark.parametrize("action", ["lambda:CreateFunction", "lambda:createFunction"])
def test_our_own_words_for_a_resource_are_kept_where_the_action_is_ours(action):
    message = PASS_ROLE.replace("iam:PassRole", action)
    said = str(failure(refusal("AccessDeniedException", message)))
    assert said.startswith("AccessDenied for lambda:CreateFunction on the function sync: allow it")


def test_the_environment_that_lambda_repeats_where_it_is_too_large_is_left_out():
    message = (
        "Lambda was unable to configure your environment variables because the environment variables you have"
        " provided exceeded the 4KB limit. String measured:"
        ' {"PYPICLOUD_SETTINGS":"{\\"db.url\\":\\"hunter2\\"}"}'
    )
    said = str(failure(refusal("InvalidParameterValueException", message)))
    assert "exceeded the 4KB limit" in said
    assert "hunter2" not in said


def test_errors_that_are_none_of_awss_pass_as_they_are():
    for error in (BundleError("x"), KeyError("y"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as raised, translated(ACTION, RESOURCE):
            raise error
        assert raised.value is error


def test_nothing_happens_where_nothing_fails():
    with translated(ACTION, RESOURCE):
        pass


@pytest.mark.parametrize(
    "code", ["404", "NoSuchBucket", "NoSuchEntity", "ResourceNotFoundException", "NotFound"]
)
def test_what_is_not_there_is_missing(code):
    assert is_missing(refusal(code, status=404))


@pytest.mark.parametrize(
    "code", ["403", "AccessDenied", "ThrottlingException", "500", "ResourceConflictException"]
)
def test_whatever_else_fails_is_not_missing(code):
    assert not is_missing(refusal(code))


def test_what_boto3_raises_for_real_is_translated():
    """Without credentials in the environment, as a first user sees it."""
    import boto3

    client = boto3.client("sts", region_name="eu-west-1")
    with (
        pytest.raises(AwsError, match="no AWS credentials for sts:GetCallerIdentity on the caller"),
        translated("sts:GetCallerIdentity", "the caller"),
    ):
        client.get_caller_identity()


def test_a_call_with_wrong_arguments_is_one_line_for_real():
    import boto3

    client = boto3.client("lambda", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with pytest.raises(AwsError) as raised, translated(ACTION, RESOURCE):
        client.create_function(FunctionName=1, Role=2)
    assert "\n" not in str(raised.value)
    assert "FunctionName" in str(raised.value)
