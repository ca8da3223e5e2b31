"""What a run says at its end: events may have been missed while resources were missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.models import DeliveryResources, Desired, Observed, Plan
from pypicloud_s3sync.deploy.plan.planner import plan_enable
from pypicloud_s3sync.deploy.problems import ADD_MISSED
from pypicloud_s3sync.deploy.runs.results import disabled, enabled, missed_events
from support.fakes import NOTHING, deployed, make_desired, not_none
from support.plans import DEPLOYED, DESIRED, with_configuration

SQS, EVENTBRIDGE = make_desired(s3sync__delivery="sqs"), make_desired(s3sync__delivery="eventbridge")


def without(desired: Desired, part: str) -> Observed:
    observed = deployed(desired)
    changes: dict[str, Any] = {part: None}
    return replace(observed, delivery_resources=replace(observed.delivery_resources, **changes))


def with_disabled_mapping(desired: Desired) -> Observed:
    observed = deployed(desired)
    mapping = not_none(observed.delivery_resources.mapping)
    mapping = replace(mapping, configuration={**mapping.configuration, "Enabled": False})
    return replace(observed, delivery_resources=replace(observed.delivery_resources, mapping=mapping))


REPAIRED: dict[str, tuple[Desired, Observed]] = {
    "notification": (DESIRED, replace(DEPLOYED, notifications={})),
    "permission": (DESIRED, replace(DEPLOYED, statements=())),
    "function": (DESIRED, replace(DEPLOYED, function=None, statements=())),
    "role": (DESIRED, replace(DEPLOYED, role=None)),
    "queue": (SQS, without(SQS, "queue")),
    "rule": (EVENTBRIDGE, without(EVENTBRIDGE, "rule")),
}


@pytest.mark.parametrize("part", REPAIRED)
def test_a_part_that_carries_events_and_was_missing_is_named_with_what_to_do(part: str) -> None:
    text = enabled(plan_enable(*REPAIRED[part]))
    assert text.startswith("S3 sync is on. Events may have been missed")
    assert part in text
    assert ADD_MISSED[1:] in text


def test_a_rule_that_was_disabled_is_named() -> None:
    observed = deployed(EVENTBRIDGE)
    rule = replace(not_none(observed.delivery_resources.rule), state="DISABLED")
    resources = replace(observed.delivery_resources, rule=rule)
    plan = plan_enable(EVENTBRIDGE, replace(observed, delivery_resources=resources))
    assert "rule" in missed_events(plan)


@pytest.mark.parametrize(
    "plan",
    [
        plan_enable(DESIRED, NOTHING),
        plan_enable(DESIRED, replace(NOTHING, log_group=replace(DESIRED.log_group, retention_days=7))),
        plan_enable(DESIRED, with_configuration(MemorySize=128)),
        plan_enable(DESIRED, replace(DEPLOYED, log_group=None)),
        # The events wait in the queue.
        plan_enable(DESIRED, with_disabled_mapping(DESIRED)),
        plan_enable(SQS, with_disabled_mapping(SQS)),
        plan_enable(SQS, without(SQS, "mapping")),
    ],
    ids=[
        *("the first installation", "a log group of earlier", "another size", "a missing log group"),
        *("a disabled mapping", "a disabled mapping of sqs", "a missing mapping"),
    ],
)
def test_a_change_that_loses_no_event_has_no_warning(plan: Plan) -> None:
    assert enabled(plan) == "S3 sync is on."


def test_nothing_to_do_is_said() -> None:
    nothing: Any = plan_enable(DESIRED, DEPLOYED)
    assert enabled(nothing) == disabled(nothing) == "Nothing to do."


def without_net(target: dict[str, str]) -> Plan:
    function = not_none(with_configuration(DeadLetterConfig=target).function)
    return plan_enable(DESIRED, replace(DEPLOYED, function=function, delivery_resources=DeliveryResources()))


def test_nothing_was_missed_by_a_function_that_gets_its_queues_with_an_upgrade() -> None:
    """S3 invoked it before, and goes on doing so."""
    plan = without_net({})
    assert {"queue", "event source mapping"} <= {action.resource for action in plan.actions}
    assert missed_events(plan) == ""
    assert missed_events(without_net({"TargetArn": "arn:aws:sns:eu-west-1:111122223333:foreign"})) == ""


def test_failed_events_may_have_been_missed_if_the_queue_was_deleted() -> None:
    target = {"TargetArn": not_none(DESIRED.delivery_resources.queue).arn}
    assert "missing or different (queue)" in missed_events(without_net(target))
