"""Each delivery, and every way from one to another, on an AWS that enforces IAM."""

import json

import pytest

from pypicloud_s3sync.deploy import documents
from pypicloud_s3sync.devtools.processes import wait_until
from support.sites import NOTHING, Killed

from .test_deployment import foreign_notifications

BASE = [
    *("iam:CreateRole", "iam:PutRolePolicy", "logs:CreateLogGroup", "logs:PutRetentionPolicy"),
    "lambda:CreateFunction",
]
MUTATIONS = {
    "sqs": [
        *BASE,
        *("sqs:CreateQueue", "sqs:CreateQueue", "lambda:CreateEventSourceMapping"),
        "s3:PutBucketNotificationConfiguration",
    ],
    "eventbridge": [
        *BASE,
        *("events:PutRule", "events:PutTargets", "lambda:AddPermission"),
        "s3:PutBucketNotificationConfiguration",
    ],
}
DELIVERIES = ("direct", *MUTATIONS)
MOVES = [(before, after) for before in DELIVERIES for after in DELIVERIES if before != after]


def by(site, delivery):
    return site.deployment(s3sync__delivery=delivery)


def between(site):
    """What there is of queues, mappings and rules."""
    name = site.deployment().plan().desired.names
    queues = list(site.client("sqs").get_paginator("list_queues").paginate().search("QueueUrls[]"))
    mappings = site.client("lambda").list_event_source_mappings(FunctionName=site.function)
    rules = site.client("events").list_rules(NamePrefix=name.rule)["Rules"]
    return {
        "queues": sorted(
            url.rsplit("/", 1)[-1] for url in queues if url and url.endswith((name.queue, name.dead_letters))
        ),
        "mappings": len(mappings["EventSourceMappings"]),
        "rules": [rule["Name"] for rule in rules],
    }


def remains(site):
    """What there is of the rest, but for the log group.

    The emulator makes that again for an invocation under way, by S3's test message for instance, where AWS
    would ask for logs:CreateLogGroup, which the role lacks.
    """
    return {**site.remains(), "log groups": []}


NOTHING_BETWEEN = {"queues": [], "mappings": 0, "rules": []}


def reached(site):
    """What the function heard of: its tiny code says nothing, but Lambda's log tells of each start."""
    logs = site.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{site.function}")
    return [event for event in logs["events"] if "START" in event["message"]]


@pytest.mark.parametrize("delivery", MUTATIONS)
def test_enable_makes_each_thing_once_and_a_second_time_nothing(site, delivery):
    by(site, delivery).enable()
    assert site.watch.mutations == MUTATIONS[delivery]
    site.watch.mutations.clear()
    assert by(site, delivery).enable().in_sync
    assert site.watch.mutations == []


@pytest.mark.parametrize("delivery", MUTATIONS)
def test_events_reach_the_function(site, delivery):
    by(site, delivery).enable()
    site.client("s3").put_object(Bucket=site.bucket, Key="a/b-1.0.tar.gz", Body=b"x")
    wait_until(lambda: reached(site), f"the function was invoked by {delivery}")


@pytest.mark.parametrize("delivery", MUTATIONS)
def test_disable_removes_all_of_it_and_leaves_what_others_have(site, delivery):
    theirs = foreign_notifications(site)
    by(site, delivery).enable()
    by(site, delivery).disable()
    assert between(site) == NOTHING_BETWEEN
    assert remains(site) == {**NOTHING, "notifications": theirs}


def test_eventbridge_is_switched_off_again_by_whom_it_was_switched_on(site):
    by(site, "eventbridge").enable()
    assert site.notifications() == {"EventBridgeConfiguration": {}}
    by(site, "eventbridge").disable()
    assert site.notifications() == {}


