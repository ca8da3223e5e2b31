"""Planning the actions on the resources of each delivery, and the move from one delivery to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.models import DELIVERY_TAG, SWITCH_TAG, DeliveryResources, Observed, Plan
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from pypicloud_s3sync.deploy.policy import RECEIVE
from pypicloud_s3sync.exceptions import ConflictError
from support.fakes import BUCKET, NOTHING, deployed, make_desired, not_none
from support.plans import actions, calls

DESIRED = {delivery: make_desired(s3sync__delivery=delivery) for delivery in Delivery}
DEPLOYED = {delivery: deployed(desired) for delivery, desired in DESIRED.items()}
SWITCHED_ON = {SWITCH_TAG: "switched-on"}
#: The calls that create the resources of a delivery, after role, log group and function.
CREATIONS = {
    Delivery.DIRECT: ["permission.add", "notification.put"],
    Delivery.SQS: ["queue.create", "queue.create", "mapping.create", "notification.put"],
    Delivery.EVENTBRIDGE: ["rule.create", "permission.add", "notification.put"],
}
#: The calls that remove the resources of a delivery, before the rest.
REMOVALS = {
    Delivery.DIRECT: ["notification.remove", "permission.remove"],
    Delivery.SQS: ["notification.remove", "mapping.delete", "queue.delete", "queue.delete"],
    Delivery.EVENTBRIDGE: ["permission.remove", "rule.delete"],
}
REMOVALS_OF_THE_REST = ["function.delete", "log_group.delete", "role.delete"]
QUEUE = not_none(DEPLOYED[Delivery.SQS].delivery_resources.queue)
DEAD_LETTERS = not_none(DEPLOYED[Delivery.SQS].delivery_resources.dead_letters)
MAPPING = not_none(DEPLOYED[Delivery.SQS].delivery_resources.mapping)
RULE = not_none(DEPLOYED[Delivery.EVENTBRIDGE].delivery_resources.rule)


def with_resources(delivery: Delivery, **changes: Any) -> Observed:
    """Return AWS with other resources of a delivery."""
    observed = DEPLOYED[delivery]
    return replace(observed, delivery_resources=replace(observed.delivery_resources, **changes))


def with_owned_eventbridge(other_rules: tuple[str, ...] = ()) -> Observed:
    """Return AWS after this tool turned on EventBridge for the bucket."""
    rule = replace(RULE, tags={**RULE.tags, **SWITCHED_ON})
    resources = DeliveryResources(rule=rule, other_rules=other_rules)
    return replace(DEPLOYED[Delivery.EVENTBRIDGE], delivery_resources=resources)


# Creating and removing


@pytest.mark.parametrize("delivery", Delivery)
def test_the_resources_of_a_delivery_are_created_with_the_notification_last(delivery: Delivery) -> None:
    plan = plan_enable(DESIRED[delivery], NOTHING)
    assert calls(plan) == ["role.create", "log_group.create", "function.create", *CREATIONS[delivery]]


@pytest.mark.parametrize("delivery", Delivery)
def test_a_delivery_is_in_sync_after_its_resources_were_created(delivery: Delivery) -> None:
    assert plan_enable(DESIRED[delivery], DEPLOYED[delivery]).in_sync


@pytest.mark.parametrize("delivery", Delivery)
def test_disable_removes_the_resources_of_the_delivery(delivery: Delivery) -> None:
    plan = plan_disable(DESIRED[delivery], DEPLOYED[delivery])
    assert calls(plan) == [*REMOVALS[delivery], *REMOVALS_OF_THE_REST]


def test_the_dead_letter_queue_is_created_before_the_queue_that_refers_to_it() -> None:
    created = actions(plan_enable(DESIRED[Delivery.SQS], NOTHING), "queue.create")
    assert [action.resource for action in created] == ["dead-letter queue", "queue"]


def test_every_resource_is_named_after_the_bucket_or_the_function() -> None:
    for desired in DESIRED.values():
        for action in plan_enable(desired, NOTHING).actions:
            assert BUCKET in action.name or "sync" in action.name, action


# Moving from one delivery to another


def move(before: Delivery, after: Delivery, **changes: Any) -> Plan:
    """Return the plan that moves from one delivery to another."""
    return plan_enable(DESIRED[after], replace(DEPLOYED[before], **changes))


def test_from_direct_to_a_queue_the_notification_moves_before_the_permission_is_removed() -> None:
    assert calls(move(Delivery.DIRECT, Delivery.SQS)) == [
        *("role.update", "function.tag", "queue.create", "queue.create", "mapping.create"),
        *("notification.put", "permission.remove", "function.tag"),
    ]


def test_from_a_queue_to_direct_the_queue_is_drained_and_the_role_narrowed_after_it_is_deleted() -> None:
    plan = move(Delivery.SQS, Delivery.DIRECT)
    assert calls(plan) == [
        *("function.tag", "permission.add", "notification.put"),
        *("mapping.delete", "queue.delete", "queue.delete", "role.update", "function.tag"),
    ]
    (drain,) = actions(plan, "mapping.delete")
    assert drain.arguments["url"] == "https://queue.example/queue"
    (narrow,) = actions(plan, "role.update")
    assert RECEIVE not in str(narrow.arguments["role"].policy)


def test_a_role_with_other_changes_keeps_the_right_to_receive_until_the_queue_is_deleted() -> None:
    desired = make_desired(storage__prefix="pkgs/")
    first, last = actions(plan_enable(desired, DEPLOYED[Delivery.SQS]), "role.update")
    assert "pkgs/" in str(first.arguments["role"].policy)
    assert RECEIVE in str(first.arguments["role"].policy)
    assert last.arguments["role"] == desired.role


def test_from_direct_to_eventbridge_the_entry_is_replaced_before_the_permission_is_removed() -> None:
    assert calls(move(Delivery.DIRECT, Delivery.EVENTBRIDGE)) == [
        *("function.tag", "rule.create", "permission.add", "notification.put"),
        *("permission.remove", "function.tag"),
    ]


def test_from_eventbridge_to_a_queue_an_owned_eventbridge_is_turned_off_with_the_entry() -> None:
    plan = plan_enable(DESIRED[Delivery.SQS], with_owned_eventbridge())
    (put,) = actions(plan, "notification.put")
    assert put.arguments["subscription"].eventbridge is False
    assert calls(plan)[-3:] == ["permission.remove", "rule.delete", "function.tag"]


def test_the_function_is_tagged_with_both_deliveries_during_a_move() -> None:
    first, last = actions(move(Delivery.SQS, Delivery.DIRECT), "function.tag")
    assert first.arguments["tags"][DELIVERY_TAG] == "direct+sqs"
    assert last.arguments["tags"] == {DELIVERY_TAG: "direct"}


# Foreign resources and failed events


def test_a_queue_with_failed_events_is_not_deleted() -> None:
    observed = with_resources(Delivery.SQS, dead_letters=replace(DEAD_LETTERS, messages=3))
    with pytest.raises(ConflictError, match=r"holds 3 failed events.*process its messages again"):
        plan_enable(DESIRED[Delivery.DIRECT], observed)
    assert plan_enable(DESIRED[Delivery.SQS], observed).in_sync


@pytest.mark.parametrize("part", ["queue", "dead_letters"])
def test_a_foreign_queue_of_the_same_name_is_refused_and_kept(part: str) -> None:
    queue = getattr(DEPLOYED[Delivery.SQS].delivery_resources, part)
    observed = with_resources(Delivery.SQS, **{part: replace(queue, tags={})})
    with pytest.raises(ConflictError, match=r"arn:aws:sqs:.* already exists and was not created by this"):
        plan_enable(DESIRED[Delivery.SQS], observed)
    assert calls(plan_disable(DESIRED[Delivery.SQS], observed)).count("queue.delete") == 1


def test_a_foreign_rule_of_the_same_name_is_refused_and_kept() -> None:
    observed = with_resources(Delivery.EVENTBRIDGE, rule=replace(RULE, tags={}))
    with pytest.raises(ConflictError, match=r"arn:aws:events:.* already exists and was not created by this"):
        plan_enable(DESIRED[Delivery.EVENTBRIDGE], observed)
    assert "rule.delete" not in calls(plan_disable(DESIRED[Delivery.EVENTBRIDGE], observed))


# Differences


def with_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"queue": replace(QUEUE, attributes={**QUEUE.attributes, **attributes})}


@pytest.mark.parametrize(
    ("delivery", "changes", "call"),
    [
        (Delivery.SQS, with_attributes({"VisibilityTimeout": "1"}), "queue.update"),
        (Delivery.SQS, with_attributes({"Policy": {}}), "queue.update"),
        (Delivery.SQS, {"dead_letters": replace(DEAD_LETTERS, attributes={})}, "queue.update"),
        (Delivery.SQS, {"mapping": replace(MAPPING, configuration={"Enabled": False})}, "mapping.update"),
        (Delivery.EVENTBRIDGE, {"rule": replace(RULE, pattern={})}, "rule.update"),
        (Delivery.EVENTBRIDGE, {"rule": replace(RULE, state="DISABLED")}, "rule.update"),
        (Delivery.EVENTBRIDGE, {"rule": replace(RULE, target=None)}, "rule.update"),
    ],
    ids=["visibility", "policy", "dead letters", "mapping", "pattern", "state", "target"],
)
def test_a_resource_that_differs_is_updated_in_place(
    delivery: Delivery, changes: dict[str, Any], call: str
) -> None:
    assert calls(plan_enable(DESIRED[delivery], with_resources(delivery, **changes))) == [call]


@pytest.mark.parametrize(
    ("delivery", "part"),
    [
        (Delivery.SQS, "queue"),
        (Delivery.SQS, "dead_letters"),
        (Delivery.SQS, "mapping"),
        (Delivery.EVENTBRIDGE, "rule"),
    ],
)
def test_a_missing_resource_is_created_again(delivery: Delivery, part: str) -> None:
    plan = plan_enable(DESIRED[delivery], with_resources(delivery, **{part: None}))
    assert [action.verb for action in plan.actions] == ["create"]


def test_foreign_tags_and_attributes_make_no_difference() -> None:
    queue = replace(
        QUEUE, tags={**QUEUE.tags, "cost": "1"}, attributes={**QUEUE.attributes, "DelaySeconds": "0"}
    )
    assert plan_enable(DESIRED[Delivery.SQS], with_resources(Delivery.SQS, queue=queue)).in_sync


# EventBridge on the bucket


def test_a_rule_is_tagged_if_this_tool_turns_on_eventbridge() -> None:
    (create,) = actions(plan_enable(DESIRED[Delivery.EVENTBRIDGE], NOTHING), "rule.create")
    assert create.arguments["rule"].tags.items() >= SWITCHED_ON.items()


def test_a_rule_is_not_tagged_if_eventbridge_is_on_already() -> None:
    observed = replace(NOTHING, notifications={"EventBridgeConfiguration": {}})
    plan = plan_enable(DESIRED[Delivery.EVENTBRIDGE], observed)
    (create,) = actions(plan, "rule.create")
    assert SWITCH_TAG not in create.arguments["rule"].tags
    assert "notification.put" not in calls(plan)


def test_a_rule_is_tagged_before_eventbridge_is_turned_on_again() -> None:
    observed = replace(DEPLOYED[Delivery.EVENTBRIDGE], notifications={})
    assert calls(plan_enable(DESIRED[Delivery.EVENTBRIDGE], observed)) == ["rule.update", "notification.put"]


def test_disable_turns_off_an_owned_eventbridge() -> None:
    plan = plan_disable(DESIRED[Delivery.EVENTBRIDGE], with_owned_eventbridge())
    (remove,) = actions(plan, "notification.remove")
    assert remove.arguments["eventbridge"] is False


def test_disable_leaves_eventbridge_on_if_a_foreign_rule_needs_it() -> None:
    plan = plan_disable(DESIRED[Delivery.EVENTBRIDGE], with_owned_eventbridge(other_rules=("foreign",)))
    assert calls(plan) == [*REMOVALS[Delivery.EVENTBRIDGE], *REMOVALS_OF_THE_REST]


def test_disable_leaves_eventbridge_on_if_another_owner_turned_it_on() -> None:
    plan = plan_disable(DESIRED[Delivery.EVENTBRIDGE], DEPLOYED[Delivery.EVENTBRIDGE])
    assert "notification.remove" not in calls(plan)
