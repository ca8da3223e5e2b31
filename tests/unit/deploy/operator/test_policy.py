"""The policy of an operator: limited to what the settings name, and to the features that they use."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.resources import replication_role_name, resource_names
from pypicloud_s3sync.deploy.operator.policy import Purpose, operator_policy, policy_for_reading
from pypicloud_s3sync.deploy.operator.scope import ANY, Scope, scope_of
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import ACCOUNT, BUCKET, IDENTITY, REGION, make_settings
from support.policies import DIRECTORY, actions_of, as_list, documented_policies

READING = ("Get", "List", "Describe", "Filter", "BatchGet", "Simulate")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/teams/packages/sync"
VPC = {"s3sync__vpc_subnet_ids": "subnet-1", "s3sync__vpc_security_group_ids": "sg-1"}
REDIS: dict[str, str | None] = {
    "pypi__db": "redis",
    "db__url": "redis://cache.example",
    "db__region_name": None,
}


def statements(
    *purposes: Purpose, account: str | None = ACCOUNT, **changes: str | None
) -> dict[str, dict[str, Any]]:
    """Return the statements of a policy by their ids."""
    settings = make_settings(**changes)
    policy = operator_policy(settings, purposes or [Purpose.ENABLE], scope_of(settings, account))
    return {statement["Sid"]: statement for statement in policy["Statement"]}


@pytest.mark.parametrize("delivery", ["direct", "eventbridge"])
@pytest.mark.parametrize("cache", [{}, REDIS], ids=["dynamo", "redis"])
def test_the_whole_policy_fits_into_a_role_and_each_half_into_a_managed_policy(
    cache: dict[str, str | None], delivery: str
) -> None:
    """IAM does not count spaces: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html."""
    found = statements(
        *(Purpose.ENABLE, Purpose.PANEL),
        **{**cache, **VPC, "s3sync__reconcile_schedule": "rate(1 day)", "s3sync__delivery": delivery},
        s3sync__function_name="f" * 64,
        storage__bucket="b" * 63,
        storage__prefix="env=prod/my packages/",
    )
    reading = [statement for sid, statement in found.items() if sid.startswith("Read")]
    writing = [statement for sid, statement in found.items() if not sid.startswith("Read")]
    assert size([*reading, *writing]) <= 10_240
    assert max(size(reading), size(writing)) <= 6_144


def size(chosen: list[dict[str, Any]]) -> int:
    return len(re.sub(r"\s", "", json.dumps({"Version": "2012-10-17", "Statement": chosen})))


def resources(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    for statement in found.values():
        yield from as_list(statement["Resource"])


def test_it_names_the_resources_exactly() -> None:
    found = statements(s3sync__delivery="sqs")
    roles = found["WriteRole"]["Resource"]
    for role, name in zip(roles, ["sync", "sync-spare"], strict=True):
        assert role.startswith(f"arn:aws:iam::{ACCOUNT}:role/pypicloud-s3sync/{name}-{REGION}-{BUCKET}-")
    assert found["PassRoleToLambda"]["Resource"] == roles
    assert found["WriteFunction"]["Resource"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sync"
    assert found["ReadTables"]["Resource"] == [
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/DynamoPackage",
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/PackageSummary",
    ]
    # None of these actions can be limited to a resource, or only to all of a kind.
    unlimited = {sid for sid, statement in found.items() if "*" in as_list(statement["Resource"])}
    assert unlimited == {"ReadMetrics", "ReadMappings", "WriteMapping", "FindTables", "ReadScaling"}


@pytest.mark.parametrize(
    ("purposes", "writes", "reads_log"),
    [
        ([Purpose.ENABLE], True, False),
        ([Purpose.STATUS], False, False),
        ([Purpose.PANEL], False, True),
        ([Purpose.ENABLE, Purpose.PANEL], True, True),
        ([Purpose.PANEL, Purpose.STATUS], False, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("delivery", ["direct", "sqs", "eventbridge"])
def test_each_purpose_allows_what_it_needs(
    purposes: list[Purpose], writes: bool, reads_log: bool, delivery: str
) -> None:
    found = statements(*purposes, s3sync__delivery=delivery, **VPC)
    assert ("ReadLog" in found) is reads_log
    for name in ("WriteFunction", "PassRoleToLambda", "UploadLargeBundle", "DescribeNetwork"):
        assert (name in found) is writes
    changes = {
        action
        for statement in found.values()
        for action in actions_of(statement)
        # The function changes nothing either if it is asked: it only looks at the bucket.
        if not action.partition(":")[2].startswith(READING) and statement["Sid"] != "InvokeFunction"
    }
    assert bool(changes) is writes
    assert "ReadQueues" in found
    examines = Purpose.STATUS in purposes or writes
    assert ("ReadRegions" in found) == ("InvokeFunction" in found) == examines
    for name in ("WriteQueues", "WriteMapping", "ReplayFailedEvents"):
        assert (name in found) is writes
    assert ("WriteRule" in found) is (writes and delivery == "eventbridge")


def test_comparing_reads_packages_and_rows_and_nothing_else() -> None:
    found = statements(Purpose.COMPARE, storage__prefix="packages/")
    assert set(found) == {"ListPackages", "LookAtPackages", "ReadRows", "FindTables"}
    assert found["LookAtPackages"]["Resource"] == f"arn:aws:s3:::{BUCKET}/packages/*"
    reading = "Get", "List", "Describe", "BatchGet", "Query", "Scan"
    for statement in found.values():
        for action in actions_of(statement):
            assert action.partition(":")[2].startswith(reading), action
    assert set(statements(Purpose.COMPARE, **REDIS)) == {"ListPackages", "LookAtPackages"}
    assert {"ReadFunction", "ReadRows"} <= statements(Purpose.COMPARE, Purpose.STATUS).keys()


def test_the_network_is_seen_only_for_a_function_in_a_vpc() -> None:
    assert "DescribeNetwork" not in statements()
    assert set(actions_of(statements(**VPC)["DescribeNetwork"])) == {
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    }


def test_a_role_of_the_settings_is_only_read_and_passed() -> None:
    found = statements(account=None, s3sync__role_arn=ROLE)
    assert "WriteRole" not in found
    assert found["PassRoleToLambda"]["Resource"] == ROLE
    assert ROLE in found["ReadRole"]["Resource"]
    changes = [action for each in found.values() for action in actions_of(each) if action.startswith("iam:")]
    assert set(changes) == {
        *("iam:GetRole", "iam:GetRolePolicy", "iam:PassRole", "iam:SimulatePrincipalPolicy")
    }
    assert found["SimulateRole"]["Resource"] == ROLE
    # The role tells the account too.
    assert found["WriteFunction"]["Resource"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sync"


def test_the_tables_are_named_only_if_the_operator_reads_them() -> None:
    assert "ReadTables" not in statements(**REDIS)
    keys = {"db__aws_access_key_id": "AKIA", "db__aws_secret_access_key": "secret"}
    assert "ReadTables" not in statements(**keys), "other credentials read the tables"
    named = statements(db__namespace="eu-", db__region_name="eu-north-1")["ReadTables"]["Resource"]
    assert named[0] == f"arn:aws:dynamodb:eu-north-1:{ACCOUNT}:table/eu-DynamoPackage"


def test_the_parameter_is_named_only_for_caches_that_may_have_a_password() -> None:
    assert not {"ReadParameter", "WriteParameter"} & statements().keys()
    found = statements(**REDIS)
    name = resource_names(make_settings(**REDIS), REGION).parameter
    assert found["ReadParameter"]["Resource"] == f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"
    assert "WriteParameter" in found
    assert "WriteParameter" not in statements(Purpose.STATUS, **REDIS)


def test_a_bundle_in_a_bucket_may_be_read() -> None:
    found = statements(s3sync__bundle="s3://releases/sync/1.zip")
    assert found["ReadBundle"]["Resource"] == "arn:aws:s3:::releases/sync/1.zip"
    found = statements(s3sync__bundle="s3://releases/a*b.zip")
    assert found["ReadBundle"]["Resource"] == "arn:aws:s3:::releases/a${*}b.zip"
    assert "ReadBundle" not in statements(s3sync__bundle="/srv/sync.zip")


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), (REGION, "aws")]
)
def test_the_partition_is_that_of_the_region(region: str, partition: str) -> None:
    found = statements(storage__region_name=region, db__region_name=region)
    assert all(each == "*" or each.startswith(f"arn:{partition}:") for each in resources(found))


def test_what_is_not_known_is_any_in_the_parts_of_an_arn_that_may_be() -> None:
    """IAM allows a wildcard in any part of an ARN but the service; the names are patterns then."""
    found = statements(account=None, storage__region_name=None, s3sync__delivery="eventbridge", **REDIS)
    for arn in resources(found):
        if arn == "*":
            continue
        _, partition, service, region, account, resource = arn.split(":", 5)
        assert partition == "aws"
        assert service
        assert region == ("" if service in ("iam", "s3") else ANY)
        assert account == ("" if service == "s3" else ANY)
        # The buckets of other regions, and the role that S3 replicates with, are not known either.
        assert "sync" in resource or BUCKET in resource or resource in ("log-group:*", "*", "role/*")
    assert f"arn:aws:events:{ANY}:{ANY}:rule/sync-*" in found["WriteRule"]["Resource"]


def test_a_given_account_is_used() -> None:
    assert scope_of(make_settings(), "999999999999") == Scope("aws", "999999999999", REGION)


@pytest.mark.parametrize("name", documented_policies())
def test_the_documents_of_the_documentation_are_made_by_the_same_code(name: str) -> None:
    wanted = documented_policies()[name]
    message = f"tests/policies/{name} is out of date: run `python -m support.policies` in tests/"
    assert (DIRECTORY / name).read_text() == wanted, message


# The rights of reading that a denial offers


def offered(action: str, **changes: str) -> dict[str, Any]:
    error = AwsError("m", "AccessDenied", action)
    return policy_for_reading(make_settings(**changes), IDENTITY, REGION, error)


@pytest.mark.parametrize("delivery", ["direct", "sqs", "eventbridge"])
def test_a_denied_read_offers_all_rights_of_reading_and_none_of_writing(delivery: str) -> None:
    for statement in offered("iam:GetRole", s3sync__delivery=delivery)["Statement"]:
        for action in actions_of(statement):
            assert action.split(":")[1].startswith(("Get", "List", "Describe", "Filter")), action


def test_an_action_beyond_reading_is_added() -> None:
    *reading, added = offered("kms:Decrypt")["Statement"]
    assert reading == offered("iam:GetRole")["Statement"]
    keys = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*"
    assert added == {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [keys]}


# Replication


def test_replication_needs_nothing_of_the_function_and_only_its_own_bucket_and_role() -> None:
    found = statements(Purpose.REPLICATE)
    bucket = f"arn:aws:s3:::{BUCKET}"
    role = f"arn:aws:iam::{ACCOUNT}:role/pypicloud-s3sync/{replication_role_name(BUCKET, REGION)}"
    assert {sid: as_list(item["Resource"])[0] for sid, item in found.items()} == {
        "ReadReplication": bucket,
        "ReadReplicationRole": role,
        "WriteReplication": bucket,
        "WriteReplicationRole": role,
        "PassRoleToS3": role,
    }
    assert found["PassRoleToS3"]["Condition"] == {"StringEquals": {"iam:PassedToService": "s3.amazonaws.com"}}
    both = statements(Purpose.REPLICATE, Purpose.ENABLE)
    assert both.keys() > found.keys()
    assert "WriteFunction" in both


def test_a_role_for_replication_in_a_region_that_is_not_known_is_named_by_its_pattern() -> None:
    found = statements(Purpose.REPLICATE, storage__region_name=None)
    assert found["PassRoleToS3"]["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/pypicloud-s3sync/replication-*"


def test_a_denied_read_of_the_replication_offers_the_reading_rights_of_it_only() -> None:
    error = AwsError("no", "AccessDenied", "s3:GetReplicationConfiguration")
    policy = policy_for_reading(make_settings(), IDENTITY, REGION, error, [Purpose.REPLICATE])
    assert [statement["Sid"] for statement in policy["Statement"]] == [
        "ReadReplication",
        "ReadReplicationRole",
    ]


@pytest.mark.parametrize("changes", [{}, REDIS, VPC], ids=["DynamoDB", "Redis", "VPC"])
@pytest.mark.parametrize("pair", list(itertools.permutations(Purpose, 2)), ids=" and ".join)
def test_a_policy_for_two_purposes_allows_what_each_of_them_needs(
    pair: tuple[Purpose, Purpose], changes: dict[str, str | None]
) -> None:
    together = [right for statement in statements(*pair, **changes).values() for right in _rights(statement)]
    for purpose in pair:
        for sid, statement in statements(purpose, **changes).items():
            for action, resource in _rights(statement):
                allowed = [pattern for granted, pattern in together if granted == action]
                assert any(fnmatchcase(resource, pattern) for pattern in allowed), f"{action} of {sid}"


def _rights(statement: dict[str, Any]) -> set[tuple[str, str]]:
    return set(itertools.product(as_list(statement["Action"]), as_list(statement["Resource"])))


def test_snap_start_takes_the_versions_and_the_alias_of_this_function_only() -> None:
    found, plain = statements(s3sync__snap_start="true"), statements()
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sync"
    for sid in ("ReadVersions", "WriteVersions"):
        assert found[sid]["Resource"] == [function, f"{function}:*"]
        assert sid not in plain
    assert "lambda:PublishVersion" in found["WriteVersions"]["Action"]
    invoked = [function, f"{function}:pypicloud-s3sync"]
    assert found["InvokeFunction"]["Resource"] == invoked
    assert found["WriteMapping"]["Condition"] == {"ArnEquals": {"lambda:FunctionArn": invoked}}
    assert plain["InvokeFunction"]["Resource"] == function
    assert "WriteVersions" not in statements(Purpose.STATUS, s3sync__snap_start="true")
