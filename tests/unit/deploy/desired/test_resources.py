"""Deriving the desired resources from the settings."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.desired.resources import desire, function_arn, resource_names
from pypicloud_s3sync.deploy.desired.tags import DELIVERY_TAG, OWNER_TAG
from pypicloud_s3sync.deploy.models import Identity
from support.fakes import (
    ACCOUNT,
    BUCKET,
    FINGERPRINT,
    IDENTITY,
    REGION,
    make_desired,
    make_settings,
    not_none,
)

POLICIES = Path(__file__).parents[3] / "policies"
LONG = {"s3sync__function_name": "f" * 64, "storage__bucket": "b" * 63}
GIVEN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/teams/given"
#: The names that IAM, Lambda and S3 accept: botocore's models of iam, lambda, s3.
ALLOWED = {
    "role": r"[\w+=,.@-]{1,64}",
    "statement": r"[A-Za-z0-9_-]{1,100}",
    "notification": r"[ -~]{1,255}",
    "log_group": r"[.\-_/#A-Za-z0-9]{1,512}",
    "function": r"[A-Za-z0-9_-]{1,64}",
    "role_path": r"/[!-~]+/",
}


# Names


@pytest.mark.parametrize(
    "changes",
    [
        {},
        LONG,
        {"storage__bucket": "my.bucket.example"},
        {"s3sync__function_name": "f"},
        {"s3sync__function_name": "A_b-9"},
    ],
    ids=str,
)
def test_each_service_accepts_the_names(changes: dict[str, str]) -> None:
    names = resource_names(make_settings(**changes), "ap-southeast-2")
    for field, pattern in ALLOWED.items():
        assert re.fullmatch(pattern, getattr(names, field)), f"{field}: {getattr(names, field)}"


@pytest.mark.parametrize(
    "other",
    [
        {"s3sync__function_name": "sync2"},
        {"storage__bucket": "another-bucket"},
        {"region": "us-east-1"},
    ],
    ids=["function", "bucket", "region"],
)
@pytest.mark.parametrize("base", [{}, LONG], ids=["short", "truncated"])
def test_names_differ_for_another_function_bucket_or_region(
    base: dict[str, str], other: dict[str, str]
) -> None:
    settings = {**base, **other}
    region = settings.pop("region", REGION)
    first = resource_names(make_settings(**base), REGION)
    second = resource_names(make_settings(**settings), region)
    for field in ("role", "statement", "notification"):
        assert getattr(first, field) != getattr(second, field), field


def test_names_differ_if_only_the_boundaries_between_the_parts_differ() -> None:
    first = resource_names(make_settings(s3sync__function_name="x", storage__bucket=f"{REGION}-b"), REGION)
    second = resource_names(make_settings(s3sync__function_name=f"x-{REGION}", storage__bucket="b"), REGION)
    assert first.role[:-8] == second.role[:-8]
    assert first.role != second.role
    assert first.statement != second.statement
    assert first.notification != second.notification


def test_names_differ_for_a_dot_and_a_dash_in_the_bucket() -> None:
    dot, dash = (
        resource_names(make_settings(storage__bucket=bucket), REGION) for bucket in ("my.bucket", "my-bucket")
    )
    assert (dot.role, dot.statement, dot.notification) != (dash.role, dash.statement, dash.notification)


def test_names_never_change() -> None:
    """A run finds the resources of earlier runs by their names: a change would orphan them."""
    names = resource_names(make_settings(), REGION)
    assert names.role == "sync-eu-west-1-amzn-s3-demo-bucket-f9967447"
    assert names.statement == names.role
    assert names.notification.startswith("pypicloud-s3sync-sync-eu-west-1-amzn-s3-demo-bucket-")
    assert names.log_group == "/aws/lambda/sync"
    assert names.role_path == "/pypicloud-s3sync/"


@pytest.mark.parametrize("length", [1, 54, 55, 56, 63, 64])
def test_the_names_match_the_documented_policy_of_an_operator(length: int) -> None:
    function = "f" * length
    names = resource_names(make_settings(s3sync__function_name=function), REGION)
    arns = [
        f"arn:aws:iam::ACCOUNT:role{names.role_path}{names.role}",
        # IAM checks a role that does not exist yet without its path.
        f"arn:aws:iam::ACCOUNT:role/{names.role}",
        f"arn:aws:sqs:REGION:ACCOUNT:{names.queue}",
        f"arn:aws:sqs:REGION:ACCOUNT:{names.dead_letters}",
        f"arn:aws:events:REGION:ACCOUNT:rule/{names.rule}",
    ]
    text = "".join(path.read_text() for path in POLICIES.glob("operator_policy*.json"))
    patterns = re.findall(r'"(arn:[^"]*)"', text.replace("FUNCTION", function))
    for arn in arns:
        assert any(fnmatchcase(arn, pattern) for pattern in patterns), arn


def test_long_names_differ_even_if_only_their_ends_do() -> None:
    first, second = (
        resource_names(make_settings(s3sync__function_name="f" * 63 + end), REGION) for end in "ab"
    )
    for field in ("role", "statement", "rule_statement", "notification", "queue", "dead_letters", "rule"):
        assert getattr(first, field) != getattr(second, field), field


def test_names_contain_function_region_and_bucket() -> None:
    names = resource_names(make_settings(), REGION)
    for name in (names.role, names.statement, names.notification):
        assert f"sync-{REGION}-{BUCKET}" in name


# Consistency


def test_all_resources_refer_to_the_same_function_role_and_bucket() -> None:
    desired = make_desired()
    role, entry = not_none(desired.role), not_none(desired.subscription.entry)
    permission = not_none(desired.permission)
    assert role.arn == desired.role_arn == desired.function.configuration["Role"]
    assert role.arn == f"arn:aws:iam::{ACCOUNT}:role/pypicloud-s3sync/{desired.names.role}"
    assert desired.function.arn == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sync"
    assert entry["LambdaFunctionArn"] == desired.function.arn
    assert entry["Id"] == desired.names.notification
    assert permission["FunctionName"] == "sync"
    assert permission["StatementId"] == desired.names.statement
    assert f"log-group:{desired.log_group.name}:*" in json.dumps(role.policy)
    assert desired.fingerprint == FINGERPRINT


def test_s3_may_invoke_the_function_for_the_bucket_and_its_account_only() -> None:
    assert make_desired().permission == {
        "FunctionName": "sync",
        "StatementId": make_desired().names.statement,
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": f"arn:aws:s3:::{BUCKET}",
        "SourceAccount": ACCOUNT,
    }


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_every_arn_has_the_partition_of_the_caller(partition: str) -> None:
    desired = desire(make_settings(), Identity(ACCOUNT, partition), REGION, FINGERPRINT)
    arns = [desired.role_arn, desired.function.arn, not_none(desired.permission)["SourceArn"]]
    arns += [not_none(desired.subscription.entry)["LambdaFunctionArn"]]
    arns += [desired.function.configuration["Role"]]
    assert {arn.split(":")[1] for arn in arns} == {partition}
    policy = json.dumps(not_none(desired.role).policy)
    assert set(re.findall(r"arn:([a-z-]+):", policy)) == {partition}


def test_the_arn_of_a_function_is_unqualified() -> None:
    assert function_arn("f", REGION, IDENTITY) == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"


def test_all_resources_are_in_the_region_of_the_bucket_regardless_of_the_tables() -> None:
    desired = desire(make_settings(db__region_name="us-east-1"), IDENTITY, "sa-east-1", FINGERPRINT)
    assert desired.region == "sa-east-1"
    assert ":sa-east-1:" in desired.function.arn
    assert "sa-east-1" in desired.names.role
    settings = json.loads(desired.function.configuration["Environment"]["PYPICLOUD_SETTINGS"])
    assert settings["storage.region_name"] == "sa-east-1"
    assert settings["db.region_name"] == "us-east-1"


# Effects of the settings


def test_a_given_role_is_used_and_no_role_is_created() -> None:
    desired = make_desired(s3sync__role_arn=GIVEN_ROLE)
    assert desired.role is None
    assert desired.role_arn == GIVEN_ROLE
    assert desired.function.configuration["Role"] == GIVEN_ROLE


def test_the_role_has_the_permissions_boundary_of_the_settings() -> None:
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    assert not_none(make_desired(s3sync__permissions_boundary=arn).role).boundary == arn
    assert not_none(make_desired().role).boundary is None


def test_every_resource_has_the_tags_of_the_settings_and_the_owner_tag() -> None:
    desired = make_desired(s3sync__tags="team=infra, cost=12")
    expected = {"team": "infra", "cost": "12", OWNER_TAG: BUCKET}
    assert not_none(desired.role).tags == expected
    assert desired.log_group.tags == expected
    assert desired.function.tags == {**expected, DELIVERY_TAG: "direct"}


def test_the_tags_of_the_settings_cannot_override_the_owner_tag() -> None:
    desired = make_desired(s3sync__tags=f"{OWNER_TAG}=another-bucket")
    assert not_none(desired.role).tags == desired.log_group.tags == {OWNER_TAG: BUCKET}
    assert desired.function.tags[OWNER_TAG] == BUCKET


def test_the_settings_determine_the_configuration_of_the_function() -> None:
    desired = make_desired(
        s3sync__memory_size="1024",
        s3sync__timeout="9",
        s3sync__runtime="python3.13",
        s3sync__architecture="arm64",
        s3sync__log_retention_days="7",
        s3sync__vpc_subnet_ids="subnet-2 subnet-1",
        s3sync__vpc_security_group_ids="sg-2 sg-1",
    )
    configuration = desired.function.configuration
    assert configuration["MemorySize"] == 1024
    assert configuration["Timeout"] == 9
    assert configuration["Runtime"] == "python3.13"
    assert configuration["Architectures"] == ["arm64"]
    assert configuration["Handler"] == "pypicloud_s3sync.handler.handle_s3_event"
    assert configuration["VpcConfig"] == {
        "SubnetIds": ["subnet-1", "subnet-2"],
        "SecurityGroupIds": ["sg-1", "sg-2"],
    }
    assert desired.log_group.retention_days == 7


def test_the_order_of_subnets_and_security_groups_makes_no_difference() -> None:
    first, second = (
        make_desired(s3sync__vpc_subnet_ids=subnets, s3sync__vpc_security_group_ids=groups)
        for subnets, groups in (("a b", "c d"), ("b a", "d c"))
    )
    assert first == second


def test_the_function_leaves_its_vpc_if_the_settings_name_none() -> None:
    assert make_desired().function.configuration["VpcConfig"] == {"SubnetIds": [], "SecurityGroupIds": []}


def test_notification_policy_and_environment_contain_the_prefix() -> None:
    desired = make_desired(storage__prefix="pkgs/")
    assert not_none(desired.subscription.entry)["Filter"]["Key"]["FilterRules"] == [
        {"Name": "prefix", "Value": "pkgs/"}
    ]
    assert f"{BUCKET}/pkgs/*" in json.dumps(not_none(desired.role).policy)
    settings = json.loads(desired.function.configuration["Environment"]["PYPICLOUD_SETTINGS"])
    assert settings["storage.prefix"] == "pkgs/"


def test_the_configured_handler_exists() -> None:
    module, _, function = make_desired().function.configuration["Handler"].rpartition(".")
    assert callable(getattr(import_module(module), function))


def test_credentials_in_the_settings_never_reach_the_function() -> None:
    desired = make_desired(
        storage__aws_access_key_id="AKIASTORAGE",
        storage__aws_secret_access_key="storage-secret",
        storage__aws_session_token="storage-token",
        db__aws_access_key_id="AKIADB",
        db__aws_secret_access_key="db-secret",
        db__aws_session_token="db-token",
    )
    sent = json.dumps(dict(desired.function.configuration))
    for secret in (
        *("AKIASTORAGE", "storage-secret", "storage-token", "AKIADB", "db-secret", "db-token"),
        "aws_",
    ):
        assert secret not in sent, secret
    assert set(desired.function.configuration["Environment"]) == {"PYPICLOUD_SETTINGS"}


def test_equal_settings_have_equal_desired_resources() -> None:
    assert make_desired() == make_desired()
