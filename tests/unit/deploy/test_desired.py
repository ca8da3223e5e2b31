"""From settings to what ought to be in AWS: values in, values out."""

import json
import re

import pytest

from pypicloud_s3sync.deploy.desired import desire, function_arn, resource_names
from pypicloud_s3sync.deploy.models import DELIVERY_TAG, OWNER_TAG, Identity
from support.fakes import ACCOUNT, BUCKET, FINGERPRINT, IDENTITY, REGION, make_desired, make_settings

LONG = {"s3sync__function_name": "f" * 64, "storage__bucket": "b" * 63}
GIVEN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/teams/given"
#: What IAM, Lambda and S3 take: botocore's models of iam, lambda, s3.
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
    "more",
    [
        {},
        LONG,
        {"storage__bucket": "my.bucket.example"},
        {"s3sync__function_name": "f"},
        {"s3sync__function_name": "A_b-9"},
    ],
    ids=str,
)
def test_names_are_what_each_service_takes(more):
    called = resource_names(make_settings(**more), "ap-southeast-2")
    for field, pattern in ALLOWED.items():
        assert re.fullmatch(pattern, getattr(called, field)), f"{field}: {getattr(called, field)}"


@pytest.mark.parametrize(
    "other",
    [
        {"s3sync__function_name": "sync2"},
        {"storage__bucket": "another-bucket"},
        {"region": "us-east-1"},
    ],
    ids=["function", "bucket", "region"],
)
@pytest.mark.parametrize("base", [{}, LONG], ids=["short", "too long to be whole"])
def test_another_function_bucket_or_region_has_other_names(base, other):
    given = {**base, **other}
    one = resource_names(make_settings(**base), REGION)
    two = resource_names(
        make_settings(**{k: v for k, v in given.items() if k != "region"}), given.get("region", REGION)
    )
    for field in ("role", "statement", "notification"):
        assert getattr(one, field) != getattr(two, field), field


def test_the_same_letters_cut_elsewhere_are_other_names():
    one = resource_names(make_settings(s3sync__function_name="x", storage__bucket=f"{REGION}-b"), REGION)
    other = resource_names(make_settings(s3sync__function_name=f"x-{REGION}", storage__bucket="b"), REGION)
    assert one.role[:-8] == other.role[:-8]
    assert one.role != other.role
    assert one.statement != other.statement
    assert one.notification != other.notification


def test_a_dot_and_a_dash_in_a_buckets_name_are_not_mixed_up():
    dot, dash = (
        resource_names(make_settings(storage__bucket=bucket), REGION) for bucket in ("my.bucket", "my-bucket")
    )
    assert (dot.role, dot.statement, dot.notification) != (dash.role, dash.statement, dash.notification)


def test_names_are_the_same_in_each_run():
    """They are how the next run finds what this one made: a change of them would orphan it."""
    called = resource_names(make_settings(), REGION)
    assert called.role == "sync-eu-west-1-amzn-s3-demo-bucket-f9967447"
    assert called.statement == called.role
    assert called.notification.startswith("pypicloud-s3sync-sync-eu-west-1-amzn-s3-demo-bucket-")
    assert called.log_group == "/aws/lambda/sync"
    assert called.role_path == "/pypicloud-s3sync/"


def test_names_tell_a_reader_what_they_belong_to():
    called = resource_names(make_settings(), REGION)
    for name in (called.role, called.statement, called.notification):
        assert f"sync-{REGION}-{BUCKET}" in name


# The parts fit together


def test_every_part_names_the_same_function_role_and_bucket():
    desired = make_desired()
    assert desired.role.arn == desired.role_arn == desired.function.configuration["Role"]
    assert desired.role.arn == f"arn:aws:iam::{ACCOUNT}:role/pypicloud-s3sync/{desired.names.role}"
    assert desired.function.arn == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sync"
    assert desired.subscription.entry["LambdaFunctionArn"] == desired.function.arn
    assert desired.subscription.entry["Id"] == desired.names.notification
    assert desired.permission["FunctionName"] == "sync"
    assert desired.permission["StatementId"] == desired.names.statement
    assert f"log-group:{desired.log_group.name}:*" in json.dumps(desired.role.policy)
    assert desired.fingerprint == FINGERPRINT


