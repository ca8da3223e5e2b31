"""Planning the actions on the resources of each delivery, and the move from one delivery to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.delivery import owns_eventbridge
from pypicloud_s3sync.deploy.desired.policy import SIDS
from pypicloud_s3sync.deploy.desired.tags import DELIVERY_TAG, SWITCH_TAG
from pypicloud_s3sync.deploy.models import DeliveryResources, NotificationOwner, Observed, Plan
from pypicloud_s3sync.deploy.notifications import subscribed
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from pypicloud_s3sync.exceptions import ConflictError
from support.fakes import BUCKET, NOTHING, deployed, make_desired, not_none
from support.plans import actions, calls

DESIRED = {delivery: make_desired(s3sync__delivery=delivery) for delivery in Delivery}
DEPLOYED = {delivery: deployed(desired) for delivery, desired in DESIRED.items()}
SWITCHED_ON = {SWITCH_TAG: "switched-on"}
#: The calls that create the resources of every delivery.
COMMON = [
    "role.create",
    "log_group.create",
    "queue.create",
    "queue.create",
    "function.create",
    "mapping.create",
]
#: The calls that create the rest.
CREATIONS = {
    Delivery.DIRECT: ["permission.add", "notification.put"],
    Delivery.SQS: ["notification.put"],
    Delivery.EVENTBRIDGE: ["rule.create", "notification.put"],
}
#: The calls that remove the resources of a delivery, before the rest.
REMOVALS = {
    Delivery.DIRECT: ["notification.remove", "permission.remove", "mapping.delete"],
    Delivery.SQS: ["notification.remove", "mapping.delete"],
    Delivery.EVENTBRIDGE: ["mapping.delete", "rule.delete"],
}
REMOVALS_OF_THE_REST = ["function.delete", "queue.delete", "queue.delete", "log_group.delete", "role.delete"]
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
    return with_resources(Delivery.EVENTBRIDGE, rule=rule, other_rules=other_rules)


# Creating and removing


@pytest.mark.parametrize("delivery", Delivery)
def test_the_resources_of_a_delivery_are_created_with_the_notification_last(delivery: Delivery) -> None:
    plan = plan_enable(DESIRED[delivery], NOTHING)
    assert calls(plan) == [*COMMON, *CREATIONS[delivery]]


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


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Delivery.DIRECT, Delivery.SQS, ["notification.put", "permission.remove"]),
        (Delivery.SQS, Delivery.DIRECT, ["permission.add", "notification.put"]),
        (
            *(Delivery.DIRECT, Delivery.EVENTBRIDGE),
            ["rule.create", "notification.put", "notification.put", "permission.remove"],
        ),
        (Delivery.SQS, Delivery.EVENTBRIDGE, ["rule.create", "notification.put", "notification.put"]),
        (Delivery.EVENTBRIDGE, Delivery.SQS, ["notification.put", "rule.delete"]),
        (Delivery.EVENTBRIDGE, Delivery.DIRECT, ["permission.add", "notification.put", "rule.delete"]),
    ],
)
def test_a_move_adds_the_new_way_before_it_removes_the_previous_one(
    before: Delivery, after: Delivery, expected: list[str]
) -> None:
    # The queue records that EventBridge is turned on for this tool.
    recorded = ["queue.update"] if after is Delivery.EVENTBRIDGE else []
    assert calls(move(before, after)) == [*recorded, "function.tag", *expected, "function.tag"]


@pytest.mark.parametrize("before", Delivery)
@pytest.mark.parametrize("after", Delivery)
def test_a_move_keeps_both_queues_and_the_mapping(before: Delivery, after: Delivery) -> None:
    plan = move(before, after)
    assert {"queue.delete", "mapping.delete", "mapping.update"}.isdisjoint(calls(plan))
    assert all(
        [change.field for change in each.changes] == ["tags"] for each in actions(plan, "queue.update")
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [(before, after) for before in Delivery for after in Delivery if before is not after],
)
def test_the_previous_way_is_removed_after_s3_has_stopped_using_it(before: Delivery, after: Delivery) -> None:
    """S3 uses the previous configuration for up to five minutes."""
    plan = move(before, after)
    delays = [action.delay for action in plan.actions]
    first = calls(plan).index("notification.put") + 1
    if (before, after) == (Delivery.SQS, Delivery.DIRECT):
        assert delays == [0] * len(delays), "the queue receives events of either delivery"
    else:
        assert delays == [0] * first + [300] + [0] * (len(delays) - first - 1)


def test_an_emulator_is_not_waited_for() -> None:
    desired = make_desired(s3sync__delivery="sqs", s3sync__endpoint_url="http://localhost:4566")
    assert {action.delay for action in plan_enable(desired, DEPLOYED[Delivery.DIRECT]).actions} == {0}


def test_a_new_deployment_is_not_delayed() -> None:
    for desired in DESIRED.values():
        assert {action.delay for action in plan_enable(desired, NOTHING).actions} == {0}


def test_the_entry_stays_until_s3_sends_to_eventbridge() -> None:
    """S3 needs some minutes to send the first event to EventBridge."""
    first, last = actions(move(Delivery.DIRECT, Delivery.EVENTBRIDGE), "notification.put")
    configuration = DEPLOYED[Delivery.DIRECT].notifications
    owner: NotificationOwner = first.arguments["owner"]
    during = subscribed(configuration, owner, first.arguments["subscription"])
    assert during == {**configuration, "EventBridgeConfiguration": {}}
    assert subscribed(during, owner, last.arguments["subscription"]) == {"EventBridgeConfiguration": {}}
    assert [change.field for change in first.changes] == ["EventBridge"]
    assert [change.field for change in last.changes] == ["entry"]


def test_an_owned_eventbridge_is_turned_off_after_s3_uses_the_entry() -> None:
    plan = plan_enable(DESIRED[Delivery.SQS], with_owned_eventbridge())
    first, last = actions(plan, "notification.put")
    assert first.arguments["subscription"].eventbridge is None
    assert (last.arguments["subscription"].eventbridge, last.delay) == (False, 300)
    assert calls(plan)[-3:] == ["notification.put", "rule.delete", "function.tag"]


def test_the_permission_of_an_earlier_rule_is_removed() -> None:
    """Versions before the queues let the rule invoke the function."""
    desired = DESIRED[Delivery.EVENTBRIDGE]
    statement = {"Sid": desired.names.rule_statement}
    observed = replace(DEPLOYED[Delivery.EVENTBRIDGE], statements=(statement,))
    assert calls(plan_enable(desired, observed)) == ["permission.remove"]


def test_the_function_is_tagged_with_both_deliveries_during_a_move() -> None:
    first, last = actions(move(Delivery.SQS, Delivery.DIRECT), "function.tag")
    assert first.arguments["tags"][DELIVERY_TAG] == "direct+sqs"
    assert last.arguments["tags"] == {DELIVERY_TAG: "direct"}


def test_the_net_is_added_to_a_function_without_one_before_anything_is_changed() -> None:
    """The function goes on handling events while the queues, the role and the mapping are added."""
    desired = DESIRED[Delivery.DIRECT]
    observed = DEPLOYED[Delivery.DIRECT]
    function = not_none(observed.function)
    without = {**function.configuration, "DeadLetterConfig": {}}
    observed = replace(
        observed,
        function=replace(function, configuration=without),
        delivery_resources=DeliveryResources(),
    )
    assert calls(plan_enable(desired, observed)) == [
        *("queue.create", "queue.create", "function.update_configuration", "mapping.create"),
    ]


# Foreign resources and failed events


def test_the_plan_of_disable_shows_how_many_events_are_deleted_with_the_queues() -> None:
    observed = with_resources(Delivery.DIRECT, dead_letters=replace(DEAD_LETTERS, messages=3))
    _, deletion = actions(plan_disable(DESIRED[Delivery.DIRECT], observed), "queue.delete")
    assert [(change.field, change.before) for change in deletion.changes] == [("messages", 3)]


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


FOREIGN_STATEMENT = {
    "Sid": "DenyInsecureTransport",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Resource": QUEUE.arn,
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


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


def test_statements_that_others_added_to_the_queue_stay() -> None:
    policy = {"Version": "2008-10-17", "Id": "x", "Statement": [FOREIGN_STATEMENT]}
    observed = with_resources(Delivery.SQS, **with_attributes({"Policy": policy}))
    (update,) = plan_enable(DESIRED[Delivery.SQS], observed).actions
    merged = update.arguments["queue"].attributes["Policy"]
    assert merged["Statement"][0] == FOREIGN_STATEMENT
    assert [statement["Sid"] for statement in merged["Statement"][1:]] == list(SIDS)
    assert (merged["Version"], merged["Id"]) == ("2008-10-17", "x")
    after = with_resources(Delivery.SQS, **with_attributes({"Policy": merged}))
    assert plan_enable(DESIRED[Delivery.SQS], after).in_sync


def test_a_queue_with_a_kms_key_keeps_it() -> None:
    attributes = {"KmsMasterKeyId": "alias/company", "SqsManagedSseEnabled": "false"}
    observed = with_resources(Delivery.SQS, **with_attributes(attributes))
    # Only the role changes, which may use the key.
    assert calls(plan_enable(DESIRED[Delivery.SQS], observed)) == ["role.update"]


def test_a_concurrency_that_was_set_by_hand_stays_unless_the_settings_have_one() -> None:
    configuration = {**MAPPING.configuration, "ScalingConfig": {"MaximumConcurrency": 7}}
    observed = with_resources(Delivery.SQS, mapping=replace(MAPPING, configuration=configuration))
    assert plan_enable(DESIRED[Delivery.SQS], observed).in_sync
    desired = make_desired(s3sync__delivery="sqs", s3sync__maximum_concurrency="9")
    (update,) = plan_enable(desired, observed).actions
    assert update.arguments["mapping"].configuration["ScalingConfig"] == {"MaximumConcurrency": 9}


def test_what_others_set_on_the_target_of_the_rule_stays() -> None:
    foreign = {"RetryPolicy": {"MaximumRetryAttempts": 3}, "DeadLetterConfig": {"Arn": "q"}}
    observed = with_resources(
        Delivery.EVENTBRIDGE, rule=replace(RULE, target={**not_none(RULE.target), **foreign})
    )
    assert plan_enable(DESIRED[Delivery.EVENTBRIDGE], observed).in_sync
    changed = with_resources(
        Delivery.EVENTBRIDGE,
        rule=replace(RULE, target={"Id": "pypicloud-s3sync", "Arn": "f", "InputPath": "$.detail", **foreign}),
    )
    (update,) = plan_enable(DESIRED[Delivery.EVENTBRIDGE], changed).actions
    assert update.arguments["rule"].target == {**not_none(RULE.target), **foreign}


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
    assert calls(plan_enable(DESIRED[Delivery.EVENTBRIDGE], observed)) == [
        *("queue.update", "function.tag", "rule.update", "notification.put")
    ]


def test_the_function_says_too_that_this_tool_turned_on_eventbridge() -> None:
    """The rule may be deleted by hand."""
    (create,) = actions(plan_enable(DESIRED[Delivery.EVENTBRIDGE], NOTHING), "function.create")
    assert create.arguments["function"].tags.items() >= SWITCHED_ON.items()
    function = not_none(DEPLOYED[Delivery.EVENTBRIDGE].function)
    tagged = replace(function, tags={**function.tags, **SWITCHED_ON})
    observed = replace(with_resources(Delivery.EVENTBRIDGE, rule=None), function=tagged)
    (remove,) = actions(plan_disable(DESIRED[Delivery.EVENTBRIDGE], observed), "notification.remove")
    assert remove.arguments["eventbridge"] is False


def test_the_function_no_longer_says_so_after_a_move() -> None:
    observed = with_owned_eventbridge()
    function = not_none(observed.function)
    observed = replace(observed, function=replace(function, tags={**function.tags, **SWITCHED_ON}))
    last = actions(plan_enable(DESIRED[Delivery.SQS], observed), "function.tag")[-1]
    assert last.arguments["tags"] == {DELIVERY_TAG: "sqs", SWITCH_TAG: ""}
    after = not_none(DEPLOYED[Delivery.SQS].function)
    after = replace(after, tags={**after.tags, SWITCH_TAG: ""})
    assert plan_enable(DESIRED[Delivery.SQS], replace(DEPLOYED[Delivery.SQS], function=after)).in_sync
    assert not owns_eventbridge(replace(DEPLOYED[Delivery.SQS], function=after))


def test_the_queue_says_so_before_anything_that_may_be_deleted_with_it() -> None:
    """The rule and the function may both be deleted by hand."""
    plan = plan_enable(DESIRED[Delivery.EVENTBRIDGE], NOTHING)
    assert actions(plan, "queue.create")[-1].arguments["queue"].tags.items() >= SWITCHED_ON.items()
    assert calls(plan).index("queue.create") < calls(plan).index("notification.put")
    tagged = replace(QUEUE, tags={**QUEUE.tags, **SWITCHED_ON})
    deleted = replace(with_resources(Delivery.EVENTBRIDGE, rule=None, queue=tagged), function=None)
    (remove,) = actions(plan_disable(DESIRED[Delivery.EVENTBRIDGE], deleted), "notification.remove")
    assert remove.arguments["eventbridge"] is False
    foreign = with_resources(Delivery.EVENTBRIDGE, rule=None, queue=tagged, other_rules=("foreign",))
    assert "notification.remove" not in calls(plan_disable(DESIRED[Delivery.EVENTBRIDGE], foreign))


def test_the_queue_no_longer_says_so_after_a_move() -> None:
    tagged = replace(QUEUE, tags={**QUEUE.tags, **SWITCHED_ON})
    observed = replace(with_resources(Delivery.EVENTBRIDGE, rule=None, queue=tagged), function=None)
    plan = plan_enable(DESIRED[Delivery.SQS], observed)
    last = actions(plan, "queue.update")[-1]
    assert last.arguments["queue"].tags == {SWITCH_TAG: ""}
    assert calls(plan).index("queue.update") > calls(plan).index("notification.put")
    moved = with_resources(Delivery.SQS, queue=replace(QUEUE, tags={**QUEUE.tags, SWITCH_TAG: ""}))
    assert not owns_eventbridge(moved)
    assert plan_enable(DESIRED[Delivery.SQS], moved).in_sync


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
