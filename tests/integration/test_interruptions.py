"""A run that is killed after a mutating call is finished by the next run, on an AWS that enforces IAM.

Every move, and every call with every fault, are in ``test_faults``, on a simulated AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.tags import ROLE_TAG
from pypicloud_s3sync.deploy.models import LogGroup
from pypicloud_s3sync.deploy.writers.log_groups import LogGroupWriter
from support.deliveries import (
    MOVES,
    MUTATIONS,
    NO_RESOURCES,
    delivery_resources,
    deployment,
    remains,
    wait_until_handled,
)
from support.foreign import create_notifications
from support.interruptions import calls_of_killed_runs, kill, mutating_calls
from support.sites import NOTHING, Site, zip_of
from support.slow import others_are_slow

pytestmark = pytest.mark.untraced

#: The mutating calls of enable with direct delivery.
CALLS_OF_ENABLE = len(MUTATIONS[Delivery.DIRECT])


@pytest.fixture
def other_bundle(tmp_path: Path) -> str:
    """A bundle with other code."""
    path = tmp_path / "other.zip"
    path.write_bytes(zip_of("def handle_s3_event(event, context):\n    return 'other'\n"))
    return str(path)


@pytest.mark.parametrize("killed_after", range(1, CALLS_OF_ENABLE + 1, 3))
def test_one_run_finishes_an_enable_that_was_killed(site: Site, killed_after: int) -> None:
    foreign = create_notifications(site)
    kill(site, site.deployment().enable, after=killed_after)
    site.deployment().enable()
    assert site.deployment().plan().in_sync
    site.deployment().disable()
    assert site.notifications() == foreign
    assert not site.remains()["roles"]


def test_the_next_run_finishes_an_update_that_was_killed_after_any_call(
    make_site: Callable[..., Site], other_bundle: str
) -> None:
    change = {
        "s3sync__tags": "a=b",
        "s3sync__timeout": "9",
        "s3sync__log_retention_days": "7",
        "storage__prefix": "x/",
        "s3sync__bundle": other_bundle,
    }
    # Tags that the settings no longer name stay, so each run begins with its own site.
    undisturbed, killed = make_site(), make_site()
    for site in (undisturbed, killed):
        site.deployment().enable()
    calls = mutating_calls(undisturbed, undisturbed.deployment(**change).enable)
    resumed = calls_of_killed_runs(killed, lambda: killed.deployment(**change).enable())
    assert sorted(resumed) == sorted(calls)
    assert killed.deployment(**change).plan().in_sync
    assert len(calls) > 5, calls
    interrupted = make_site()
    interrupted.deployment().enable()
    kill(interrupted, lambda: interrupted.deployment(**change).enable(), after=len(calls) // 2)
    interrupted.deployment(**change).enable()
    assert interrupted.deployment(**change).plan().in_sync


def test_the_next_run_finishes_a_disable_that_was_killed_after_any_call(site: Site) -> None:
    foreign = create_notifications(site)
    site.deployment().enable()
    calls = mutating_calls(site, lambda: site.deployment().disable())
    site.deployment().enable()
    assert calls_of_killed_runs(site, lambda: site.deployment().disable()) == calls
    assert site.remains() == {**NOTHING, "notifications": foreign}
    assert len(calls) == 9, calls


@pytest.mark.parametrize(("before", "after"), others_are_slow(MOVES[::3]), ids=lambda delivery: delivery)
def test_the_next_run_finishes_a_move_that_was_killed_after_any_call(
    site: Site, before: Delivery, after: Delivery
) -> None:
    foreign = create_notifications(site)
    deployment(site, before).enable()
    calls = mutating_calls(site, lambda: deployment(site, after).enable())
    deployment(site, before).enable()
    resumed = calls_of_killed_runs(site, lambda: deployment(site, after).enable())
    assert sorted(resumed) == sorted(calls)
    assert deployment(site, after).plan().in_sync
    assert len(calls) > 3, calls
    deployment(site, after).disable()
    assert site.notifications() == foreign
    assert delivery_resources(site) == NO_RESOURCES


@pytest.mark.parametrize("delivery", others_are_slow(MUTATIONS))
def test_the_next_run_finishes_an_enable_or_disable_that_was_killed_after_any_call(
    site: Site, delivery: Delivery
) -> None:
    assert calls_of_killed_runs(site, lambda: deployment(site, delivery).enable()) == MUTATIONS[delivery]
    assert deployment(site, delivery).plan().in_sync
    wait_until_handled(site)
    calls = mutating_calls(site, lambda: deployment(site, delivery).disable())
    deployment(site, delivery).enable()
    wait_until_handled(site)
    assert calls_of_killed_runs(site, lambda: deployment(site, delivery).disable()) == calls
    assert len(calls) > 5, calls
    assert delivery_resources(site) == NO_RESOURCES
    assert remains(site) == NOTHING


@pytest.mark.parametrize("delivery", others_are_slow(Delivery))
def test_runs_whose_calls_are_all_repeated_after_a_lost_response_do_not_notice(
    site: Site, delivery: Delivery
) -> None:
    """AWS answers a repeated creation that the resource exists, and a repeated deletion that it does not."""
    foreign = create_notifications(site)
    site.watch.loses_responses = True
    deployment(site, delivery).enable()
    assert deployment(site, delivery).plan().in_sync
    deployment(site, delivery).disable()
    assert site.notifications() == foreign
    assert delivery_resources(site) == NO_RESOURCES
    assert remains(site) == {**NOTHING, "notifications": foreign}


def test_a_log_group_that_a_late_invocation_creates_during_a_run_is_used_and_removed(site: Site) -> None:
    planned = site.deployment().plan().desired.log_group.name
    create = LogGroupWriter.create

    def create_late(writer: LogGroupWriter, group: LogGroup) -> None:
        site.client("logs").create_log_group(logGroupName=planned)
        create(writer, group)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LogGroupWriter, "create", create_late)
        site.deployment().enable()
    assert site.deployment().plan().in_sync
    removed = [action.resource for action in site.deployment().plan_disable().actions]
    assert "log group" in removed


def delete_role(site: Site) -> None:
    iam, name = site.client("iam"), site.deployment().plan().desired.names.role
    iam.delete_role_policy(RoleName=name, PolicyName="sync")
    iam.delete_role(RoleName=name)


def test_the_next_run_finishes_giving_a_function_its_new_role(site: Site) -> None:
    site.deployment().enable()
    names = site.deployment().plan().desired.names
    delete_role(site)
    calls = mutating_calls(site, lambda: site.deployment().enable())
    for killed_after in range(1, len(calls), 3):
        delete_role(site)
        kill(site, lambda: site.deployment().enable(), after=killed_after)
        site.deployment().enable()
        assert site.deployment().plan().in_sync, f"killed after {calls[killed_after - 1]}"
        role = site.client("iam").get_role(RoleName=names.role)["Role"]
        function = site.client("lambda").get_function(FunctionName=site.function)
        assert function["Tags"][ROLE_TAG] == role["RoleId"]
        assert function["Configuration"]["Role"] == role["Arn"]
        assert site.remains()["roles"] == [names.role]
    delete_role(site)
    kill(site, lambda: site.deployment().enable(), after=4)
    site.deployment().disable()
    assert remains(site) == NOTHING
