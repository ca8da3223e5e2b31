"""Reading what stands between bucket and function, and not looking where there can be nothing."""

import json
from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.models import DELIVERY_TAG, SWITCH_TAG, DeliveryResources
from pypicloud_s3sync.deploy.readers.delivery import DeliveryReader, message_count
from pypicloud_s3sync.deploy.readers.reader import Reader
from support.fakes import BUCKET, FakeClients, make_desired, refusal

DESIRED = {kind: make_desired(s3sync__delivery=kind) for kind in ("direct", "sqs", "eventbridge")}
NO_QUEUE = refusal("AWS.SimpleQueueService.NonExistentQueue")
GONE = refusal("ResourceNotFoundException")


def read(answers, desired, function=None, *, enabling=True):
    clients = FakeClients(answers)
    return DeliveryReader(Reader(clients).find).resources(desired, function, enabling=enabling), clients


def of_queue(queue, **more):
    attributes = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in queue.attributes.items()
    }
    return {"Attributes": {"QueueArn": queue.arn, **attributes, **more}}


def test_nothing_is_looked_for_where_s3_invokes_the_function():
    route, clients = read({}, DESIRED["direct"])
    assert route == DeliveryResources()
    assert clients.calls == []


def test_the_functions_tag_says_where_something_may_be_left():
    function = replace(DESIRED["direct"].function, tags={DELIVERY_TAG: "direct+eventbridge"})
    route, clients = read({"describe_rule": GONE}, DESIRED["direct"], function)
    assert clients.operations == ["describe_rule"]
    assert route == DeliveryResources()


def test_queues_that_are_not_there_are_none():
    route, _ = read({"get_queue_url": NO_QUEUE}, DESIRED["sqs"])
    assert route == DeliveryResources()


def test_a_queue_that_goes_while_it_is_read_is_none():
    answers = {"get_queue_url": {"QueueUrl": "u"}, "get_queue_attributes": NO_QUEUE}
    assert read(answers, DESIRED["sqs"])[0].queue is None


@pytest.mark.parametrize("count", [5, "5"], ids=["a number", "a text"])
def test_a_queue_as_we_made_it_reads_as_we_want_it(count):
    queue = DESIRED["sqs"].delivery_resources.queue
    redrive = {**queue.attributes["RedrivePolicy"], "maxReceiveCount": count}
    answers = {
        "get_queue_url": {"QueueUrl": "u"},
        "get_queue_attributes": of_queue(queue, RedrivePolicy=json.dumps(redrive), DelaySeconds="0"),
        "list_queue_tags": {"Tags": dict(queue.tags)},
    }
    assert read(answers, DESIRED["sqs"])[0].queue == replace(queue, url="u")


def test_messages_that_wait_are_handled_or_delayed_all_count():
    counts = {
        "ApproximateNumberOfMessages": "1",
        "ApproximateNumberOfMessagesNotVisible": "2",
        "ApproximateNumberOfMessagesDelayed": "4",
    }
    assert message_count(counts) == 7


def mapping(**more):
    wanted = DESIRED["sqs"].delivery_resources.mapping
    configuration = {key: value for key, value in wanted.configuration.items() if key != "Enabled"}
    found = {
        "UUID": "a-uuid",
        "FunctionArn": wanted.function_arn,
        "State": "Enabled",
        **configuration,
        **more,
    }
    return {"get_queue_url": NO_QUEUE, "list_event_source_mappings": {"EventSourceMappings": [found]}}


@pytest.mark.parametrize("state", ["Creating", "Enabling", "Enabled", "Updating"])
def test_a_mapping_that_polls_or_is_about_to_is_as_wanted(state):
    route, clients = read(mapping(State=state), DESIRED["sqs"])
    assert route.mapping == replace(DESIRED["sqs"].delivery_resources.mapping, uuid="a-uuid")
    asked = clients.arguments("list_event_source_mappings")
    assert asked == {"EventSourceArn": DESIRED["sqs"].delivery_resources.mapping.queue_arn}


@pytest.mark.parametrize("state", ["Disabling", "Disabled"])
def test_a_mapping_that_was_switched_off_is_seen(state):
    assert read(mapping(State=state), DESIRED["sqs"])[0].mapping.configuration["Enabled"] is False


def test_a_mapping_that_is_being_deleted_or_is_another_functions_is_none():
    assert read(mapping(State="Deleting"), DESIRED["sqs"])[0].mapping is None
    assert read(mapping(FunctionArn="another"), DESIRED["sqs"])[0].mapping is None


def rule(tags=(), **target):
    wanted = DESIRED["eventbridge"].delivery_resources.rule
    return {
        "describe_rule": {
            "Arn": wanted.arn,
            "State": "ENABLED",
            "EventPattern": json.dumps(wanted.pattern),
        },
        "list_targets_by_rule": {"Targets": [{"Id": "theirs", "Arn": "x"}, {**wanted.target, **target}]},
        "list_tags_for_resource": {
            "Tags": [{"Key": key, "Value": value} for key, value in {**wanted.tags, **dict(tags)}.items()]
        },
    }


def test_a_rule_as_we_made_it_reads_as_we_want_it():
    kept = {"RetryPolicy": {"MaximumRetryAttempts": 3}, "DeadLetterConfig": {"Arn": "q"}}
    route, clients = read(rule(**kept), DESIRED["eventbridge"])
    assert route.rule == DESIRED["eventbridge"].delivery_resources.rule
    assert "list_rules" not in clients.operations


def test_a_target_that_hands_on_only_a_part_of_the_event_differs():
    route, _ = read(rule(InputPath="$.detail"), DESIRED["eventbridge"])
    assert route.rule.target != DESIRED["eventbridge"].delivery_resources.rule.target


def test_other_rules_are_only_looked_at_where_our_switch_may_go_off():
    ours, name = {SWITCH_TAG: "switched-on"}, DESIRED["eventbridge"].names.rule
    theirs = {"Name": "theirs", "EventPattern": json.dumps({"source": ["aws.s3"]})}
    others = {"Name": "others", "EventPattern": json.dumps({"source": ["aws.ec2"]})}
    pages = [
        {"Rules": [{"Name": name, "EventPattern": theirs["EventPattern"]}, others], "NextToken": "more"},
        {"Rules": [theirs, {"Name": "hourly", "ScheduleExpression": "rate(1 hour)"}]},
    ]
    route, clients = read({**rule(ours), "list_rules": pages}, DESIRED["eventbridge"], enabling=False)
    assert route.other_rules == ("theirs",)
    assert clients.calls[-1] == ("list_rules", {"NextToken": "more"})
    assert "list_rules" not in read(rule(ours), DESIRED["eventbridge"])[1].operations


def test_a_rule_is_looked_for_by_the_name_of_its_bucket():
    assert BUCKET in DESIRED["eventbridge"].names.rule
