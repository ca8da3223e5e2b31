"""What changes queues, mapping and rule: calls in their order, patience for AWS's news only."""

import json
from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.writers.calls import PROPAGATION_TIMEOUT, Calls
from pypicloud_s3sync.deploy.writers.queues import MappingWriter, QueueWriter
from pypicloud_s3sync.deploy.writers.rules import RuleWriter
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import FakeClients, FakeTime, make_desired, refusal, there

BY_QUEUE = make_desired(s3sync__delivery="sqs").delivery_resources
BY_RULE = make_desired(s3sync__delivery="eventbridge").delivery_resources
THERE = there(BY_QUEUE)
NO_QUEUE = refusal("AWS.SimpleQueueService.NonExistentQueue")
GONE = refusal("ResourceNotFoundException", status=404)
HOLDING = {"Attributes": {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "2"}}
EMPTY = {"Attributes": {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}}
URL = {"url": "https://queue.example/queue", "queue": "queue"}


def calls_with(answers=None, time=None):
    time = time or FakeTime()
    return Calls(FakeClients(answers), time.clock, time.pause)


# Queues


def test_a_queue_is_made_with_its_documents_as_text():
    calls = calls_with()
    QueueWriter(calls).create(BY_QUEUE.queue)
    made = calls.clients.arguments("create_queue")
    assert all(isinstance(value, str) for value in made["Attributes"].values())
    assert json.loads(made["Attributes"]["Policy"]) == BY_QUEUE.queue.attributes["Policy"]
    assert made["tags"] == BY_QUEUE.queue.tags


def test_a_name_that_was_deleted_a_moment_ago_is_waited_for():
    """SQS gives it free after a minute: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/"""
    time = FakeTime()
    recently = refusal("AWS.SimpleQueueService.QueueDeletedRecently", "You must wait 60 seconds")
    calls = calls_with({"create_queue": [recently] * 60 + [{}]}, time)
    QueueWriter(calls).create(BY_QUEUE.queue)
    assert sum(time.pauses) == 60


def test_a_queue_that_may_not_be_made_is_an_error_at_once():
    calls = calls_with({"create_queue": refusal("AccessDenied")})
    with pytest.raises(AwsError, match="AccessDenied for sqs:CreateQueue on the queue"):
        QueueWriter(calls).create(BY_QUEUE.queue)
    assert calls.clients.operations == ["create_queue"]


def test_only_the_attributes_that_differ_are_set():
    before = replace(THERE.queue, attributes={**THERE.queue.attributes, "VisibilityTimeout": "1"})
    calls = calls_with()
    QueueWriter(calls).update(BY_QUEUE.queue, before)
    assert calls.clients.operations == ["set_queue_attributes"]
    assert calls.clients.arguments("set_queue_attributes") == {
        "QueueUrl": before.url,
        "Attributes": {"VisibilityTimeout": BY_QUEUE.queue.attributes["VisibilityTimeout"]},
    }


def test_missing_tags_are_put_on_a_queue():
    calls = calls_with()
    QueueWriter(calls).update(BY_QUEUE.queue, replace(THERE.queue, tags={}))
    assert calls.clients.operations == ["tag_queue"]


def test_a_queue_that_is_gone_already_is_no_error():
    QueueWriter(calls_with({"delete_queue": NO_QUEUE})).delete("https://queue.example/queue", "queue")


# The mapping


@pytest.mark.parametrize(
    "refused",
    [
        refusal(
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call ReceiveMessage on SQS",
        ),
        refusal("InvalidParameterValueException", "SQS Error Code: AWS.SimpleQueueService.NonExistentQueue."),
        refusal("ResourceConflictException", "An event source mapping with SQS arn exists", status=409),
    ],
    ids=["the role's rights", "the queue", "a mapping being deleted"],
)
def test_a_mapping_is_made_once_lambda_has_heard_the_news(refused):
    time = FakeTime()
    calls = calls_with({"create_event_source_mapping": [refused, refused, {}]}, time)
    MappingWriter(calls).create(BY_QUEUE.mapping)
    assert calls.clients.operations == ["create_event_source_mapping"] * 3
    assert len(time.pauses) == 2


