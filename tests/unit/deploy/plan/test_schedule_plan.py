from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.tags import OWNER_TAG, SCHEDULE_TAG
from pypicloud_s3sync.deploy.models import Desired, Observed, Plan, Schedule
from pypicloud_s3sync.deploy.plan.planner import compare, plan_disable, plan_enable
from pypicloud_s3sync.deploy.state.status_document import status_document
from pypicloud_s3sync.exceptions import ConflictError
from support.fakes import NOTHING, deployed, make_desired, make_settings, not_none

DAILY = make_desired(s3sync__reconcile_schedule="rate(1 day)")
NEVER = make_desired()


def steps(plan: Plan) -> list[str]:
    return [f"{action.verb} {action.resource}" for action in plan.actions]


def without_schedule(observed: Observed) -> Observed:
    return replace(observed, schedule=None, schedule_role=None)


def changed(observed: Observed, **arguments: Any) -> Observed:
    schedule = not_none(observed.schedule)
    return replace(observed, schedule=replace(schedule, arguments={**schedule.arguments, **arguments}))


def test_without_the_setting_there_is_no_schedule() -> None:
    assert not any("schedule" in step for step in steps(plan_enable(NEVER, NOTHING)))
    assert (NEVER.schedule, NEVER.schedule_role, NEVER.function.tags.get(SCHEDULE_TAG)) == (None, None, None)


def test_the_schedule_is_created_after_the_function_that_records_it_and_the_queue() -> None:
    found = steps(plan_enable(DAILY, NOTHING))
    order = ["create queue", "create function", "create schedule role", "create schedule"]
    assert [step for step in found if step in order] == order
    assert not_none(DAILY.schedule).arguments["ScheduleExpression"] == "rate(1 day)"
    assert DAILY.function.tags[SCHEDULE_TAG] == "created"


def test_the_role_may_only_send_to_the_queue_and_only_for_schedules_of_this_account() -> None:
    role = not_none(DAILY.schedule_role)
    (statement,) = not_none(role.policy)["Statement"]
    queue = not_none(DAILY.delivery_resources.queue).arn
    assert (statement["Action"], statement["Resource"]) == (["sqs:SendMessage"], queue)
    (trust,) = role.trust["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert set(trust["Condition"]["StringEquals"]) == {"aws:SourceAccount", "aws:SourceArn"}


def test_a_deployment_that_is_equal_needs_nothing() -> None:
    assert plan_enable(DAILY, deployed(DAILY)).in_sync


def test_a_schedule_that_was_changed_by_hand_is_corrected_and_keeps_what_others_set() -> None:
    target = {**not_none(DAILY.schedule).target, "RetryPolicy": {"MaximumRetryAttempts": 3}}
    observed = changed(
        deployed(DAILY),
        State="DISABLED",
        ScheduleExpression="rate(2 days)",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        Target=target,
    )
    (action,) = plan_enable(DAILY, observed).actions
    assert {change.field: (change.before, change.after) for change in action.changes} == {
        "State": ("DISABLED", "ENABLED"),
        "ScheduleExpression": ("rate(2 days)", "rate(1 day)"),
    }
    written = action.arguments["schedule"].arguments
    assert written["FlexibleTimeWindow"]["MaximumWindowInMinutes"] == 15
    assert written["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 3}


def test_the_role_is_corrected() -> None:
    role = replace(not_none(DAILY.schedule_role), policy=None)
    observed = replace(deployed(DAILY), schedule_role=role)
    assert steps(plan_enable(DAILY, observed)) == ["update schedule role"]


def test_without_the_setting_schedule_and_role_are_removed_and_then_the_record() -> None:
    plan = plan_enable(NEVER, deployed(DAILY))
    # The function's role loses the right to list the rows.
    assert steps(plan) == ["update role", "delete schedule", "delete schedule role", "update function"]
    assert plan.actions[-1].arguments["tags"] == {SCHEDULE_TAG: ""}
    # A run that was interrupted before the record was removed is completed.
    left = replace(without_schedule(deployed(DAILY)), role=NEVER.role)
    assert steps(plan_enable(NEVER, left)) == ["update function"]


def test_disable_removes_them_before_the_function_that_records_them() -> None:
    found = steps(plan_disable(NEVER, deployed(DAILY)))
    assert found[:2] == ["delete schedule", "delete schedule role"]
    assert "delete function" in found


def foreign(desired: Desired) -> Observed:
    observed = deployed(desired)
    schedule = not_none(observed.schedule)
    target = {**schedule.target, "Arn": "arn:aws:sqs:eu-west-1:111122223333:another"}
    return replace(observed, schedule=Schedule(schedule.name, {**schedule.arguments, "Target": target}))


def test_a_schedule_of_another_owner_is_in_the_way_and_is_never_removed() -> None:
    with pytest.raises(ConflictError, match=r"the schedule .* was not created by this tool"):
        plan_enable(DAILY, foreign(DAILY))
    assert "delete schedule" not in steps(plan_enable(NEVER, foreign(DAILY)))
    assert "delete schedule" not in steps(plan_disable(DAILY, foreign(DAILY)))


def test_a_role_of_another_owner_is_in_the_way_and_is_never_removed() -> None:
    role = replace(not_none(DAILY.schedule_role), tags={OWNER_TAG: "another-bucket"})
    observed = replace(deployed(DAILY), schedule_role=role)
    with pytest.raises(ConflictError, match=r"the role .* was not created by this tool"):
        plan_enable(DAILY, observed)
    assert "delete schedule role" not in steps(plan_disable(DAILY, observed))


def test_the_status_names_them() -> None:
    settings = make_settings(s3sync__reconcile_schedule="rate(1 day)")
    document = status_document(compare(DAILY, without_schedule(deployed(DAILY))), settings)
    states = {part["resource"]: part["state"] for part in document["resources"]}
    assert (states["schedule role"], states["schedule"]) == ("missing", "missing")
    assert document["state"] == "partial"
