"""All writers together: a plan's actions name their methods and arguments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.bundle import Bundle
from pypicloud_s3sync.deploy.desired.tags import OWNER_TAG
from pypicloud_s3sync.deploy.executor import execute
from pypicloud_s3sync.deploy.models import Observed, Plan
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from pypicloud_s3sync.deploy.writers import Writers
from support.fakes import ACCOUNT, BUCKET, NOTHING, FakeClients, deployed, make_desired, not_none
from support.notifications import FakeBucket

DESIRED = make_desired(s3sync__tags="team=infra", s3sync__log_retention_days="30")
IN_VPC = make_desired(s3sync__vpc_subnet_ids="subnet-1", s3sync__vpc_security_group_ids="sg-1")
ROLE, GROUP, FUNCTION = not_none(DESIRED.role), DESIRED.log_group, DESIRED.function
BUNDLE = Bundle(b"zip", 3)


def different() -> Observed:
    """Return AWS with each resource different from the desired one."""
    function = replace(
        FUNCTION, configuration={**FUNCTION.configuration, "Timeout": 3}, tags={OWNER_TAG: BUCKET}
    )
    return deployed(
        DESIRED,
        role=replace(ROLE, policy=None),
        function=function,
        statements=({"Sid": DESIRED.names.statement, "Effect": "Deny"},),
        log_group=replace(GROUP, retention_days=7),
    )


def plans() -> list[Plan]:
    """Return plans that contain each call at least once."""
    observed = different()
    found = [
        plan_enable(DESIRED, NOTHING),
        plan_enable(DESIRED, observed),
        plan_disable(DESIRED, deployed(DESIRED)),
        plan_enable(DESIRED, deployed(DESIRED, role=None)),
        plan_disable(IN_VPC, deployed(IN_VPC)),
    ]
    for delivery, part in (
        (Delivery.SQS, "queue"),
        (Delivery.SQS, "mapping"),
        (Delivery.EVENTBRIDGE, "rule"),
    ):
        desired = make_desired(s3sync__delivery=delivery)
        resources = deployed(desired).delivery_resources
        resource = getattr(resources, part)
        changes: dict[str, Any] = {
            "queue": {"attributes": {}},
            "mapping": {"configuration": {}},
            "rule": {"pattern": {}},
        }
        changed = replace(resources, **{part: replace(resource, **changes[part])})
        found += [
            plan_enable(desired, NOTHING),
            plan_enable(desired, deployed(desired, delivery_resources=changed)),
            plan_disable(desired, deployed(desired)),
        ]
    return found


def test_each_action_of_a_plan_is_performed_with_valid_calls() -> None:
    """The fake clients check the arguments of each call against botocore's models."""
    group = {"logGroupName": GROUP.name, "arn": f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{GROUP.name}:*"}
    answers = {"describe_log_groups": {"logGroups": [group]}}
    performed = set()
    for plan in plans():
        for action in plan.actions:
            clients = FakeBucket(plan.observed.notifications, answers)
            arguments = {**action.arguments, **({"bundle": BUNDLE} if action.needs_bundle else {})}
            Writers(clients, BUCKET, ACCOUNT).perform(action.call, **arguments)
            assert clients.calls, action.call
            performed.add(action.call)
    assert performed == {
        *("role.create", "role.update", "role.delete"),
        *("log_group.create", "log_group.update", "log_group.delete"),
        *("function.create", "function.update_code", "function.update_configuration", "function.tag"),
        *("function.renew_role", "function.leave_vpc", "function.delete"),
        *("queue.create", "queue.update", "queue.delete"),
        *("mapping.create", "mapping.update", "mapping.delete"),
        *("rule.create", "rule.update", "rule.delete"),
        *("permission.add", "permission.replace", "permission.remove"),
        *("notification.put", "notification.remove"),
    }


def test_a_failed_function_gets_new_code_and_configuration() -> None:
    """The repair of a VPC may coincide with an update of packages: then both differ."""
    failure = {"Configuration": {"State": "Failed", "StateReason": "the subnet is full"}}
    updates = {"update_function_code", "update_function_configuration"}
    clients = FakeClients()
    clients.answers["get_function"] = lambda **arguments: (
        failure if updates.isdisjoint(clients.operations) else {}
    )
    function = not_none(deployed(DESIRED).function)
    failed = replace(function, failure="the subnet is full", code_sha256="other code")
    plan = plan_enable(DESIRED, deployed(DESIRED, function=failed))
    execute(plan, Writers(clients, BUCKET, ACCOUNT), lambda report: BUNDLE, lambda progress: None)
    assert updates <= set(clients.operations)


def test_a_call_is_performed_by_its_writer() -> None:
    clients = FakeClients()
    Writers(clients, BUCKET, ACCOUNT).perform("function.delete", name="sync")
    assert clients.calls == [("delete_function", {"FunctionName": "sync"})]