def test_a_mapping_asks_for_the_messages_that_failed():
    calls = calls_with()
    MappingWriter(calls).create(BY_QUEUE.mapping)
    made = calls.clients.arguments("create_event_source_mapping")
    assert made["EventSourceArn"] == BY_QUEUE.queue.arn
    assert made["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_mapping_is_put_right_by_its_id():
    calls = calls_with()
    MappingWriter(calls).update("a-uuid", BY_QUEUE.mapping)
    assert calls.clients.arguments("update_event_source_mapping")["UUID"] == "a-uuid"


def test_a_mapping_goes_once_the_queue_is_empty():
    time = FakeTime()
    calls = calls_with({"get_queue_attributes": [HOLDING, HOLDING, EMPTY]}, time)
    MappingWriter(calls).delete("a-uuid", **URL)
    assert calls.clients.operations == ["get_queue_attributes"] * 3 + ["delete_event_source_mapping"]


def test_a_queue_that_does_not_empty_keeps_its_mapping():
    time = FakeTime()
    calls = calls_with({"get_queue_attributes": HOLDING}, time)
    with pytest.raises(AwsError, match="the queue queue still holds events, which would be lost with it"):
        MappingWriter(calls).delete("a-uuid", **URL)
    assert "delete_event_source_mapping" not in calls.clients.operations
    assert sum(time.pauses) > PROPAGATION_TIMEOUT


def test_a_mapping_whose_queue_is_gone_goes_at_once():
    calls = calls_with({"get_queue_attributes": NO_QUEUE})
    MappingWriter(calls).delete("a-uuid", **URL)
    assert calls.clients.operations[-1] == "delete_event_source_mapping"


def test_a_mapping_goes_at_once_where_no_queue_has_to_be_emptied():
    calls = calls_with()
    MappingWriter(calls).delete("a-uuid")
    assert calls.clients.operations == ["delete_event_source_mapping"]


def test_a_mapping_that_is_still_being_made_is_waited_for_and_one_that_is_gone_no_error():
    in_use = refusal("ResourceInUseException", "it is in use", status=400)
    calls = calls_with({"delete_event_source_mapping": [in_use, GONE]})
    MappingWriter(calls).delete("a-uuid")
    assert calls.clients.operations == ["delete_event_source_mapping"] * 2


# The rule


def test_a_rule_is_made_with_its_tags_before_it_has_a_target():
    calls = calls_with()
    RuleWriter(calls).create(BY_RULE.rule)
    assert calls.clients.operations == ["put_rule", "put_targets"]
    made = calls.clients.arguments("put_rule")
    assert json.loads(made["EventPattern"]) == BY_RULE.rule.pattern
    assert {tag["Key"]: tag["Value"] for tag in made["Tags"]} == BY_RULE.rule.tags


@pytest.mark.parametrize(
    ("before", "operations"),
    [
        ({"tags": {}}, ["tag_resource"]),
        ({"pattern": {}}, ["put_rule"]),
        ({"state": "DISABLED"}, ["put_rule"]),
        ({"target": None}, ["put_targets"]),
        ({"tags": {}, "pattern": {}, "target": None}, ["tag_resource", "put_rule", "put_targets"]),
    ],
    ids=["tags", "pattern", "state", "target", "all"],
)
def test_only_what_differs_of_a_rule_is_written(before, operations):
    calls = calls_with()
    RuleWriter(calls).update(BY_RULE.rule, replace(BY_RULE.rule, **before))
    assert calls.clients.operations == operations


def test_a_target_that_eventbridge_refuses_in_its_answer_is_an_error():
    failed = {
        "FailedEntryCount": 1,
        "FailedEntries": [{"ErrorCode": "X", "ErrorMessage": "no such function"}],
    }
    calls = calls_with({"put_targets": failed})
    with pytest.raises(AwsError, match=r"events:PutTargets on the rule .* failed: X: no such function"):
        RuleWriter(calls).create(BY_RULE.rule)


def test_a_rule_loses_all_its_targets_before_it_goes():
    targets = {"Targets": [{"Id": "ours", "Arn": "a"}, {"Id": "theirs", "Arn": "b"}]}
    calls = calls_with({"list_targets_by_rule": targets})
    RuleWriter(calls).delete("rule")
    assert calls.clients.operations == ["list_targets_by_rule", "remove_targets", "delete_rule"]
    assert calls.clients.arguments("remove_targets")["Ids"] == ["ours", "theirs"]


def test_a_rule_that_is_gone_already_is_no_error():
    calls = calls_with(dict.fromkeys(("list_targets_by_rule", "remove_targets", "delete_rule"), GONE))
    RuleWriter(calls).delete("rule")
