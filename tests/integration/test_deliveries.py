"""Each delivery, and each move from one delivery to another, on an AWS that enforces IAM."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.delivery import message_count
from pypicloud_s3sync.deploy.state.status_document import status_document
from pypicloud_s3sync.devtools.processes import wait_until
from support.deliveries import MOVES, MUTATIONS, NO_RESOURCES, delivery_resources, deployment, remains
from support.foreign import create_notifications
from support.moto_world import notification_of
from support.sites import NOTHING, Site, zip_of
from support.slow import others_are_slow

pytestmark = pytest.mark.untraced


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
    document = status_document(deployment(site, delivery).plan(), settings)
    assert document["state"] == "on"
    assert document["delivery"] == delivery
    assert document["foreign_notifications"] == 0
    assert {resource["state"] for resource in document["resources"]} == {"ok"}
    assert all(resource["name"] for resource in document["resources"])


# Moving from one delivery to another


@pytest.mark.parametrize(("before", "after"), others_are_slow(MOVES), ids=lambda delivery: delivery)
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


def test_events_of_the_previous_delivery_are_handled_after_a_move(site: Site) -> None:
    deployment(site, Delivery.SQS).enable()
    for number in range(20):
        site.client("s3").put_object(Bucket=site.bucket, Key=f"a/b-{number}.tar.gz", Body=b"x")
    deployment(site, Delivery.DIRECT).enable()
    queue = site.deployment().plan().observed.delivery_resources.queue
    assert queue is not None
    counts = {"QueueUrl": queue.url, "AttributeNames": ["All"]}
    wait_until(
        lambda: message_count(site.client("sqs").get_queue_attributes(**counts)["Attributes"]) == 0,
        "the queue is empty",
    )
    assert invocations(site)


FAILING = "def handle_s3_event(event, context):\n    raise RuntimeError('the cache is down')\n"


def test_an_event_that_direct_delivery_gives_up_is_in_the_queue(site: Site, tmp_path: Path) -> None:
    """Lambda drops it after three attempts; the queue keeps it for two weeks."""
    bundle = tmp_path / "failing.zip"
    bundle.write_bytes(zip_of(FAILING))
    site.deployment(s3sync__bundle=str(bundle)).enable()
    site.client("s3").put_object(Bucket=site.bucket, Key="a/b-1.0.tar.gz", Body=b"x")

    def waiting() -> int:
        queue = site.deployment().plan().observed.delivery_resources.queue
        return queue.messages if queue else 0

    wait_until(waiting, "the event waits in the queue")


REPORTING = """
def handle_s3_event(event, context):
    failed = [{"itemIdentifier": item["messageId"]} for item in event["Records"] if "broken" in item["body"]]
    return {"batchItemFailures": failed}
"""


def test_a_replay_deletes_the_failed_events_that_succeed(site: Site, tmp_path: Path) -> None:
    bundle = tmp_path / "reporting.zip"
    bundle.write_bytes(zip_of(REPORTING))
    deployment = site.deployment(s3sync__bundle=str(bundle))
    deployment.enable()
    failed = deployment.plan().observed.delivery_resources.dead_letters
    assert failed is not None
    for key in ("a/one-1.0.tar.gz", "a/broken-1.0.tar.gz", "a/two-1.0.tar.gz"):
        body = json.dumps(notification_of(key, bucket=site.bucket))
        site.client("sqs").send_message(QueueUrl=failed.url, MessageBody=body)
    result = deployment.replay()
    assert result.succeeded == 2
    assert [event.keys for event in result.failed] == [("a/broken-1.0.tar.gz",)]
    (queue,) = [found for found in deployment.status()["resources"] if found["name"] == failed.name]
    assert queue["messages"] == 1


def test_deployments_with_different_deliveries_do_not_affect_each_other(
    make_site: Callable[..., Site],
) -> None:
    sites = {delivery: make_site() for delivery in Delivery}
    for delivery, site in sites.items():
        deployment(site, delivery).enable()
    deployment(sites[Delivery.SQS], Delivery.SQS).disable()
    deployment(sites[Delivery.DIRECT], Delivery.DIRECT).disable()
    assert deployment(sites[Delivery.EVENTBRIDGE], Delivery.EVENTBRIDGE).plan().in_sync
