"""The schedule by which the function reconciles, on the embedded AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pypicloud_s3sync.sync.reconcile_requests import split
from support.sites import NOTHING, Killed, Site

DAILY: dict[str, str] = {"s3sync__reconcile_schedule": "rate(1 day)"}


def schedules(site: Site) -> list[str]:
    found = site.client("scheduler").list_schedules(GroupName="default")["Schedules"]
    return [schedule["Name"] for schedule in found if site.function in schedule["Name"]]


def test_it_is_created_changed_and_removed_and_a_second_run_changes_nothing(site: Site) -> None:
    site.deployment(**DAILY).enable()
    (name,) = schedules(site)
    schedule = site.client("scheduler").get_schedule(Name=name)
    assert (schedule["ScheduleExpression"], schedule["State"]) == ("rate(1 day)", "ENABLED")
    (asked,), _ = split(json.loads(schedule["Target"]["Input"]))
    assert asked.state == {}
    site.watch.mutations.clear()
    assert site.deployment(**DAILY).enable().in_sync
    assert site.watch.mutations == []

    site.deployment(s3sync__reconcile_schedule="cron(0 3 * * ? *)").enable()
    assert site.client("scheduler").get_schedule(Name=name)["ScheduleExpression"] == "cron(0 3 * * ? *)"
    site.deployment().enable()
    assert (schedules(site), [name for name in site.role_names() if "schedule" in name]) == ([], [])
    site.watch.mutations.clear()
    assert site.deployment().enable().in_sync
    assert site.watch.mutations == []


def test_other_schedules_stay(site: Site) -> None:
    scheduler, other = site.client("scheduler"), f"{site.function}-of-others"
    target = {
        "Arn": f"arn:aws:sqs:us-east-1:{site.aws.account_id}:other",
        "RoleArn": f"arn:aws:iam::{site.aws.account_id}:role/other",
    }
    scheduler.create_schedule(
        Name=other, ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    site.deployment(**DAILY).enable()
    site.deployment(**DAILY).disable()
    assert schedules(site) == [other]
    scheduler.delete_schedule(Name=other)


def test_a_run_that_is_killed_after_any_call_is_completed_by_the_next_one(site: Site) -> None:
    """The schedule, its role and the record are created, and then removed, one call after the other."""
    site.deployment().enable()
    settings: dict[str, str]
    for settings in (DAILY, {}):
        count, done = 0, False
        while not done:
            count += 1
            assert count < 12
            site.watch.mutations.clear()
            site.watch.kill_after = 1
            try:
                site.deployment(**settings).enable()
                done = True
            except Killed:
                pass
        site.watch.kill_after = None
        assert count > 2
        assert len(schedules(site)) == (1 if settings else 0)
        assert site.deployment(**settings).plan().in_sync


@pytest.mark.parametrize("kill_after", [1, 2, 3, 4])
def test_disable_that_is_killed_is_completed_by_the_next_one(site: Site, kill_after: int) -> None:
    site.deployment(**DAILY).enable()
    site.watch.mutations.clear()
    site.watch.kill_after = kill_after
    with pytest.raises(Killed):
        site.deployment(**DAILY).disable()
    site.watch.kill_after = None
    site.deployment(**DAILY).disable()
    remains: Any = site.remains()
    assert (schedules(site), remains) == ([], NOTHING)
