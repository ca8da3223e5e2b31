"""Reading the Lambda function."""

from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.aws.denials import policy_that_allows
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.functions import find_function
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import CODE, FakeClients, deployed, make_desired, not_none, refusal

DESIRED = make_desired(s3sync__vpc_subnet_ids="b a", s3sync__vpc_security_group_ids="c")
FUNCTION = not_none(deployed(DESIRED).function)


def answers(tags: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return Lambda's answer for the function as it was created."""
    configuration = {
        **FUNCTION.configuration,
        "FunctionArn": FUNCTION.arn,
        "CodeSha256": CODE,
        "Environment": {"Variables": FUNCTION.configuration["Environment"]},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "CodeSize": 1,
        **fields,
    }
    return {
        "get_function": {"Configuration": configuration, **(tags or {"Tags": dict(FUNCTION.tags)})},
    }


def test_a_created_function_equals_the_desired_one() -> None:
    clients = FakeClients(answers())
    assert find_function(Calls(clients), "sync") == FUNCTION
    assert clients.arguments("get_function") == {"FunctionName": "sync"}


def test_a_missing_function_is_none() -> None:
    clients = FakeClients({"get_function": refusal("ResourceNotFoundException", status=404)})
    assert find_function(Calls(clients), "sync") is None


def test_the_order_of_subnets_makes_no_difference() -> None:
    vpc = {"SubnetIds": ["b", "a"], "SecurityGroupIds": ["c"], "VpcId": "v"}
    assert find_function(Calls(FakeClients(answers(VpcConfig=vpc))), "sync") == FUNCTION


def test_ipv6_in_a_vpc_is_read_only_if_someone_allowed_it() -> None:
    for flag in (True, False):
        vpc = {"SubnetIds": ["a", "b"], "SecurityGroupIds": ["c"], "Ipv6AllowedForDualStack": flag}
        found = not_none(find_function(Calls(FakeClients(answers(VpcConfig=vpc))), "sync"))
        assert found.configuration["VpcConfig"].get("Ipv6AllowedForDualStack", False) is flag


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"State": "Failed", "StateReason": "the subnet is full"}, "the subnet is full"),
        ({"State": "Failed"}, "its creation failed"),
        ({"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no role"}, "no role"),
        ({"LastUpdateStatus": "Failed"}, "its last update failed"),
        ({"State": "Inactive"}, None),
    ],
)
def test_the_reason_of_a_failure_is_read(fields: dict[str, Any], failure: str | None) -> None:
    function = not_none(find_function(Calls(FakeClients(answers(**fields))), "sync"))
    assert function.failure == failure


@pytest.mark.parametrize("config", [None, {}, {"TargetArn": ""}, {"TargetArn": None}])
def test_a_dead_letter_target_that_was_removed_is_none(config: dict[str, Any] | None) -> None:
    function = not_none(find_function(Calls(FakeClients(answers(DeadLetterConfig=config))), "sync"))
    assert function.configuration["DeadLetterConfig"] == {}


def test_unreadable_tags_are_an_error() -> None:
    """Without its tags, an own function would look like a foreign one."""
    error = {"TagsError": {"ErrorCode": "AccessDeniedException", "Message": "not authorized"}}
    expected = (
        r"AccessDenied for lambda:ListTags on the function sync: allow it for the caller in IAM"
        r" \(not authorized\)"
    )
    with pytest.raises(AwsError, match=expected) as raised:
        find_function(Calls(FakeClients(answers(error))), "sync")
    assert raised.value.action == "lambda:ListTags"


def test_an_unreadable_environment_is_an_error() -> None:
    """It looks empty, so an update would delete foreign variables."""
    error = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "no kms:Decrypt"}}
    expected = r"the environment of the function sync cannot be read .*: allow kms:Decrypt for the caller"
    with pytest.raises(AwsError, match=expected) as raised:
        find_function(Calls(FakeClients(answers(Environment=error))), "sync")
    assert raised.value.action == "kms:Decrypt"


def test_the_key_of_an_unreadable_environment_is_named_and_offered() -> None:
    key = "arn:aws:kms:eu-west-1:111122223333:key/k"
    error = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "KMS access was denied"}}
    with pytest.raises(AwsError, match=f"which the key {key} encrypts") as raised:
        find_function(Calls(FakeClients(answers(Environment=error, KMSKeyArn=key))), "sync")
    (statement,) = not_none(policy_that_allows(raised.value))["Statement"]
    assert statement == {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}
