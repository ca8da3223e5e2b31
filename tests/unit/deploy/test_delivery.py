"""What each delivery asks for, and when the bucket's switch of EventBridge is ours: values in, values out."""

import re
from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.delivery import deliveries_of, listens_to, may_switch_off, switched_by_us
from pypicloud_s3sync.deploy.models import DELIVERY_TAG, OWNER_TAG, SWITCH_TAG, DeliveryResources
from support.fakes import ACCOUNT, BUCKET, NOTHING, REGION, deployed, make_desired

BY_QUEUE = make_desired(s3sync__delivery="sqs", s3sync__timeout="30", s3sync__tags="team=infra")
BY_RULE = make_desired(s3sync__delivery="eventbridge", s3sync__tags="team=infra")
DIRECT = make_desired()
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{BY_QUEUE.names.queue}"
RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{BY_RULE.names.rule}"


def test_direct_delivery_needs_nothing_in_between():
    assert DIRECT.delivery_resources == DeliveryResources()
    assert DIRECT.subscription.kind == "LambdaFunctionConfigurations"
    assert DIRECT.permission["Principal"] == "s3.amazonaws.com"


def test_only_s3_may_send_to_the_queue_and_only_for_this_bucket_of_this_account():
    (statement,) = BY_QUEUE.delivery_resources.queue.attributes["Policy"]["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", QUEUE_ARN)
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }


def test_the_queue_hides_a_message_for_six_timeouts_and_gives_it_up_after_five_tries():
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    attributes = BY_QUEUE.delivery_resources.queue.attributes
    assert attributes["VisibilityTimeout"] == "180"
    assert attributes["RedrivePolicy"] == {
        "deadLetterTargetArn": BY_QUEUE.delivery_resources.dead_letters.arn,
        "maxReceiveCount": 5,
    }


def test_what_failed_is_kept_as_long_as_sqs_keeps_anything_and_comes_from_our_queue_only():
    attributes = BY_QUEUE.delivery_resources.dead_letters.attributes
    assert attributes["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert attributes["RedriveAllowPolicy"] == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [QUEUE_ARN],
    }


@pytest.mark.parametrize(
    "queue",
    [BY_QUEUE.delivery_resources.queue, BY_QUEUE.delivery_resources.dead_letters],
    ids=["queue", "failed"],
)
def test_each_queue_is_encrypted_and_tagged(queue):
    assert queue.attributes["SqsManagedSseEnabled"] == "true"
    assert queue.tags == {"team": "infra", OWNER_TAG: BUCKET}


def test_the_function_answers_with_the_messages_that_failed():
    assert BY_QUEUE.delivery_resources.mapping.configuration["FunctionResponseTypes"] == [
        "ReportBatchItemFailures"
    ]


def test_nobody_may_invoke_a_function_that_lambda_polls_for():
    assert BY_QUEUE.permission is None
    assert BY_QUEUE.subscription.entry["QueueArn"] == QUEUE_ARN


def test_only_the_rule_may_invoke_a_function_that_eventbridge_calls():
    assert BY_RULE.permission == {
        "FunctionName": "sync",
        "StatementId": BY_RULE.names.rule_statement,
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": RULE_ARN,
    }
    assert (BY_RULE.subscription.entry, BY_RULE.subscription.eventbridge) == (None, True)


def test_the_rule_takes_what_appears_and_disappears_in_this_bucket_under_the_prefix():
    assert BY_RULE.delivery_resources.rule.pattern == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Deleted"],
        "detail": {"bucket": {"name": [BUCKET]}},
    }
    under = make_desired(s3sync__delivery="eventbridge", storage__prefix="pkgs/")
    assert under.delivery_resources.rule.pattern["detail"]["object"] == {"key": [{"prefix": "pkgs/"}]}


def test_names_are_within_the_limits_of_each_service():
    """botocore: sqs 2012-11-05 CreateQueue, events 2015-10-07 RuleName, lambda 2015-03-31 StatementId."""
    long = make_desired(s3sync__function_name="f" * 64, storage__bucket="b." * 31 + "b")
    assert re.fullmatch(r"[\w-]{1,80}", long.names.queue)
    assert re.fullmatch(r"[\w-]{1,80}", long.names.dead_letters)
    assert re.fullmatch(r"[\w.-]{1,64}", long.names.rule)
    assert re.fullmatch(r"[\w-]{1,100}", long.names.rule_statement)
    assert len({long.names.queue, long.names.dead_letters}) == 2


@pytest.mark.parametrize(
    ("tag", "deliveries"),
    [("", set()), ("direct", {"direct"}), ("direct+sqs", {"direct", "sqs"}), ("pigeon", set())],
)
def test_the_functions_tag_tells_where_parts_may_be(tag, deliveries):
    function = replace(DIRECT.function, tags={DELIVERY_TAG: tag})
    assert deliveries_of(function) == deliveries
    assert deliveries_of(None) == set()


def observed(tags, other_rules=()):
    rule = replace(BY_RULE.delivery_resources.rule, tags=tags)
    return deployed(BY_RULE, delivery_resources=DeliveryResources(rule=rule, other_rules=other_rules))


def test_the_switch_is_ours_where_the_rule_says_so():
    assert switched_by_us(observed({SWITCH_TAG: "switched-on"}))
    assert not switched_by_us(observed({}))
    assert not switched_by_us(NOTHING)


def test_it_may_be_switched_off_where_nobody_else_listens():
    assert may_switch_off(observed({SWITCH_TAG: "switched-on"}))
    assert not may_switch_off(observed({SWITCH_TAG: "switched-on"}, other_rules=("theirs",)))
    assert not may_switch_off(observed({}))


@pytest.mark.parametrize(
    ("pattern", "listens"),
    [
        (BY_RULE.delivery_resources.rule.pattern, True),
        ({"source": ["aws.s3"]}, True),
        ({"account": [ACCOUNT]}, True),
        ({"source": [{"prefix": "aws."}]}, True),
        ({"source": ["aws.s3"], "detail": {"bucket": {"name": [{"prefix": "amzn"}]}}}, True),
        ({"source": ["aws.s3"], "detail": {"bucket": {"name": ["another", BUCKET]}}}, True),
        ({"source": ["aws.s3"], "detail": {"bucket": {"name": ["another"]}}}, False),
        ({"source": ["aws.ec2"]}, False),
    ],
)
def test_a_rule_that_may_get_the_buckets_events_is_known_by_its_pattern(pattern, listens):
    assert listens_to(pattern, BUCKET) is listens