def test_eventbridge_stays_on_where_somebody_elses_rule_needs_it(site):
    by(site, "eventbridge").enable()
    events, name = site.client("events"), f"theirs-{site.bucket}"
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [site.bucket]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    by(site, "eventbridge").disable()
    events.delete_rule(Name=name)
    assert site.notifications() == {"EventBridgeConfiguration": {}}
    assert between(site) == NOTHING_BETWEEN


@pytest.mark.parametrize("delivery", MUTATIONS)
def test_status_is_on_and_names_each_part(site, delivery):
    by(site, delivery).enable()
    settings = site.settings(s3sync__delivery=delivery)
    document = documents.status_document(by(site, delivery).plan(), settings)
    assert document["state"] == "on"
    assert document["delivery"] == delivery
    assert document["foreign_notifications"] == 0
    assert {part["state"] for part in document["resources"]} == {"ok"}
    assert all(part["name"] for part in document["resources"])


@pytest.mark.parametrize(("before", "after"), MOVES, ids=lambda delivery: delivery)
def test_a_move_leaves_nothing_of_the_delivery_before(make_site, before, after):
    moved, fresh = make_site(), make_site()
    theirs = foreign_notifications(moved)
    by(moved, before).enable()
    by(moved, after).enable()
    by(fresh, after).enable()
    assert by(moved, after).plan().in_sync
    assert {kind: bool(found) for kind, found in between(moved).items()} == {
        kind: bool(found) for kind, found in between(fresh).items()
    }
    by(moved, after).disable()
    assert moved.notifications() == theirs
    assert between(moved) == NOTHING_BETWEEN


@pytest.mark.parametrize(("before", "after"), MOVES, ids=lambda delivery: delivery)
def test_killed_after_any_mutating_call_of_a_move_the_next_run_finishes(site, before, after):
    theirs = foreign_notifications(site)
    for killed_after in range(1, 30):
        by(site, before).enable()
        site.watch.mutations.clear()
        site.watch.kill_after = killed_after
        try:
            by(site, after).enable()
        except Killed:
            pass
        else:
            break
        finally:
            site.watch.kill_after = None
        by(site, after).enable()
        assert by(site, after).plan().in_sync, f"killed {killed_after}"
    assert killed_after > 5, site.watch.mutations
    by(site, after).disable()
    assert site.notifications() == theirs
    assert between(site) == NOTHING_BETWEEN


@pytest.mark.parametrize("delivery", MUTATIONS)
def test_killed_after_any_mutating_call_of_enable_or_disable_the_next_run_finishes(site, delivery):
    for run, other in (("enable", "disable"), ("disable", "enable")):
        for killed_after in range(1, 30):
            getattr(by(site, delivery), other)()
            site.watch.mutations.clear()
            site.watch.kill_after = killed_after
            try:
                getattr(by(site, delivery), run)()
            except Killed:
                pass
            else:
                break
            finally:
                site.watch.kill_after = None
            assert getattr(by(site, delivery), run)() is not None
            if run == "enable":
                assert by(site, delivery).plan().in_sync, f"killed {killed_after}"
            else:
                assert between(site) == NOTHING_BETWEEN, f"killed {killed_after}"
                assert remains(site) == NOTHING, f"killed {killed_after}"
        assert killed_after > 5, site.watch.mutations


def test_a_queue_is_emptied_before_it_is_removed(site):
    """Its events were handled before nobody polls any more."""
    by(site, "sqs").enable()
    for number in range(20):
        site.client("s3").put_object(Bucket=site.bucket, Key=f"a/b-{number}.tar.gz", Body=b"x")
    by(site, "direct").enable()
    assert between(site) == NOTHING_BETWEEN
    assert reached(site)


def test_two_deliveries_of_two_buckets_never_touch_each_other(make_site):
    sites = {delivery: make_site() for delivery in DELIVERIES}
    for delivery, site in sites.items():
        by(site, delivery).enable()
    by(sites["sqs"], "sqs").disable()
    by(sites["direct"], "direct").disable()
    assert by(sites["eventbridge"], "eventbridge").plan().in_sync