def test_s3_may_invoke_the_function_for_this_bucket_of_this_account_only():
    assert make_desired().permission == {
        "FunctionName": "sync",
        "StatementId": make_desired().names.statement,
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": f"arn:aws:s3:::{BUCKET}",
        "SourceAccount": ACCOUNT,
    }


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_every_arn_is_of_the_callers_partition(partition):
    desired = desire(make_settings(), Identity(ACCOUNT, partition), REGION, FINGERPRINT)
    found = [desired.role_arn, desired.function.arn, desired.permission["SourceArn"]]
    found += [desired.subscription.entry["LambdaFunctionArn"], desired.function.configuration["Role"]]
    assert {arn.split(":")[1] for arn in found} == {partition}
    assert set(re.findall(r"arn:([a-z-]+):", json.dumps(desired.role.policy))) == {partition}


def test_a_functions_arn_is_unqualified():
    assert function_arn("f", REGION, IDENTITY) == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"


def test_everything_is_in_the_buckets_region_whatever_the_tables():
    desired = desire(make_settings(db__region_name="us-east-1"), IDENTITY, "sa-east-1", FINGERPRINT)
    assert desired.region == "sa-east-1"
    assert ":sa-east-1:" in desired.function.arn
    assert "sa-east-1" in desired.names.role
    settings = json.loads(desired.function.configuration["Environment"]["PYPICLOUD_SETTINGS"])
    assert settings["storage.region_name"] == "sa-east-1"
    assert settings["db.region_name"] == "us-east-1"


# What the settings say


def test_a_given_role_is_used_and_none_is_wanted():
    desired = make_desired(s3sync__role_arn=GIVEN_ROLE)
    assert desired.role is None
    assert desired.role_arn == GIVEN_ROLE
    assert desired.function.configuration["Role"] == GIVEN_ROLE


def test_a_permissions_boundary_is_the_roles():
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    assert make_desired(s3sync__permissions_boundary=arn).role.boundary == arn
    assert make_desired().role.boundary is None


def test_tags_are_on_everything_beside_the_owners():
    desired = make_desired(s3sync__tags="team=infra, cost=12")
    expected = {"team": "infra", "cost": "12", OWNER_TAG: BUCKET}
    for part in (desired.role, desired.log_group):
        assert part.tags == expected, part
    assert desired.function.tags == {**expected, DELIVERY_TAG: "direct"}


def test_no_tag_of_the_settings_can_give_the_function_to_another_bucket():
    desired = make_desired(s3sync__tags=f"{OWNER_TAG}=somebody-else")
    assert desired.role.tags == desired.log_group.tags == {OWNER_TAG: BUCKET}
    assert desired.function.tags[OWNER_TAG] == BUCKET


def test_the_functions_configuration_is_that_of_the_settings():
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


def test_the_order_of_subnets_and_groups_makes_no_difference():
    one, other = (
        make_desired(s3sync__vpc_subnet_ids=subnets, s3sync__vpc_security_group_ids=groups)
        for subnets, groups in (("a b", "c d"), ("b a", "d c"))
    )
    assert one == other


def test_without_a_vpc_the_function_leaves_one_that_it_was_in():
    assert make_desired().function.configuration["VpcConfig"] == {"SubnetIds": [], "SecurityGroupIds": []}


def test_the_prefix_is_in_the_notification_the_policy_and_the_functions_settings():
    desired = make_desired(storage__prefix="pkgs/")
    assert desired.subscription.entry["Filter"]["Key"]["FilterRules"] == [
        {"Name": "prefix", "Value": "pkgs/"}
    ]
    assert f"{BUCKET}/pkgs/*" in json.dumps(desired.role.policy)
    settings = json.loads(desired.function.configuration["Environment"]["PYPICLOUD_SETTINGS"])
    assert settings["storage.prefix"] == "pkgs/"


def test_the_handler_named_in_the_configuration_exists():
    from importlib import import_module

    module, _, function = make_desired().function.configuration["Handler"].rpartition(".")
    assert callable(getattr(import_module(module), function))


def test_credentials_of_the_ini_never_reach_the_function():
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


def test_the_same_settings_ask_for_the_same():
    assert make_desired() == make_desired()
