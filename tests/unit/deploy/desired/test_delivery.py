"""Deriving the resources of each delivery, and deciding when EventBridge may be turned off for the bucket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.delivery import (
    deliveries_of,
    may_turn_off_eventbridge,
    owns_eventbridge,
)
from pypicloud_s3sync.deploy.desired.resources import desire
from pypicloud_s3sync.deploy.desired.tags import DELIVERY_TAG, OWNER_TAG, SWITCH_TAG
from pypicloud_s3sync.deploy.models import CacheTables, DeliveryResources, Observed, Queue
from support.fakes import (
    ACCOUNT,
    BUCKET,
    IDENTITY,
    NOTHING,
    REGION,
    deployed,
    make_desired,
    make_settings,
    not_none,
)

WITH_QUEUE = make_desired(s3sync__delivery="sqs", s3sync__timeout="30", s3sync__tags="team=infra")
WITH_RULE = make_desired(s3sync__delivery="eventbridge", s3sync__tags="team=infra")
DIRECT = make_desired()
QUEUE = not_none(WITH_QUEUE.delivery_resources.queue)
DEAD_LETTERS = not_none(WITH_QUEUE.delivery_resources.dead_letters)
MAPPING = not_none(WITH_QUEUE.delivery_resources.mapping)
RULE = not_none(WITH_RULE.delivery_resources.rule)
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{WITH_QUEUE.names.queue}"
RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{WITH_RULE.names.rule}"


@pytest.mark.parametrize("delivery", Delivery)
def test_every_delivery_has_both_queues_and_the_mapping(delivery: Delivery) -> None:
    resources = make_desired(s3sync__delivery=delivery).delivery_resources
    assert (resources.queue, resources.dead_letters) == (
        DIRECT.delivery_resources.queue,
        DIRECT.delivery_resources.dead_letters,
    )
    assert resources.mapping == DIRECT.delivery_resources.mapping


@pytest.mark.parametrize("delivery", Delivery)
def test_the_queue_is_the_dead_letter_target_of_the_function(delivery: Delivery) -> None:
    desired = make_desired(s3sync__delivery=delivery)
    assert desired.function.configuration["DeadLetterConfig"] == {"TargetArn": QUEUE_ARN}


def test_s3_invokes_the_function_of_a_direct_delivery() -> None:
    assert DIRECT.subscription.kind == "LambdaFunctionConfigurations"
    assert not_none(DIRECT.permission)["Principal"] == "s3.amazonaws.com"


def test_only_s3_and_the_rule_may_send_to_the_queue_and_only_for_the_bucket_and_its_account() -> None:
    by_bucket, by_rule = QUEUE.attributes["Policy"]["Statement"]
    assert by_bucket["Principal"] == {"Service": "s3.amazonaws.com"}
    assert by_bucket["Condition"] == {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }
    assert by_rule["Principal"] == {"Service": "events.amazonaws.com"}
    assert by_rule["Condition"] == {"ArnEquals": {"aws:SourceArn": RULE_ARN}}
    for statement in (by_bucket, by_rule):
        assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", QUEUE_ARN)


@pytest.mark.parametrize("timeout", [1, 30, 60, 61, 900])
def test_a_message_is_attempted_for_at_least_twelve_hours(timeout: int) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    queue = not_none(make_desired(s3sync__timeout=str(timeout)).delivery_resources.queue)
    visibility = int(queue.attributes["VisibilityTimeout"])
    receives = queue.attributes["RedrivePolicy"]["maxReceiveCount"]
    assert visibility >= 6 * timeout
    assert 12 * 3600 <= visibility * receives < 13.5 * 3600
    assert 5 <= receives <= 1000
    assert queue.attributes["RedrivePolicy"]["deadLetterTargetArn"] == DEAD_LETTERS.arn


def test_failed_events_are_kept_for_the_longest_time_and_only_the_queue_may_send_them() -> None:
    assert DEAD_LETTERS.attributes["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert DEAD_LETTERS.attributes["RedriveAllowPolicy"] == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [QUEUE_ARN],
    }


@pytest.mark.parametrize(
    ("cache", "tables", "concurrency"),
    [
        ({}, CacheTables(), 2),
        ({}, CacheTables(on_demand=True), 20),
        (
            {"pypi__db": "redis", "db__url": "redis://cache.example", "db__region_name": None},
            CacheTables(),
            5,
        ),
    ],
    ids=["provisioned", "on demand", "redis"],
)
def test_a_new_mapping_has_as_much_concurrency_as_the_cache_bears(
    cache: dict[str, str | None], tables: CacheTables, concurrency: int
) -> None:
    mapping = not_none(
        desire(make_settings(**cache), IDENTITY, REGION, "", tables).delivery_resources.mapping
    )
    assert mapping.initial == {"ScalingConfig": {"MaximumConcurrency": concurrency}}
    assert "ScalingConfig" not in mapping.configuration


def test_the_settings_may_give_the_concurrency() -> None:
    mapping = not_none(make_desired(s3sync__maximum_concurrency="7").delivery_resources.mapping)
    assert mapping.configuration["ScalingConfig"] == {"MaximumConcurrency": 7}
    assert mapping.initial == {}


@pytest.mark.parametrize("queue", [QUEUE, DEAD_LETTERS], ids=["queue", "dead letters"])
def test_each_queue_is_encrypted_and_tagged(queue: Queue) -> None:
    assert queue.attributes["SqsManagedSseEnabled"] == "true"
    assert queue.tags == {"team": "infra", OWNER_TAG: BUCKET}


def test_the_mapping_lets_the_function_report_single_failed_messages() -> None:
    assert MAPPING.configuration["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_no_permission_is_needed_if_lambda_polls_a_queue() -> None:
    assert WITH_QUEUE.permission is None
    assert not_none(WITH_QUEUE.subscription.entry)["QueueArn"] == QUEUE_ARN


def test_the_rule_of_an_eventbridge_delivery_sends_to_the_queue() -> None:
    assert WITH_RULE.permission is None
    assert not_none(RULE.target)["Arn"] == QUEUE_ARN
    assert (WITH_RULE.subscription.entry, WITH_RULE.subscription.eventbridge) == (None, True)


def test_the_rule_matches_created_and_deleted_objects_of_the_bucket_under_the_prefix() -> None:
    assert RULE.pattern == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Deleted"],
        "detail": {"bucket": {"name": [BUCKET]}},
    }
    with_prefix = make_desired(s3sync__delivery="eventbridge", storage__prefix="pkgs/").delivery_resources
    assert not_none(with_prefix.rule).pattern["detail"]["object"] == {"key": [{"prefix": "pkgs/"}]}


def test_names_are_within_the_limits_of_each_service() -> None:
    """botocore: sqs 2012-11-05 CreateQueue, events 2015-10-07 RuleName, lambda 2015-03-31 StatementId."""
    names = make_desired(s3sync__function_name="f" * 64, storage__bucket="b." * 31 + "b").names
    assert re.fullmatch(r"[\w-]{1,80}", names.queue)
    assert re.fullmatch(r"[\w-]{1,80}", names.dead_letters)
    assert re.fullmatch(r"[\w.-]{1,64}", names.rule)
    assert re.fullmatch(r"[\w-]{1,100}", names.rule_statement)
    assert names.queue != names.dead_letters


@pytest.mark.parametrize(
    ("tag", "deliveries"),
    [("", set()), ("direct", {"direct"}), ("direct+sqs", {"direct", "sqs"}), ("pigeon", set())],
)
def test_the_tag_of_the_function_names_the_deliveries_with_resources(tag: str, deliveries: set[str]) -> None:
    function = replace(DIRECT.function, tags={DELIVERY_TAG: tag})
    assert deliveries_of(function) == deliveries
    assert deliveries_of(None) == set()


def observed(tags: Mapping[str, str], other_rules: tuple[str, ...] = ()) -> Observed:
    rule = replace(RULE, tags=tags)
    return deployed(WITH_RULE, delivery_resources=DeliveryResources(rule=rule, other_rules=other_rules))


def test_eventbridge_is_owned_if_the_rule_has_the_tag() -> None:
    assert owns_eventbridge(observed({SWITCH_TAG: "switched-on"}))
    assert not owns_eventbridge(observed({}))
    assert not owns_eventbridge(NOTHING)


def test_eventbridge_may_be_turned_off_if_it_is_owned_and_no_foreign_rule_needs_it() -> None:
    assert may_turn_off_eventbridge(observed({SWITCH_TAG: "switched-on"}))
    assert not may_turn_off_eventbridge(observed({SWITCH_TAG: "switched-on"}, other_rules=("foreign",)))
    assert not may_turn_off_eventbridge(observed({}))
