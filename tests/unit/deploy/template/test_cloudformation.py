"""The CloudFormation template has the resources that enable would create, and cfn-lint accepts it."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.tags import DELIVERY_TAG, ROLE_TAG
from pypicloud_s3sync.deploy.plan.planner import compare
from pypicloud_s3sync.deploy.snap_start import ALIAS, Version
from pypicloud_s3sync.deploy.template import Format, template
from pypicloud_s3sync.deploy.template.cloudformation import MAX_KEY
from support.fakes import ACCOUNT, NOTHING, REGION, make_desired, make_settings

VPC = {"s3sync__vpc_subnet_ids": "subnet-0123abcd", "s3sync__vpc_security_group_ids": "sg-0123abcd"}
GIVEN_ROLE = {"s3sync__role_arn": f"arn:aws:iam::{ACCOUNT}:role/teams/given"}
BOUNDARY = {"s3sync__permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary"}
CACHES = {
    "dynamo": {},
    "redis": {"pypi__db": "redis", "db__url": "redis://:s3cr3t@cache.example:6379/0"},
    "sql": {"pypi__db": "sql", "db__url": "postgresql+psycopg2://pypi@db.example/pypi"},
}
VARIANTS = [
    {"s3sync__delivery": delivery, **cache, **network, **role}
    for delivery, cache, network, role in itertools.product(
        Delivery, CACHES.values(), ({}, VPC), (BOUNDARY, GIVEN_ROLE)
    )
] + [{"s3sync__snap_start": "true", "s3sync__delivery": delivery} for delivery in Delivery]
#: The ARN of a resource by its properties.
ARNS: dict[str, Callable[[Any], str]] = {
    "AWS::IAM::Role": lambda role: f"arn:aws:iam::{ACCOUNT}:role{role['Path']}{role['RoleName']}",
    "AWS::SQS::Queue": lambda queue: f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue['QueueName']}",
    "AWS::Lambda::Function": lambda function: (
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function['FunctionName']}"
    ),
}


@functools.cache
def linter() -> Any:
    """Return cfn-lint with its rules, which take as long to load as a template to check.

    It is imported here, because that takes longer than any test module, and only one worker needs it.
    """
    from cfnlint.config import ConfigMixIn
    from cfnlint.runner import Runner

    return Runner(ConfigMixIn(regions=[REGION]))


def lint(document: dict[str, Any]) -> list[str]:
    """Return what cfn-lint says about a template."""
    from cfnlint.decode.decode import decode_str

    template, errors = decode_str(json.dumps(document))
    return [str(match) for match in (*errors, *linter().validate_template(template))]


def cloudformation(**changes: str | None) -> dict[str, Any]:
    return template(make_settings(**changes), Format.CLOUDFORMATION)


def resolved(value: Any, resources: dict[str, Any]) -> Any:
    """Return a value as CloudFormation resolves it in the account and the region of the tests."""
    if isinstance(value, list):
        return [resolved(item, resources) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Fn::Sub": text}:
            text = text.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Partition}", "aws")
            assert "${AWS" not in text
            return text.replace("${!", "${")
        case {"Fn::GetAtt": [name, "Arn"]}:
            return ARNS[resources[name]["Type"]](resources[name]["Properties"])
        case {"Ref": "Alias"}:
            alias, function = (resources[name]["Properties"] for name in ("Alias", "Function"))
            return f"{ARNS['AWS::Lambda::Function'](function)}:{alias['Name']}"
        case {"Fn::GetAtt": [name, "RoleId"]}:
            return "AROA" if resources[name]["Type"] == "AWS::IAM::Role" else None
    return {key: resolved(item, resources) for key, item in value.items()}


def properties(**changes: str | None) -> dict[str, Any]:
    """Return the resolved properties of each resource."""
    resources = cloudformation(**changes)["Resources"]
    return {name: resolved(resource["Properties"], resources) for name, resource in resources.items()}


# Tracing the linter takes longer than running it.
@pytest.mark.untraced
@pytest.mark.xdist_group("cfn-lint")
def test_cfn_lint_accepts_each_resource_of_each_combination_of_settings() -> None:
    checked: set[str] = set()
    found = []
    for changes in VARIANTS:
        document = cloudformation(**changes)
        resources = {json.dumps(_without_settings(item)) for item in document["Resources"].values()}
        # Linting a template takes long, and most have no resource that another one has not.
        if not resources <= checked:
            found += lint(document)
            checked |= resources
    assert found == []


def _without_settings(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource without the environment, which is a text for cfn-lint."""
    return {**resource, "Properties": {**resource["Properties"], "Environment": None}}


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_the_properties_are_those_of_the_resources_that_enable_creates(changes: dict[str, str]) -> None:
    desired = make_desired(**changes)
    plan = {action.resource: action.arguments for action in compare(desired, NOTHING).actions}
    written = properties(**changes)
    function, configuration = written["Function"], dict(desired.function.configuration)
    variables, network = configuration.pop("Environment"), configuration.pop("VpcConfig")
    assert function["Environment"] == {"Variables": variables}
    assert function.get("VpcConfig", {"SubnetIds": [], "SecurityGroupIds": []}) == network
    assert {name: function[name] for name in configuration} == configuration
    assert function["FunctionName"] == desired.names.function
    assert (ROLE_TAG in [tag["Key"] for tag in function["Tags"]]) is (desired.role is not None)
    mapping = plan["event source mapping"]["mapping"]
    assert written["EventSourceMapping"] == {
        "EventSourceArn": mapping.queue_arn,
        "FunctionName": mapping.function_arn,
        **mapping.configuration,
    }
    group = plan["log group"]["group"]
    assert written["LogGroup"]["LogGroupName"] == group.name
    assert written["LogGroup"]["RetentionInDays"] == group.retention_days
    assert ("Role" in written, "Rule" in written, "Permission" in written) == (
        desired.role is not None,
        desired.delivery_resources.rule is not None,
        desired.permission is not None,
    )


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_the_queues_are_those_that_enable_creates(changes: dict[str, str]) -> None:
    desired, written = make_desired(**changes).delivery_resources, properties(**changes)
    for name, queue in (("Queue", desired.queue), ("DeadLetterQueue", desired.dead_letters)):
        assert queue is not None
        policy = {"Policy": written["QueuePolicy"]["PolicyDocument"]} if name == "Queue" else {}
        attributes = {**written[name], **policy}
        assert attributes.pop("QueueName") == queue.name
        assert attributes.pop("Tags") == tag_list(queue.tags)
        assert {key: as_attribute(value) for key, value in attributes.items()} == queue.attributes


