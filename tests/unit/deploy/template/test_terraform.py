"""The Terraform configuration has the resources that enable would create, with the provider's arguments."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.tags import DELIVERY_TAG, ROLE_TAG
from pypicloud_s3sync.deploy.snap_start import ALIAS, qualified
from pypicloud_s3sync.deploy.template import Format, template
from pypicloud_s3sync.deploy.template.resources import RUN_TAGS
from support.fakes import ACCOUNT, REGION, make_desired, make_settings

#: The arguments of each resource type, from the schema of the provider that the file names.
SCHEMA = json.loads((Path(__file__).parents[3] / "terraform" / "aws_provider.json").read_text())["resources"]
#: Arguments that Terraform itself defines for each resource.
META_ARGUMENTS = {"depends_on", "lifecycle"}
TYPES = {str: "string", bool: "bool", int: "number", list: "list", dict: "map"}
VPC = {"s3sync__vpc_subnet_ids": "subnet-0123abcd", "s3sync__vpc_security_group_ids": "sg-0123abcd"}
GIVEN_ROLE = {"s3sync__role_arn": f"arn:aws:iam::{ACCOUNT}:role/teams/given"}
BOUNDARY = {"s3sync__permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary"}
REDIS = {"pypi__db": "redis", "db__url": "redis://cache.example:6379/0"}
VARIANTS = [
    {"s3sync__delivery": delivery, **cache, **network, **role}
    for delivery, cache, network, role in itertools.product(
        Delivery, ({}, REDIS), ({}, VPC), (BOUNDARY, GIVEN_ROLE)
    )
] + [{"s3sync__snap_start": "true", "s3sync__delivery": delivery} for delivery in Delivery]
#: A reference in a text, but not "$${", which stands for the text "${".
REFERENCE = re.compile(r"(?<!\$)\$\{([^}]+)\}")


def terraform(**changes: str | None) -> dict[str, Any]:
    return template(make_settings(**changes), Format.TERRAFORM)


def resources(**changes: str | None) -> dict[str, Any]:
    """Return the resources, each with what Terraform makes of its references in the account of the tests."""
    document = terraform(**changes)["resource"]
    desired = make_desired(**changes)
    queue, dead_letters = desired.delivery_resources.queue, desired.delivery_resources.dead_letters
    assert queue is not None
    assert dead_letters is not None
    values = {
        "data.aws_caller_identity.current.account_id": ACCOUNT,
        "data.aws_partition.current.partition": "aws",
        "aws_iam_role.sync.arn": desired.role_arn,
        "aws_lambda_function.sync.arn": desired.function.arn,
        "aws_lambda_alias.sync.arn": qualified(desired.function.arn),
        "aws_sqs_queue.sync.arn": queue.arn,
        "aws_sqs_queue.failed.arn": dead_letters.arn,
    }

    def evaluated(value: Any) -> Any:
        if isinstance(value, str):
            text = REFERENCE.sub(lambda match: values.get(match[1], match[0]), value)
            return text.replace("$${", "${").replace("%%{", "%{")
        if isinstance(value, dict):
            return {key: evaluated(item) for key, item in value.items()}
        return [evaluated(item) for item in value] if isinstance(value, list) else value

    result: dict[str, Any] = evaluated(document)
    return result


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_each_argument_is_one_of_the_provider_and_has_its_type(changes: dict[str, str]) -> None:
    for kind, named in terraform(**changes)["resource"].items():
        schema = SCHEMA[kind]
        for arguments in named.values():
            assert set(schema["required"]) <= set(arguments), kind
            given = {name: value for name, value in arguments.items() if name not in META_ARGUMENTS}
            assert_types(kind, given, schema["arguments"])


def assert_types(place: str, given: dict[str, Any], schema: dict[str, Any]) -> None:
    for name, value in given.items():
        assert name in schema, f"{place} has no argument {name}"
        if isinstance(schema[name], dict):
            assert_types(f"{place}.{name}", value, schema[name])
        else:
            assert TYPES[type(value)] == schema[name], f"{place}.{name}"


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_each_reference_is_to_something_in_the_configuration(changes: dict[str, str]) -> None:
    document = terraform(**changes)
    known = {
        *(f"{kind}.{name}" for kind, named in document["resource"].items() for name in named),
        *(f"data.{kind}.{name}" for kind, named in document["data"].items() for name in named),
        *(f"var.{name}" for name in document["variable"]),
    }
    found = [match[1] for text in texts(document) for match in REFERENCE.finditer(text)]
    addresses = [
        address
        for expression in found
        for address in re.findall(r"(?:data\.\w+|aws_\w+|var)\.\w+", expression)
    ]
    assert len(addresses) >= len(found)
    assert set(addresses) <= known
    function = document["resource"]["aws_lambda_function"]["sync"]
    assert set(function["depends_on"]) <= known


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_the_function_is_the_one_that_enable_creates(changes: dict[str, str]) -> None:
    desired = make_desired(**changes)
    function, wanted = resources(**changes)["aws_lambda_function"]["sync"], desired.function.configuration
    network = function.get("vpc_config", {"subnet_ids": [], "security_group_ids": []})
    assert function["function_name"] == desired.names.function
    assert {
        "Description": function["description"],
        "Role": function["role"],
        "Runtime": function["runtime"],
        "Handler": function["handler"],
        "Architectures": function["architectures"],
        "MemorySize": function["memory_size"],
        "Timeout": function["timeout"],
        "VpcConfig": {
            "SubnetIds": network["subnet_ids"],
            "SecurityGroupIds": network["security_group_ids"],
        },
        "DeadLetterConfig": {"TargetArn": function["dead_letter_config"]["target_arn"]},
        "Environment": function["environment"]["variables"],
        **(
            {"SnapStart": {"ApplyOn": function["snap_start"]["apply_on"]}} if "snap_start" in function else {}
        ),
    } == wanted


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_the_queues_and_their_reader_are_those_that_enable_creates(changes: dict[str, str]) -> None:
    desired, written = make_desired(**changes), resources(**changes)
    wanted = desired.delivery_resources
    queue, failed = written["aws_sqs_queue"]["sync"], written["aws_sqs_queue"]["failed"]
    assert wanted.queue is not None
    assert wanted.dead_letters is not None
    assert wanted.mapping is not None
    assert queue["name"] == wanted.queue.name
    assert {
        "VisibilityTimeout": str(queue["visibility_timeout_seconds"]),
        "MessageRetentionPeriod": str(queue["message_retention_seconds"]),
        "SqsManagedSseEnabled": str(queue["sqs_managed_sse_enabled"]).lower(),
        "RedrivePolicy": json.loads(queue["redrive_policy"]),
        "Policy": json.loads(written["aws_sqs_queue_policy"]["sync"]["policy"]),
    } == wanted.queue.attributes
    allowed = written["aws_sqs_queue_redrive_allow_policy"]["failed"]["redrive_allow_policy"]
    assert failed["name"] == wanted.dead_letters.name
    assert {
        "MessageRetentionPeriod": str(failed["message_retention_seconds"]),
        "SqsManagedSseEnabled": str(failed["sqs_managed_sse_enabled"]).lower(),
        "RedriveAllowPolicy": json.loads(allowed),
    } == wanted.dead_letters.attributes
    mapping = written["aws_lambda_event_source_mapping"]["sync"]
    assert (mapping["event_source_arn"], mapping["function_name"]) == (
        wanted.mapping.queue_arn,
        wanted.mapping.function_arn,
    )
    assert {
        "BatchSize": mapping["batch_size"],
        "FunctionResponseTypes": mapping["function_response_types"],
        "Enabled": mapping["enabled"],
        "ScalingConfig": {"MaximumConcurrency": mapping["scaling_config"]["maximum_concurrency"]},
    } == {**wanted.mapping.initial, **wanted.mapping.configuration}


@pytest.mark.parametrize("prefix", ["", "a*b?/", "${aws:username}/", "%{if x}/"])
def test_the_role_is_the_one_that_enable_creates(prefix: str) -> None:
    changes = {"storage__prefix": prefix, **BOUNDARY}
    role, written = make_desired(**changes).role, resources(**changes)
    assert role is not None
    created = written["aws_iam_role"]["sync"]
    assert json.loads(written["aws_iam_role_policy"]["sync"]["policy"]) == role.policy
    assert json.loads(created["assume_role_policy"]) == role.trust
    assert (created["name"], created["path"], created["tags"]) == (role.name, role.path, role.tags)
    assert created["permissions_boundary"] == role.boundary


def test_the_rule_and_the_permission_are_those_that_enable_creates() -> None:
    changes = {"s3sync__delivery": "eventbridge", "storage__prefix": "my pkgs/"}
    rule, written = make_desired(**changes).delivery_resources.rule, resources(**changes)
    assert rule is not None
    created, target = (written[f"aws_cloudwatch_event_{kind}"]["sync"] for kind in ("rule", "target"))
    assert (created["name"], json.loads(created["event_pattern"])) == (rule.name, rule.pattern)
    assert {"Id": target["target_id"], "Arn": target["arn"]} == rule.target
    permission, wanted = resources()["aws_lambda_permission"]["sync"], make_desired().permission or {}
    assert permission["statement_id"] == wanted["StatementId"]
    assert (permission["source_arn"], permission["source_account"]) == (
        wanted["SourceArn"],
        wanted["SourceAccount"],
    )


@pytest.mark.parametrize("delivery", Delivery)
def test_the_notifications_and_the_tags_of_a_run_are_left_to_enable(delivery: Delivery) -> None:
    document = terraform(s3sync__delivery=delivery)
    assert not [kind for kind in document["resource"] if kind.startswith("aws_s3")]
    function = document["resource"]["aws_lambda_function"]["sync"]
    assert DELIVERY_TAG not in function["tags"]
    # Terraform removes tags that it does not know.
    assert function["lifecycle"]["ignore_changes"] == [f'tags["{tag}"]' for tag in (*RUN_TAGS, ROLE_TAG)]
    assert function["tags"][ROLE_TAG] == "${aws_iam_role.sync.unique_id}"
    assert "ppc-s3sync enable" in document["output"]["next_step"]["value"]


def test_the_configuration_is_for_the_region_of_the_bucket_and_any_account_only() -> None:
    document = terraform()
    (condition,) = [document["resource"]["aws_lambda_function"]["sync"]["lifecycle"]["precondition"]]
    assert condition["condition"] == f'${{data.aws_region.current.region == "{REGION}"}}'
    assert ACCOUNT not in json.dumps(document)


def test_the_schedule_sends_to_the_queue_with_a_role_of_its_own() -> None:
    document = terraform(s3sync__reconcile_schedule="rate(1 day)")["resource"]
    schedule = document["aws_scheduler_schedule"]["sync"]
    assert (schedule["schedule_expression"], schedule["state"]) == ("rate(1 day)", "ENABLED")
    assert schedule["flexible_time_window"] == {"mode": "OFF"}
    assert schedule["target"]["arn"] == "${aws_sqs_queue.sync.arn}"
    assert schedule["target"]["role_arn"] == "${aws_iam_role.schedule.arn}"
    assert json.loads(schedule["target"]["input"]) == {"pypicloud-s3sync:reconcile": {}}
    assert "scheduler.amazonaws.com" in document["aws_iam_role"]["schedule"]["assume_role_policy"]
    assert "sqs:SendMessage" in document["aws_iam_role_policy"]["schedule"]["policy"]
    assert "schedule" not in str(sorted(terraform()["resource"]))


def test_with_snap_start_s3_and_the_queue_invoke_an_alias_of_the_published_version() -> None:
    document = terraform(s3sync__snap_start="true")["resource"]
    assert document["aws_lambda_function"]["sync"]["publish"] is True
    alias = document["aws_lambda_alias"]["sync"]
    assert alias["name"] == ALIAS
    assert alias["function_version"] == "${aws_lambda_function.sync.version}"
    mapping = document["aws_lambda_event_source_mapping"]["sync"]
    assert mapping["function_name"] == "${aws_lambda_alias.sync.arn}"
    assert document["aws_lambda_permission"]["sync"]["qualifier"] == "${aws_lambda_alias.sync.name}"
    plain = terraform()["resource"]
    assert "aws_lambda_alias" not in plain
    assert not {"publish", "snap_start"} & plain["aws_lambda_function"]["sync"].keys()
