"""The enforcement of policies in the tests denies what AWS denies, and AWS's reference can contradict it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from support.iam.enforcement import allow_all
from support.iam.reference import contradictions
from support.iam.requests import requests_of
from support.iam.values import Account, Request

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:sync"
ROLE = "arn:aws:iam::123456789012:role/pypicloud-s3sync/sync"
MAPPING = "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:uuid"
CREATE_FUNCTION = {"FunctionName": "sync", "Role": ROLE, "Code": {"ZipFile": b""}}


def account(
    role_paths: Mapping[str, str] = MappingProxyType({}),
    mapped_functions: Mapping[str, str] = MappingProxyType({}),
) -> Account:
    return Account("123456789012", "eu-west-1", role_paths.get, mapped_functions)


def policy(action: str, resource: str, **condition: Any) -> dict[str, Any]:
    statement = {"Sid": "Only", "Effect": "Allow", "Action": [action], "Resource": resource}
    return {"Statement": [{**statement, "Condition": condition} if condition else statement]}


def test_a_right_on_another_resource_does_not_allow_a_call() -> None:
    request = Request("lambda:GetFunction", FUNCTION)
    assert allow_all(policy("lambda:GetFunction", FUNCTION), [request])
    assert not allow_all(policy("lambda:GetFunction", f"{FUNCTION}-2"), [request])
    assert not allow_all(policy("lambda:GetPolicy", FUNCTION), [request])


def test_a_mapping_of_another_function_is_not_allowed() -> None:
    known = account(mapped_functions={"uuid": f"{FUNCTION}-2", "own": FUNCTION})
    allowed = policy("lambda:DeleteEventSourceMapping", "*", ArnEquals={"lambda:FunctionArn": [FUNCTION]})
    own = requests_of("lambda", "DeleteEventSourceMapping", {"UUID": "own"}, known)
    other = requests_of("lambda", "DeleteEventSourceMapping", {"UUID": "uuid"}, known)
    assert [each.resource for each in other] == [MAPPING]
    assert allow_all(allowed, own)
    assert not allow_all(allowed, other)


def test_a_role_may_be_passed_only_to_the_service_of_the_condition() -> None:
    (passing,) = [
        request
        for request in requests_of("lambda", "CreateFunction", CREATE_FUNCTION, account())
        if request.action == "iam:PassRole"
    ]
    condition = {"iam:PassedToService": "lambda.amazonaws.com"}
    assert allow_all(policy("iam:PassRole", ROLE, StringEquals=condition), [passing])
    condition = {"iam:PassedToService": "ec2.amazonaws.com"}
    assert not allow_all(policy("iam:PassRole", ROLE, StringEquals=condition), [passing])


@pytest.mark.parametrize(
    ("operation", "parameters", "actions"),
    [
        ("CreateFunction", CREATE_FUNCTION, ["lambda:CreateFunction", "iam:PassRole"]),
        ("CreateFunction", {**CREATE_FUNCTION, "Tags": {"a": "b"}}, ["lambda:TagResource"]),
        (
            "CreateFunction",
            {**CREATE_FUNCTION, "VpcConfig": {"SubnetIds": ["subnet-1"]}},
            ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"],
        ),
        (
            "UpdateFunctionCode",
            {"FunctionName": "sync", "S3Bucket": "b", "S3Key": "k"},
            ["lambda:UpdateFunctionCode", "s3:GetObject"],
        ),
        ("GetFunction", {"FunctionName": "sync"}, ["lambda:GetFunction", "lambda:ListTags"]),
    ],
)
def test_a_call_needs_more_than_its_own_action(
    operation: str, parameters: dict[str, Any], actions: list[str]
) -> None:
    found = [request.action for request in requests_of("lambda", operation, parameters, account())]
    assert set(actions) <= set(found)


def test_the_path_of_a_role_is_checked_only_if_the_role_exists() -> None:
    known = account(role_paths={"sync": "/pypicloud-s3sync/"})
    assert requests_of("iam", "GetRole", {"RoleName": "sync"}, known)[0].resource == ROLE
    (request,) = requests_of("iam", "GetRole", {"RoleName": "sync"}, account())
    assert request.resource == "arn:aws:iam::123456789012:role/sync"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request("lambda:GetFunctions", FUNCTION), "lambda:GetFunctions does not exist"),
        (Request("lambda:getFunction", FUNCTION), "is spelled GetFunction"),
        (Request("lambda:GetFunction", "*"), "supports resources"),
        (Request("lambda:GetFunction", ROLE), "is not for"),
        (Request("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:a:b"), "is not for"),
        (Request("iam:GetRole", ROLE, {"iam:PassedToService": "x"}), "has no condition key"),
        (Request("lambda:ListEventSourceMappings", MAPPING), "is not for"),
        (Request("s3:ListBucket", "arn:aws:s3:::bucket/key"), "is not for"),
    ],
)
def test_the_reference_contradicts_a_wrong_request(request_: Request, said: str) -> None:
    (line,) = contradictions([request_])
    assert said in line


def test_the_reference_does_not_contradict_a_right_request() -> None:
    right = [
        Request("lambda:GetFunction", FUNCTION),
        Request("lambda:GetFunction", f"{FUNCTION}:live"),
        Request("iam:PassRole", ROLE, {"iam:PassedToService": "x"}),
        Request("lambda:ListEventSourceMappings", "*"),
    ]
    assert contradictions(right) == []
