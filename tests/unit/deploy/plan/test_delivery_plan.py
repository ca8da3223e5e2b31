"""What is done to whatever takes events to the function, and in which order: values in, values out."""

from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.models import DELIVERY_TAG, SWITCH_TAG, DeliveryResources
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from pypicloud_s3sync.deploy.policy import RECEIVE
from pypicloud_s3sync.exceptions import ConflictError
from support.fakes import BUCKET, NOTHING, deployed, make_desired

DESIRED = {kind: make_desired(s3sync__delivery=kind) for kind in ("direct", "sqs", "eventbridge")}
DEPLOYED = {kind: deployed(desired) for kind, desired in DESIRED.items()}
OURS = {SWITCH_TAG: "switched-on"}
#: What is made for a delivery, after role, log group and function.
MADE = {
    "direct": ["permission.add", "notification.put"],
    "sqs": ["queue.create", "queue.create", "mapping.create", "notification.put"],
    "eventbridge": ["rule.create", "permission.add", "notification.put"],
}
REMOVED = {
    "direct": ["notification.remove", "permission.remove"],
    "sqs": ["notification.remove", "mapping.delete", "queue.delete", "queue.delete"],
    "eventbridge": ["permission.remove", "rule.delete"],
}
REST_REMOVED = ["function.delete", "log_group.delete", "role.delete"]


def calls(plan):
    return [action.call for action in plan.actions]


def by_call(plan, call):
    return [action for action in plan.actions if action.call == call]


def switched_on_by_us(observed=DEPLOYED["eventbridge"], other_rules=()):
    rule = replace(observed.delivery_resources.rule, tags={**observed.delivery_resources.rule.tags, **OURS})
    return replace(observed, delivery_resources=DeliveryResources(rule=rule, other_rules=other_rules))


@pytest.mark.parametrize("kind", DESIRED)
def test_each_delivery_makes_its_parts_and_the_notification_last(kind):
    plan = plan_enable(DESIRED[kind], NOTHING)
    assert calls(plan) == ["role.create", "log_group.create", "function.create", *MADE[kind]]


@pytest.mark.parametrize("kind", DESIRED)
def test_each_delivery_is_in_sync_with_what_it_made(kind):
    assert plan_enable(DESIRED[kind], DEPLOYED[kind]).in_sync


@pytest.mark.parametrize("kind", DESIRED)
def test_disabling_removes_the_parts_of_the_delivery_that_is_there(kind):
    assert calls(plan_disable(DESIRED[kind], DEPLOYED[kind])) == [*REMOVED[kind], *REST_REMOVED]


def test_dead_letters_are_made_before_the_queue_that_sends_them():
    made = [action.resource for action in by_call(plan_enable(DESIRED["sqs"], NOTHING), "queue.create")]
    assert made == ["dead-letter queue", "queue"]


def move(before, after, **more):
    """The plan that goes from one delivery to another, on what AWS has then."""
    return plan_enable(DESIRED[after], replace(DEPLOYED[before], **more))


def test_from_direct_to_a_queue_the_notification_moves_before_the_permission_goes():
    assert calls(move("direct", "sqs")) == [
        *("role.update", "function.tag", "queue.create", "queue.create", "mapping.create"),
        *("notification.put", "permission.remove", "function.tag"),
    ]


def test_from_a_queue_to_direct_the_queue_is_emptied_before_it_goes_and_the_right_to_read_it_last():
    plan = move("sqs", "direct")
    assert calls(plan) == [
        *("function.tag", "permission.add", "notification.put"),
        *("mapping.delete", "queue.delete", "queue.delete", "role.update", "function.tag"),
    ]
    (emptied,) = by_call(plan, "mapping.delete")
    assert emptied.arguments["url"] == "https://queue.example/queue"
    (narrowed,) = by_call(plan, "role.update")
    assert RECEIVE not in str(narrowed.arguments["role"].policy)


def test_a_role_that_needs_other_rights_too_keeps_that_to_receive_until_the_queue_is_gone():
    desired = make_desired(storage__prefix="pkgs/")
    first, last = by_call(plan_enable(desired, DEPLOYED["sqs"]), "role.update")
    assert "pkgs/" in str(first.arguments["role"].policy)
    assert RECEIVE in str(first.arguments["role"].policy)
    assert last.arguments["role"] == desired.role


def test_from_direct_to_eventbridge_the_entry_goes_with_the_switch_and_then_the_permission():
    assert calls(move("direct", "eventbridge")) == [
        *("function.tag", "rule.create", "permission.add", "notification.put"),
        *("permission.remove", "function.tag"),
    ]


def test_from_eventbridge_to_a_queue_our_switch_goes_off_with_the_entry():
    plan = plan_enable(DESIRED["sqs"], switched_on_by_us())
    (put,) = by_call(plan, "notification.put")
    assert put.arguments["subscription"].eventbridge is False
    assert calls(plan)[-3:] == ["permission.remove", "rule.delete", "function.tag"]


def test_while_it_moves_the_function_is_tagged_with_both_deliveries():
    before, after = by_call(move("sqs", "direct"), "function.tag")
    assert before.arguments["tags"][DELIVERY_TAG] == "direct+sqs"
    assert after.arguments["tags"] == {DELIVERY_TAG: "direct"}


def test_a_queue_with_events_that_failed_is_not_thrown_away():
    route = DEPLOYED["sqs"].delivery_resources
    holding = replace(route, dead_letters=replace(route.dead_letters, messages=3))
    with pytest.raises(ConflictError, match=r"holds 3 events that failed.*start a redrive of it"):
        move("sqs", "direct", delivery_resources=holding)
    assert plan_enable(DESIRED["sqs"], replace(DEPLOYED["sqs"], delivery_resources=holding)).in_sync


