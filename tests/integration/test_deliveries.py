"""Each delivery, and each move from one delivery to another, on an AWS that enforces IAM."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy import Deployment, documents
from pypicloud_s3sync.devtools.processes import wait_until
from support.foreign import create_notifications
from support.interruptions import calls_of_killed_runs, mutating_calls
from support.sites import NOTHING, Site

MUTATIONS_OF_ANY_DELIVERY = [
    *("iam:CreateRole", "iam:PutRolePolicy", "logs:CreateLogGroup", "logs:PutRetentionPolicy"),
    "lambda:CreateFunction",
]
#: The mutating calls of enable for each indirect delivery.
MUTATIONS = {
    Delivery.SQS: [
        *MUTATIONS_OF_ANY_DELIVERY,
        *("sqs:CreateQueue", "sqs:CreateQueue", "lambda:CreateEventSourceMapping"),
        "s3:PutBucketNotificationConfiguration",
    ],
    Delivery.EVENTBRIDGE: [
        *MUTATIONS_OF_ANY_DELIVERY,
        *("events:PutRule", "events:PutTargets", "lambda:AddPermission"),
        "s3:PutBucketNotificationConfiguration",
    ],
}
MOVES = [(before, after) for before in Delivery for after in Delivery if before is not after]
NO_RESOURCES: dict[str, Any] = {"queues": [], "mappings": 0, "rules": []}


def deployment(site: Site, delivery: Delivery) -> Deployment:
    return site.deployment(s3sync__delivery=delivery)


def delivery_resources(site: Site) -> dict[str, Any]:
    """Return the queues, the number of mappings and the rules of a site."""
    names = site.deployment().plan().desired.names
    urls = list(site.client("sqs").get_paginator("list_queues").paginate().search("QueueUrls[]"))
    mappings = site.client("lambda").list_event_source_mappings(FunctionName=site.function)
    rules = site.client("events").list_rules(NamePrefix=names.rule)["Rules"]
    return {
        "queues": sorted(
            url.rsplit("/", 1)[-1] for url in urls if url and url.endswith((names.queue, names.dead_letters))
        ),
        "mappings": len(mappings["EventSourceMappings"]),
        "rules": [rule["Name"] for rule in rules],
    }


def remains(site: Site) -> dict[str, Any]:
    """Return the remaining resources of a site except its log group.

    The emulator creates the log group again for an invocation in progress, for example by S3's test message.
    AWS would require logs:CreateLogGroup for that, which the role lacks.
    """
    return {**site.remains(), "log groups": []}


def invocations(site: Site) -> list[Any]:
    """Return the log events that Lambda itself writes at the start of each invocation."""
    response = site.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{site.function}")
    return [event for event in response["events"] if "START" in event["message"]]


@pytest.mark.parametrize("delivery", MUTATIONS)
def test_enable_creates_each_resource_once_and_a_second_enable_has_nothing_to_do(
    site: Site, delivery: Delivery
) -> None:
    deployment(site, delivery).enable()
    assert site.watch.mutations == MUTATIONS[delivery]
    site.watch.mutations.clear()
    assert deployment(site, delivery).enable().in_sync
    assert site.watch.mutations == []


@pytest.mark.parametrize("delivery", MUTATIONS)
def test_events_reach_the_function(site: Site, delivery: Delivery) -> None:
    deployment(site, delivery).enable()
    site.client("s3").put_object(Bucket=site.bucket, Key="a/b-1.0.tar.gz", Body=b"x")
    wait_until(lambda: invocations(site), f"the function was invoked by {delivery}")


@pytest.mark.parametrize("delivery", MUTATIONS)
def test_disable_removes_everything_and_keeps_foreign_notifications(site: Site, delivery: Delivery) -> None:
    foreign = create_notifications(site)
    deployment(site, delivery).enable()
    deployment(site, delivery).disable()
    assert delivery_resources(site) == NO_RESOURCES
    assert remains(site) == {**NOTHING, "notifications": foreign}


def test_disable_turns_off_eventbridge_if_enable_turned_it_on(site: Site) -> None:
    deployment(site, Delivery.EVENTBRIDGE).enable()
    assert site.notifications() == {"EventBridgeConfiguration": {}}
    deployment(site, Delivery.EVENTBRIDGE).disable()
    assert site.notifications() == {}


def test_disable_leaves_eventbridge_on_if_a_foreign_rule_needs_it(site: Site) -> None:
    deployment(site, Delivery.EVENTBRIDGE).enable()
    events, name = site.client("events"), f"foreign-{site.bucket}"
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [site.bucket]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    deployment(site, Delivery.EVENTBRIDGE).disable()
    events.delete_rule(Name=name)
    assert site.notifications() == {"EventBridgeConfiguration": {}}
    assert delivery_resources(site) == NO_RESOURCES


@pytest.mark.parametrize("delivery", MUTATIONS)
def test_the_status_is_on_and_names_each_resource(site: Site, delivery: Delivery) -> None:
    deployment(site, delivery).enable()
    settings = site.settings(s3sync__delivery=delivery)
    document = documents.status_document(deployment(site, delivery).plan(), settings)
    assert document["state"] == "on"
    assert document["delivery"] == delivery
    assert document["foreign_notifications"] == 0
    assert {resource["state"] for resource in document["resources"]} == {"ok"}
    assert all(resource["name"] for resource in document["resources"])


# Moving from one delivery to another


@pytest.mark.parametrize(("before", "after"), MOVES, ids=lambda delivery: delivery)
def test_a_move_leaves_no_resources_of_the_previous_delivery(
    make_site: Callable[..., Site], before: Delivery, after: Delivery
) -> None:
    moved, fresh = make_site(), make_site()
    foreign = create_notifications(moved)
    deployment(moved, before).enable()
    deployment(moved, after).enable()
    deployment(fresh, after).enable()
    assert deployment(moved, after).plan().in_sync
    assert {kind: bool(found) for kind, found in delivery_resources(moved).items()} == {
        kind: bool(found) for kind, found in delivery_resources(fresh).items()
    }
    deployment(moved, after).disable()
    assert moved.notifications() == foreign
    assert delivery_resources(moved) == NO_RESOURCES


def test_a_queue_is_drained_before_it_is_deleted(site: Site) -> None:
    deployment(site, Delivery.SQS).enable()
    for number in range(20):
        site.client("s3").put_object(Bucket=site.bucket, Key=f"a/b-{number}.tar.gz", Body=b"x")
    deployment(site, Delivery.DIRECT).enable()
    assert delivery_resources(site) == NO_RESOURCES
    assert invocations(site)


def test_deployments_with_different_deliveries_do_not_affect_each_other(
    make_site: Callable[..., Site],
) -> None:
    sites = {delivery: make_site() for delivery in Delivery}
    for delivery, site in sites.items():
        deployment(site, delivery).enable()
    deployment(sites[Delivery.SQS], Delivery.SQS).disable()
    deployment(sites[Delivery.DIRECT], Delivery.DIRECT).disable()
    assert deployment(sites[Delivery.EVENTBRIDGE], Delivery.EVENTBRIDGE).plan().in_sync


# Interrupted runs


@pytest.mark.parametrize(("before", "after"), MOVES, ids=lambda delivery: delivery)
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
    assert len(calls) > 5, calls
    deployment(site, after).disable()
    assert site.notifications() == foreign
    assert delivery_resources(site) == NO_RESOURCES


@pytest.mark.parametrize("delivery", MUTATIONS)
def test_the_next_run_finishes_an_enable_or_disable_that_was_killed_after_any_call(
    site: Site, delivery: Delivery
) -> None:
    assert calls_of_killed_runs(site, lambda: deployment(site, delivery).enable()) == MUTATIONS[delivery]
    assert deployment(site, delivery).plan().in_sync
    calls = mutating_calls(site, lambda: deployment(site, delivery).disable())
    deployment(site, delivery).enable()
    assert calls_of_killed_runs(site, lambda: deployment(site, delivery).disable()) == calls
    assert len(calls) > 5, calls
    assert delivery_resources(site) == NO_RESOURCES
    assert remains(site) == NOTHING