def as_attribute(value: Any) -> Any:
    return str(value).lower() if isinstance(value, int) else value


def tag_list(tags: Any) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.mark.parametrize("prefix", ["", "a*b?/", "${aws:username}/", "env=prod/"])
def test_the_role_is_the_one_that_enable_creates(prefix: str) -> None:
    changes = {"storage__prefix": prefix, "s3sync__tags": "team=x", **BOUNDARY}
    role, written = make_desired(**changes).role, properties(**changes)["Role"]
    assert role is not None
    assert written["Policies"] == [{"PolicyName": "sync", "PolicyDocument": role.policy}]
    assert written["AssumeRolePolicyDocument"] == role.trust
    assert (written["RoleName"], written["Path"]) == (role.name, role.path)
    assert written["PermissionsBoundary"] == role.boundary
    assert sorted(written["Tags"], key=str) == sorted(tag_list(role.tags), key=str)


def test_the_rule_is_the_one_that_enable_creates() -> None:
    changes = {"s3sync__delivery": "eventbridge", "storage__prefix": "my pkgs/"}
    rule, written = make_desired(**changes).delivery_resources.rule, properties(**changes)["Rule"]
    assert rule is not None
    assert (written["Name"], written["EventPattern"]) == (rule.name, rule.pattern)
    assert (written["State"], written["Targets"]) == (rule.state, [rule.target])
    assert written["Tags"] == tag_list(rule.tags)


