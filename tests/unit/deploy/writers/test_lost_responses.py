"""A created resource whose response was lost: boto3 repeats the call, and AWS answers that it exists."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.bundle import Bundle
from pypicloud_s3sync.deploy.desired.tags import BUNDLE_TAG
from pypicloud_s3sync.deploy.writers.functions import FunctionWriter
from pypicloud_s3sync.deploy.writers.log_groups import LogGroupWriter
from pypicloud_s3sync.deploy.writers.permissions import PermissionWriter
from pypicloud_s3sync.deploy.writers.queues import MappingWriter, QueueWriter
from pypicloud_s3sync.deploy.writers.roles import RoleWriter
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import (
    ACCOUNT,
    BUCKET,
    UUID,
    FakeCalls,
    FakeTime,
    make_desired,
    not_none,
    permission_statement,
    refusal,
)

DESIRED = make_desired(s3sync__tags="team=infra", s3sync__log_retention_days="30")
ROLE, GROUP, FUNCTION = not_none(DESIRED.role), DESIRED.log_group, DESIRED.function
QUEUE, MAPPING = (
    not_none(DESIRED.delivery_resources.queue),
    not_none(DESIRED.delivery_resources.mapping),
)
MAPPING = replace(MAPPING, configuration={**MAPPING.initial, **MAPPING.configuration})
PERMISSION = not_none(DESIRED.permission)
BUNDLE = Bundle(b"zip", 3)
GROUP_ARN = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{GROUP.name}"
URL = "https://queue.example/queue"


def role_answers(**changes: Any) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in ROLE.tags.items()]
    role = {"Path": ROLE.path, "Arn": ROLE.arn, "AssumeRolePolicyDocument": ROLE.trust, "Tags": tags}
    return {
        "create_role": refusal("EntityAlreadyExists", f"Role with name {ROLE.name} already exists.", 409),
        "get_role": {"Role": {**role, **changes}},
        "get_role_policy": refusal("NoSuchEntity", status=404),
    }


def group_answers(tags: dict[str, str], retention: int | None = None) -> dict[str, Any]:
    group = {"logGroupName": GROUP.name, "arn": f"{GROUP_ARN}:*"}
    return {
        "create_log_group": refusal(
            "ResourceAlreadyExistsException", "The specified log group already exists"
        ),
        "describe_log_groups": {
            "logGroups": [group if retention is None else {**group, "retentionInDays": retention}]
        },
        "list_tags_for_resource": {"tags": tags},
    }


def function_answers(tags: dict[str, str]) -> dict[str, Any]:
    configuration = {
        **FUNCTION.configuration,
        "Environment": {"Variables": FUNCTION.configuration["Environment"]},
        "FunctionArn": FUNCTION.arn,
        "CodeSha256": BUNDLE.code_sha256,
    }
    return {
        "create_function": refusal("ResourceConflictException", "Function already exist: sync", 409),
        "get_function": {"Configuration": configuration, "Tags": tags},
    }


def queue_answers(tags: dict[str, str], **attributes: str) -> dict[str, Any]:
    message = "A queue already exists with the same name and a different value for attribute Policy"
    return {
        "create_queue": refusal("QueueAlreadyExists", message),
        "get_queue_url": {"QueueUrl": URL},
        "get_queue_attributes": {"Attributes": {"QueueArn": QUEUE.arn, **attributes}},
        "list_queue_tags": {"Tags": tags},
    }


def mapping_answers(**changes: Any) -> dict[str, Any]:
    mapping = {
        "UUID": UUID,
        "FunctionArn": FUNCTION.arn,
        "State": "Creating",
        **MAPPING.configuration,
        **changes,
    }
    message = (
        f'An event source mapping with SQS arn (" {QUEUE.arn} ") and function (" sync ") already exists.'
        f" Please update or delete the existing mapping with UUID {UUID}"
    )
    return {
        "create_event_source_mapping": refusal("ResourceConflictException", message, 409),
        "list_event_source_mappings": {"EventSourceMappings": [mapping]},
    }


def create_role(calls: FakeCalls) -> None:
    RoleWriter(calls).create(ROLE)


def create_group(calls: FakeCalls) -> None:
    LogGroupWriter(calls).create(GROUP)


def create_function(calls: FakeCalls) -> None:
    FunctionWriter(calls, BUCKET).create(FUNCTION, "inputs", BUNDLE)


def create_queue(calls: FakeCalls) -> None:
    QueueWriter(calls).create(QUEUE)


def create_mapping(calls: FakeCalls) -> None:
    MappingWriter(calls).create(MAPPING)


def add_permission(calls: FakeCalls) -> None:
    PermissionWriter(calls).add(PERMISSION)


def test_a_role_that_this_run_has_created_gets_its_policy() -> None:
    calls = FakeCalls(role_answers())
    create_role(calls)
    assert calls.clients.operations == ["create_role", "get_role", "get_role_policy", "put_role_policy"]


@pytest.mark.parametrize("tags", [dict(GROUP.tags), {}], ids=["own", "of a late invocation"])
def test_a_log_group_that_this_run_or_a_late_invocation_has_created_is_completed(
    tags: dict[str, str],
) -> None:
    calls = FakeCalls(group_answers(tags))
    create_group(calls)
    assert ("tag_resource" in calls.clients.operations) == (not tags)
    assert calls.clients.operations[-1] == "put_retention_policy"
    if not tags:
        assert calls.clients.arguments("tag_resource") == {
            "resourceArn": GROUP_ARN,
            "tags": dict(GROUP.tags),
        }


def test_a_function_that_this_run_has_created_is_waited_for() -> None:
    calls = FakeCalls(function_answers({**FUNCTION.tags, BUNDLE_TAG: f"inputs/{BUNDLE.code_sha256}"}))
    create_function(calls)
    assert calls.clients.operations == ["get_role", "create_function", "get_function", "get_function"]


def test_a_queue_that_this_run_has_created_gets_the_attributes_that_differ() -> None:
    calls = FakeCalls(queue_answers(dict(QUEUE.tags), MessageRetentionPeriod="60"))
    create_queue(calls)
    sent = calls.clients.arguments("set_queue_attributes")
    assert sent["QueueUrl"] == URL
    assert sent["Attributes"]["MessageRetentionPeriod"] == QUEUE.attributes["MessageRetentionPeriod"]


@pytest.mark.parametrize("changes", [{}, {"BatchSize": 1}], ids=["equal", "different"])
def test_a_mapping_that_exists_is_used_at_once(changes: dict[str, Any]) -> None:
    time = FakeTime()
    calls = FakeCalls(mapping_answers(**changes), time)
    create_mapping(calls)
    assert time.pauses == []
    assert ("update_event_source_mapping" in calls.clients.operations) == bool(changes)


def test_a_mapping_that_is_being_deleted_is_waited_for() -> None:
    answers = mapping_answers(State="Deleting")
    answers["create_event_source_mapping"] = [answers["create_event_source_mapping"], {}]
    time = FakeTime()
    create_mapping(FakeCalls(answers, time))
    assert len(time.pauses) == 1


def permission_answers(**changes: Any) -> dict[str, Any]:
    statement = {**permission_statement(DESIRED), **changes}
    return {
        "add_permission": refusal(
            "ResourceConflictException",
            f"The statement id ({PERMISSION['StatementId']}) provided already exists. Please provide a new"
            " statement id, or remove the existing statement.",
            409,
        ),
        "get_policy": {"Policy": json.dumps({"Statement": [statement]})},
    }


def test_a_permission_that_this_run_has_added_is_enough() -> None:
    calls = FakeCalls(permission_answers())
    add_permission(calls)
    assert calls.clients.operations == ["add_permission", "get_policy"]


@pytest.mark.parametrize(
    ("create", "answers"),
    [
        (create_role, role_answers(Tags=[])),
        (create_role, role_answers(AssumeRolePolicyDocument={"Statement": []})),
        (create_group, group_answers({"team": "other"})),
        (create_group, group_answers({}, retention=3653)),
        (create_function, function_answers({})),
        (create_function, function_answers({**FUNCTION.tags, BUNDLE_TAG: "other/code"})),
        (create_queue, queue_answers({})),
        (create_queue, queue_answers({"team": "other"})),
        (add_permission, permission_answers(Effect="Deny")),
        (add_permission, permission_answers(Condition={})),
    ],
)
def test_a_resource_that_another_owner_has_created_meanwhile_is_an_error_and_stays(
    create: Callable[[FakeCalls], None], answers: dict[str, Any]
) -> None:
    calls = FakeCalls(answers)
    with pytest.raises(AwsError, match="already exist"):
        create(calls)
    reading = ("get_", "list_", "describe_", "create_", "add_")
    assert [name for name in calls.clients.operations if not name.startswith(reading)] == []
