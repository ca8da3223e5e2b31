"""Reading the resources of those deliveries only that may have some."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.tags import DELIVERY_TAG, SWITCH_TAG
from pypicloud_s3sync.deploy.models import DeliveryResources, Function
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.delivery import find_delivery_resources
from support.fakes import FakeClients, make_desired, not_none, refusal

DESIRED = {delivery: make_desired(s3sync__delivery=delivery) for delivery in Delivery}
RULE = not_none(DESIRED[Delivery.EVENTBRIDGE].delivery_resources.rule)
NO_QUEUE = refusal("AWS.SimpleQueueService.NonExistentQueue")
NOT_FOUND = refusal("ResourceNotFoundException")


def find(
    answers: dict[str, Any], delivery: Delivery, function: Function | None = None, *, enabling: bool = True
) -> tuple[DeliveryResources, FakeClients]:
    clients = FakeClients(answers)
    resources = find_delivery_resources(Calls(clients), DESIRED[delivery], function, enabling=enabling)
    return resources, clients


READS = ["get_queue_url", "get_queue_url", "list_event_source_mappings"]


@pytest.mark.parametrize("delivery", [Delivery.DIRECT, Delivery.SQS])
def test_no_right_to_read_rules_is_needed_without_a_rule(delivery: Delivery) -> None:
    resources, clients = find({"get_queue_url": NO_QUEUE}, delivery)
    assert resources == DeliveryResources()
    assert clients.operations == READS


def test_the_rule_of_a_previous_delivery_is_read_because_of_the_tag() -> None:
    function = replace(DESIRED[Delivery.DIRECT].function, tags={DELIVERY_TAG: "direct+eventbridge"})
    answers = {"describe_rule": NOT_FOUND, "get_queue_url": NO_QUEUE}
    resources, clients = find(answers, Delivery.DIRECT, function)
    assert clients.operations == ["get_queue_url", "describe_rule", *READS[1:]]
    assert resources == DeliveryResources()


def answers_for_rule(tags: dict[str, str]) -> dict[str, Any]:
    return {
        "describe_rule": {"Arn": RULE.arn, "State": "ENABLED", "EventPattern": json.dumps(RULE.pattern)},
        "list_tags_for_resource": {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]},
        "get_queue_url": NO_QUEUE,
        "list_rules": {"Rules": [{"Name": "foreign", "EventPattern": json.dumps({"source": ["aws.s3"]})}]},
    }


@pytest.mark.parametrize(
    ("delivery", "enabling"),
    [(Delivery.EVENTBRIDGE, False), (Delivery.DIRECT, True)],
    ids=["disable", "move to direct"],
)
def test_other_rules_are_read_if_an_owned_eventbridge_may_be_turned_off(
    delivery: Delivery, enabling: bool
) -> None:
    function = replace(DESIRED[delivery].function, tags={DELIVERY_TAG: "direct+eventbridge"})
    resources, _ = find(answers_for_rule({SWITCH_TAG: "switched-on"}), delivery, function, enabling=enabling)
    assert resources.other_rules == ("foreign",)


@pytest.mark.parametrize("enabling", [True, False], ids=["enable", "disable"])
def test_the_queue_tells_of_a_rule_if_the_function_was_deleted_by_hand(enabling: bool) -> None:
    """The settings name another delivery since."""
    queue = not_none(DESIRED[Delivery.DIRECT].delivery_resources.queue)
    attributes = {"QueueArn": queue.arn}
    answers = {
        **answers_for_rule({}),
        "get_queue_url": [{"QueueUrl": "https://queue.example/q"}, NO_QUEUE],
        "get_queue_attributes": {"Attributes": attributes},
        "list_queue_tags": {"Tags": {SWITCH_TAG: "switched-on"}},
    }
    resources, _ = find(answers, Delivery.DIRECT, None, enabling=enabling)
    assert not_none(resources.rule).name == RULE.name
    assert resources.other_rules == ("foreign",)


@pytest.mark.parametrize(
    ("tags", "enabling"),
    [({SWITCH_TAG: "switched-on"}, True), ({}, False)],
    ids=["kept on", "turned on by another owner"],
)
def test_other_rules_are_not_read_otherwise(tags: dict[str, str], enabling: bool) -> None:
    _, clients = find(answers_for_rule(tags), Delivery.EVENTBRIDGE, enabling=enabling)
    assert "list_rules" not in clients.operations
