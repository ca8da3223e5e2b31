"""Reading queues and the event source mapping."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.delivery import message_count
from pypicloud_s3sync.deploy.models import EventSourceMapping
from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.queues import find_mapping, find_queue
from support.fakes import UUID, FakeClients, make_desired, not_none, refusal

RESOURCES = make_desired(s3sync__delivery="sqs", s3sync__tags="team=infra").delivery_resources
QUEUE, MAPPING = not_none(RESOURCES.queue), not_none(RESOURCES.mapping)
NO_QUEUE = refusal("AWS.SimpleQueueService.NonExistentQueue")
URL = "https://queue.example/queue"


# Queues


def answers(**attributes: str) -> dict[str, Any]:
    """Return the answers of SQS for the queue as it was created."""
    created = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in QUEUE.attributes.items()
    }
    return {
        "get_queue_url": {"QueueUrl": URL},
        "get_queue_attributes": {"Attributes": {"QueueArn": QUEUE.arn, **created, **attributes}},
        "list_queue_tags": {"Tags": dict(QUEUE.tags)},
    }


@pytest.mark.parametrize("count", [120, "120"], ids=["number", "string"])
def test_a_created_queue_equals_the_desired_one(count: object) -> None:
    """SQS returns the count in the type in which it was written."""
    redrive = json.dumps({**QUEUE.attributes["RedrivePolicy"], "maxReceiveCount": count})
    clients = FakeClients(answers(RedrivePolicy=redrive, DelaySeconds="0"))
    assert find_queue(Calls(clients), QUEUE.name) == replace(QUEUE, url=URL)


def test_a_missing_queue_is_none() -> None:
    assert find_queue(Calls(FakeClients({"get_queue_url": NO_QUEUE})), "q") is None


@pytest.mark.parametrize("operation", ["get_queue_attributes", "list_queue_tags"])
def test_a_queue_that_is_deleted_while_it_is_read_is_none(operation: str) -> None:
    assert find_queue(Calls(FakeClients({**answers(), operation: NO_QUEUE})), "q") is None


COUNTS = {
    "ApproximateNumberOfMessages": "1",
    "ApproximateNumberOfMessagesNotVisible": "2",
    "ApproximateNumberOfMessagesDelayed": "4",
}


def test_visible_in_flight_and_delayed_messages_are_counted() -> None:
    assert message_count(COUNTS) == 7
    assert not_none(find_queue(Calls(FakeClients(answers(**COUNTS))), QUEUE.name)).messages == 7


# The event source mapping


def find(**fields: Any) -> tuple[EventSourceMapping | None, FakeClients]:
    """Read the mapping, of which Lambda returns some fields otherwise than they were created."""
    configuration = {key: value for key, value in MAPPING.configuration.items() if key != "Enabled"}
    found = {
        "UUID": UUID,
        "FunctionArn": MAPPING.function_arn,
        "State": "Enabled",
        **configuration,
        **fields,
    }
    clients = FakeClients({"list_event_source_mappings": {"EventSourceMappings": [found]}})
    arns = (f"{MAPPING.function_arn}:alias", MAPPING.function_arn)
    return find_mapping(Calls(clients), QUEUE.name, MAPPING.queue_arn, arns), clients


@pytest.mark.parametrize("state", ["Creating", "Enabling", "Enabled", "Updating"])
def test_a_created_mapping_equals_the_desired_one(state: str) -> None:
    mapping, clients = find(State=state)
    assert mapping == replace(MAPPING, uuid=UUID, initial={})
    assert clients.arguments("list_event_source_mappings") == {"EventSourceArn": MAPPING.queue_arn}


@pytest.mark.parametrize("state", ["Disabling", "Disabled"])
def test_a_disabled_mapping_is_not_enabled(state: str) -> None:
    assert not_none(find(State=state)[0]).configuration["Enabled"] is False


def test_the_concurrency_of_a_mapping_is_read() -> None:
    scaling = {"ScalingConfig": {"MaximumConcurrency": 7}}
    assert not_none(find(**scaling)[0]).configuration.items() >= scaling.items()


def test_a_filter_of_a_mapping_is_noticed() -> None:
    pattern = {"Pattern": json.dumps({"body": {"kind": ["upload"]}})}
    assert not_none(find(FilterCriteria={"Filters": [pattern]})[0]).has_filter
    assert not not_none(find(FilterCriteria={})[0]).has_filter


@pytest.mark.parametrize(
    ("function", "state", "reads"),
    [
        ("another", "Enabled", True),
        (f"{MAPPING.function_arn}-old", "Creating", True),
        ("another", "Disabled", False),
        (f"{MAPPING.function_arn}:live", "Enabled", False),
    ],
)
def test_a_foreign_function_that_reads_the_queue_is_noticed(function: str, state: str, reads: bool) -> None:
    own = {"UUID": UUID, "FunctionArn": MAPPING.function_arn, "State": "Enabled"}
    other = {"UUID": "other", "FunctionArn": function, "State": state}
    clients = FakeClients({"list_event_source_mappings": {"EventSourceMappings": [other, own]}})
    found = find_mapping(Calls(clients), QUEUE.name, MAPPING.queue_arn, (MAPPING.function_arn,))
    assert not_none(found).other_readers == ((function,) if reads else ())


def test_a_mapping_that_is_being_deleted_is_none() -> None:
    assert find(State="Deleting")[0] is None


def test_the_mapping_of_the_alias_is_found() -> None:
    arn = f"{MAPPING.function_arn}:alias"
    assert not_none(find(FunctionArn=arn)[0]).function_arn == arn


def test_the_mapping_of_another_function_is_none() -> None:
    assert find(FunctionArn=f"{MAPPING.function_arn}:another")[0] is None
    assert find(FunctionArn="another")[0] is None
