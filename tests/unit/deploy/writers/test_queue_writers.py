"""Creating, updating and deleting queues and the event source mapping."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.deploy.writers.queues import MappingWriter, QueueWriter
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import UUID, FakeCalls, FakeTime, created, make_desired, not_none, refusal

DESIRED = make_desired(s3sync__delivery="sqs").delivery_resources
QUEUE, MAPPING = not_none(DESIRED.queue), not_none(DESIRED.mapping)
CREATED = not_none(created(DESIRED).queue)
NO_QUEUE = refusal("AWS.SimpleQueueService.NonExistentQueue")
NOT_FOUND = refusal("ResourceNotFoundException", status=404)
URL = "https://queue.example/queue"


# Queues


def test_a_queue_is_created_with_its_documents_as_strings() -> None:
    calls = FakeCalls()
    QueueWriter(calls).create(QUEUE)
    sent = calls.clients.arguments("create_queue")
    assert all(isinstance(value, str) for value in sent["Attributes"].values())
    assert json.loads(sent["Attributes"]["Policy"]) == QUEUE.attributes["Policy"]
    assert sent["tags"] == QUEUE.tags


def test_creating_a_queue_is_retried_for_a_recently_deleted_name() -> None:
    """SQS blocks it for a minute: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/"""
    time = FakeTime()
    recently = refusal("AWS.SimpleQueueService.QueueDeletedRecently", "You must wait 60 seconds")
    calls = FakeCalls({"create_queue": [recently] * 60 + [{}]}, time)
    QueueWriter(calls).create(QUEUE)
    assert sum(time.pauses) == 60


def test_a_denied_creation_is_an_error_immediately() -> None:
    calls = FakeCalls({"create_queue": refusal("AccessDenied")})
    with pytest.raises(AwsError, match="AccessDenied for sqs:CreateQueue on the queue"):
        QueueWriter(calls).create(QUEUE)
    assert calls.clients.operations == ["create_queue"]


def test_only_the_attributes_that_differ_are_set() -> None:
    before = replace(CREATED, attributes={**CREATED.attributes, "VisibilityTimeout": "1"})
    calls = FakeCalls()
    QueueWriter(calls).update(QUEUE, before)
    assert calls.clients.operations == ["set_queue_attributes"]
    assert calls.clients.arguments("set_queue_attributes") == {
        "QueueUrl": before.url,
        "Attributes": {"VisibilityTimeout": QUEUE.attributes["VisibilityTimeout"]},
    }


def test_missing_tags_are_set_on_a_queue() -> None:
    calls = FakeCalls()
    QueueWriter(calls).update(QUEUE, replace(CREATED, tags={}))
    assert calls.clients.operations == ["tag_queue"]


def test_deleting_a_missing_queue_is_no_error() -> None:
    QueueWriter(FakeCalls({"delete_queue": NO_QUEUE})).delete(URL, "queue")


# The event source mapping


@pytest.mark.parametrize(
    "error",
    [
        refusal(
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call ReceiveMessage on SQS",
        ),
        refusal("InvalidParameterValueException", "SQS Error Code: AWS.SimpleQueueService.NonExistentQueue."),
        refusal("ResourceConflictException", "An event source mapping with SQS arn exists", status=409),
    ],
    ids=["role policy", "new queue", "deleted mapping"],
)
def test_creating_a_mapping_is_retried_until_changes_have_propagated(error: ClientError) -> None:
    time = FakeTime()
    calls = FakeCalls({"create_event_source_mapping": [error, error, {}]}, time)
    MappingWriter(calls).create(MAPPING)
    assert calls.clients.operations.count("create_event_source_mapping") == 3
    assert len(time.pauses) == 2


def test_a_mapping_is_created_with_partial_batch_responses() -> None:
    calls = FakeCalls()
    MappingWriter(calls).create(MAPPING)
    sent = calls.clients.arguments("create_event_source_mapping")
    assert sent["EventSourceArn"] == QUEUE.arn
    assert sent["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_mapping_is_updated_by_its_id() -> None:
    calls = FakeCalls()
    MappingWriter(calls).update(UUID, MAPPING)
    assert calls.clients.arguments("update_event_source_mapping")["UUID"] == UUID


def test_a_mapping_is_deleted_by_its_id() -> None:
    calls = FakeCalls()
    MappingWriter(calls).delete(UUID)
    assert calls.clients.operations == ["delete_event_source_mapping"]


def test_deleting_a_mapping_is_retried_while_it_is_in_use_and_ignores_a_missing_one() -> None:
    in_use = refusal("ResourceInUseException", "it is in use")
    calls = FakeCalls({"delete_event_source_mapping": [in_use, NOT_FOUND]})
    MappingWriter(calls).delete(UUID)
    assert calls.clients.operations == ["delete_event_source_mapping"] * 2