@pytest.mark.parametrize("part", ["queue", "dead_letters"])
def test_a_queue_of_our_name_that_is_not_ours_is_refused(part):
    route = DEPLOYED["sqs"].delivery_resources
    theirs = replace(route, **{part: replace(getattr(route, part), tags={})})
    with pytest.raises(ConflictError, match=r"arn:aws:sqs:.* exists, which this tool did not make"):
        plan_enable(DESIRED["sqs"], replace(DEPLOYED["sqs"], delivery_resources=theirs))
    left = calls(plan_disable(DESIRED["sqs"], replace(DEPLOYED["sqs"], delivery_resources=theirs)))
    assert left.count("queue.delete") == 1


def test_a_rule_of_our_name_that_is_not_ours_is_refused_and_stays():
    theirs = DeliveryResources(rule=replace(DEPLOYED["eventbridge"].delivery_resources.rule, tags={}))
    observed = replace(DEPLOYED["eventbridge"], delivery_resources=theirs)
    with pytest.raises(ConflictError, match=r"arn:aws:events:.* exists, which this tool did not make"):
        plan_enable(DESIRED["eventbridge"], observed)
    assert "rule.delete" not in calls(plan_disable(DESIRED["eventbridge"], observed))


QUEUE, FAILED = DEPLOYED["sqs"].delivery_resources.queue, DEPLOYED["sqs"].delivery_resources.dead_letters
MAPPING, RULE = DEPLOYED["sqs"].delivery_resources.mapping, DEPLOYED["eventbridge"].delivery_resources.rule


def queue_with(**attributes):
    return replace(QUEUE, attributes={**QUEUE.attributes, **attributes})


@pytest.mark.parametrize(
    ("kind", "part", "changed", "call"),
    [
        (
            "sqs",
            "queue",
            replace(QUEUE, attributes={**QUEUE.attributes, "VisibilityTimeout": "1"}),
            "queue.update",
        ),
        ("sqs", "queue", replace(QUEUE, attributes={**QUEUE.attributes, "Policy": {}}), "queue.update"),
        ("sqs", "dead_letters", replace(FAILED, attributes={}), "queue.update"),
        ("sqs", "mapping", replace(MAPPING, configuration={"Enabled": False}), "mapping.update"),
        ("eventbridge", "rule", replace(RULE, pattern={}), "rule.update"),
        ("eventbridge", "rule", replace(RULE, state="DISABLED"), "rule.update"),
        ("eventbridge", "rule", replace(RULE, target=None), "rule.update"),
    ],
    ids=["visibility", "policy", "redrive", "mapping", "pattern", "state", "target"],
)
def test_a_part_that_differs_is_put_right_in_place(kind, part, changed, call):
    observed = replace(
        DEPLOYED[kind], delivery_resources=replace(DEPLOYED[kind].delivery_resources, **{part: changed})
    )
    assert calls(plan_enable(DESIRED[kind], observed)) == [call]


@pytest.mark.parametrize(
    ("kind", "part"), [("sqs", "queue"), ("sqs", "dead_letters"), ("sqs", "mapping"), ("eventbridge", "rule")]
)
def test_a_part_that_is_gone_is_made_again(kind, part):
    observed = replace(
        DEPLOYED[kind], delivery_resources=replace(DEPLOYED[kind].delivery_resources, **{part: None})
    )
    assert [action.verb for action in plan_enable(DESIRED[kind], observed).actions] == ["create"]


def test_tags_and_attributes_of_others_make_no_difference():
    queue = replace(
        QUEUE, tags={**QUEUE.tags, "cost": "1"}, attributes={**QUEUE.attributes, "DelaySeconds": "0"}
    )
    observed = replace(
        DEPLOYED["sqs"], delivery_resources=replace(DEPLOYED["sqs"].delivery_resources, queue=queue)
    )
    assert plan_enable(DESIRED["sqs"], observed).in_sync


# The bucket's switch of EventBridge


def test_a_rule_remembers_that_it_was_us_who_switched_it_on():
    (made,) = by_call(plan_enable(DESIRED["eventbridge"], NOTHING), "rule.create")
    assert made.arguments["rule"].tags.items() >= OURS.items()


def test_a_rule_on_a_bucket_that_sends_to_eventbridge_already_remembers_nothing():
    on = replace(NOTHING, notifications={"EventBridgeConfiguration": {}})
    plan = plan_enable(DESIRED["eventbridge"], on)
    (made,) = by_call(plan, "rule.create")
    assert SWITCH_TAG not in made.arguments["rule"].tags
    assert "notification.put" not in calls(plan)


def test_a_switch_that_somebody_turned_off_is_remembered_before_it_is_turned_on_again():
    off = replace(DEPLOYED["eventbridge"], notifications={})
    assert calls(plan_enable(DESIRED["eventbridge"], off)) == ["rule.update", "notification.put"]


def test_our_switch_goes_off_when_we_go():
    plan = plan_disable(DESIRED["eventbridge"], switched_on_by_us())
    (removed,) = by_call(plan, "notification.remove")
    assert removed.arguments["eventbridge"] is False


def test_a_switch_that_somebody_elses_rule_needs_stays_on():
    plan = plan_disable(DESIRED["eventbridge"], switched_on_by_us(other_rules=("theirs",)))
    assert calls(plan) == [*REMOVED["eventbridge"], *REST_REMOVED]


def test_a_switch_that_was_on_before_us_stays_on():
    assert "notification.remove" not in calls(plan_disable(DESIRED["eventbridge"], DEPLOYED["eventbridge"]))


def test_every_part_is_named_for_the_bucket_and_the_function():
    for kind in DESIRED:
        for action in plan_enable(DESIRED[kind], NOTHING).actions:
            assert BUCKET in action.name or "sync" in action.name, action