def test_the_permission_is_the_one_that_enable_creates_but_for_its_id() -> None:
    desired, written = make_desired(), properties()["Permission"]
    wanted = dict(desired.permission or {})
    del wanted["StatementId"]
    assert written == {**wanted, "FunctionName": desired.function.arn}


@pytest.mark.parametrize("delivery", Delivery)
def test_no_resource_touches_the_bucket_or_the_tags_of_a_run(delivery: Delivery) -> None:
    document = cloudformation(s3sync__delivery=delivery)
    assert not [item for item in document["Resources"].values() if item["Type"].startswith("AWS::S3")]
    assert DELIVERY_TAG not in json.dumps(document)
    assert "ppc-s3sync enable" in document["Outputs"]["NextStep"]["Value"]


def test_the_template_is_for_the_region_of_the_bucket_and_any_account_only() -> None:
    document = cloudformation()
    (assertion,) = document["Rules"]["Region"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Equals": [{"Ref": "AWS::Region"}, REGION]}
    assert ACCOUNT not in json.dumps(document)


@pytest.mark.xdist_group("cfn-lint")
def test_the_schedule_sends_to_the_queue_with_a_role_of_its_own() -> None:
    document = cloudformation(s3sync__reconcile_schedule="rate(1 day)")
    resources = document["Resources"]
    schedule = resources["Schedule"]["Properties"]
    assert (schedule["ScheduleExpression"], schedule["State"]) == ("rate(1 day)", "ENABLED")
    assert schedule["Target"]["Arn"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    assert schedule["Target"]["RoleArn"] == {"Fn::GetAtt": ["ScheduleRole", "Arn"]}
    assert "scheduler.amazonaws.com" in str(resources["ScheduleRole"])
    assert lint(document) == []
    assert not {"Schedule", "ScheduleRole"} & cloudformation()["Resources"].keys()


SNAP_START: dict[str, str | None] = {"s3sync__snap_start": "true"}


def test_with_snap_start_s3_and_the_queue_invoke_an_alias_of_a_version() -> None:
    resources = cloudformation(**SNAP_START)["Resources"]
    alias = resources["Alias"]["Properties"]
    assert (alias["Name"], alias["FunctionVersion"]) == (ALIAS, {"Fn::GetAtt": ["Version", "Version"]})
    for name in ("EventSourceMapping", "Permission"):
        assert resources[name]["Properties"]["FunctionName"] == {"Ref": "Alias"}
    assert "Qualifier" not in resources["Permission"]["Properties"]
    # S3 invokes it until enable has changed the notification.
    assert resources["Alias"]["DeletionPolicy"] == resources["Version"]["DeletionPolicy"] == "Retain"
    assert not {"Alias", "Version"} & cloudformation()["Resources"].keys()


def test_a_stack_publishes_another_version_for_other_code_another_role_or_another_configuration() -> None:
    """A version is replaced only if one of its properties changes."""

    def described(**changes: str | None) -> str:
        version = cloudformation(**SNAP_START, **changes)["Resources"]["Version"]["Properties"]
        return str(version["Description"]["Fn::Sub"])

    found = described()
    assert found == described()
    assert "${BundleKey}" in found
    assert "${Role.RoleId}" in found
    assert found != described(s3sync__timeout="9")
    given = described(s3sync__role_arn=f"arn:aws:iam::{ACCOUNT}:role/given")
    assert "Role" not in given
    # enable recognizes such a version as its own.
    filled = found.replace("${Role.RoleId}", "AROA1").replace("${BundleKey}", "k" * MAX_KEY)
    version = Version("1", filled, {})
    assert (version.is_own, version.role_id) == (True, "AROA1")
    assert len(filled) <= 256
