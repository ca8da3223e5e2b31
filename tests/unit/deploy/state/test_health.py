"""Deciding from counts whether events fail."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.models import Queue
from pypicloud_s3sync.deploy.plan.planner import compare
from pypicloud_s3sync.deploy.state.health import (
    Failing,
    failing,
    paused_problems,
    queue_problem,
    secrets_warning,
)
from pypicloud_s3sync.deploy.state.metrics import HOUR, PERIOD, Interval
from support.fakes import NOTHING, deployed, make_desired, not_none

NOW = datetime.datetime(2026, 11, 24, 9, 30, tzinfo=datetime.UTC)
SECONDS = int(NOW.timestamp())


def ago(seconds: int, events: int, failed: int = 0, dropped: int = 0) -> Interval:
    """Return the interval of some seconds ago."""
    return Interval((SECONDS - seconds) // PERIOD * PERIOD, 1, events, failed, dropped)


HEALTHY = [ago(hour * HOUR, 1000) for hour in range(23, 0, -1)]
STEADILY_FAILING = [ago(hour * HOUR, 88943, 10419) for hour in range(23, -1, -1)]

FAILING = {
    "a tenth of millions of events": STEADILY_FAILING,
    "a tenth of millions of events at once": [ago(600, 2_134_624, 250_053)],
    "the only event, three times": [ago(300, 3, 3)],
    "every event since this morning": [*HEALTHY[:20], ago(HOUR, 40, 40), ago(60, 10, 10)],
    "two keys, hours ago, and nothing since": [*HEALTHY[:5], ago(9 * HOUR, 2, 2)],
    "one event in eighty of the last minutes": [*HEALTHY, ago(60, 900, 12)],
    "an event that Lambda gave up": [*HEALTHY[:10], ago(8 * HOUR, 10, 1, dropped=1), *HEALTHY[16:]],
    "an outage that has just ended": [*HEALTHY[:12], ago(HOUR, 2000, 1900), ago(60, 500)],
}
NOT_FAILING = {
    "nothing happened": [],
    "nothing failed": HEALTHY,
    "one error and its retry a day ago": [ago(23 * HOUR, 2, 1)],
    "one error and its retry just now": [ago(60, 2, 1)],
    "one error whose retry is due": [*HEALTHY, ago(60, 1, 1)],
    "one error among many": [*HEALTHY, ago(60, 1000, 1)],
    "nine errors among many": [*HEALTHY, ago(60, 5000, 9)],
    "an outage of the night, without a lost event": [ago(9 * HOUR, 2000, 1900), *HEALTHY[16:]],
}


@pytest.mark.parametrize("intervals", FAILING.values(), ids=FAILING)
def test_events_fail(intervals: list[Interval]) -> None:
    found = not_none(failing(intervals, NOW))
    assert found.failed == sum(interval.failed for interval in intervals)
    assert found.events == sum(interval.events for interval in intervals)
    assert found.since <= SECONDS


@pytest.mark.parametrize("intervals", NOT_FAILING.values(), ids=NOT_FAILING)
def test_events_do_not_fail(intervals: list[Interval]) -> None:
    assert failing(intervals, NOW) is None


def test_the_numbers_are_those_of_a_day_and_the_beginning_is_that_of_the_failures() -> None:
    intervals = [*HEALTHY[:20], ago(2 * HOUR, 5, 5), ago(60, 5, 5)]
    found = not_none(failing(intervals, NOW))
    assert found == Failing(20_010, 10, intervals[-2].time)
    assert found.document == {"events": 20_010, "failed": 10, "since": "2026-11-24T07:30:00Z"}


@pytest.mark.parametrize(
    ("messages", "words"), [(1, "1 failed event waits"), (1234, "1,234 failed events wait")]
)
def test_messages_in_the_queue_of_failed_events_are_a_problem(messages: int, words: str) -> None:
    problem = not_none(queue_problem(Queue("failed-x", "arn", {}, {}, messages=messages)))
    assert problem.problem == "failing"
    assert words in problem.message
    assert "failed-x" in problem.message


def test_an_empty_queue_of_failed_events_is_none() -> None:
    assert queue_problem(Queue("failed-x", "arn", {}, {})) is None
    assert queue_problem(None) is None


@pytest.mark.parametrize("reserved", [None, 1, 50])
def test_a_function_with_some_concurrency_is_not_paused(reserved: int | None) -> None:
    desired = make_desired()
    observed = deployed(desired)
    function = replace(not_none(observed.function), reserved_concurrency=reserved)
    assert paused_problems(compare(desired, replace(observed, function=function))) == []


def test_a_function_without_concurrency_is_paused_and_the_remedy_is_a_command() -> None:
    desired = make_desired()
    observed = deployed(desired)
    function = replace(not_none(observed.function), reserved_concurrency=0)
    (problem,) = paused_problems(compare(desired, replace(observed, function=function)))
    assert problem.problem == "paused"
    assert "reserved concurrency" in problem.message
    assert "aws lambda delete-function-concurrency --function-name sync --region eu-west-1" in problem.remedy


def test_a_disabled_mapping_and_a_disabled_rule_pause() -> None:
    desired = make_desired(s3sync__delivery="sqs")
    observed = deployed(desired)
    mapping = not_none(observed.delivery_resources.mapping)
    disabled = replace(mapping, configuration={**mapping.configuration, "Enabled": False})
    resources = replace(observed.delivery_resources, mapping=disabled)
    (problem,) = paused_problems(compare(desired, replace(observed, delivery_resources=resources)))
    assert "event source mapping" in problem.message

    desired = make_desired(s3sync__delivery="eventbridge")
    observed = deployed(desired)
    rule = replace(not_none(observed.delivery_resources.rule), state="DISABLED")
    resources = replace(observed.delivery_resources, rule=rule)
    (problem,) = paused_problems(compare(desired, replace(observed, delivery_resources=resources)))
    assert "rule" in problem.message


def test_a_foreign_function_that_reads_the_queue_pauses_because_it_takes_events_away() -> None:
    desired = make_desired()
    observed = deployed(desired)
    other = "arn:aws:lambda:eu-west-1:111122223333:function:other"
    mapping = replace(not_none(observed.delivery_resources.mapping), other_readers=(other,))
    resources = replace(observed.delivery_resources, mapping=mapping)
    (problem,) = paused_problems(compare(desired, replace(observed, delivery_resources=resources)))
    assert problem.problem == "paused"
    assert f"to {other} as well" in problem.message


@pytest.mark.parametrize(
    ("key", "delivery", "sender"),
    [
        ("alias/aws/sqs", "sqs", "S3"),
        ("arn:aws:kms:eu-west-1:111122223333:alias/aws/sqs", "eventbridge", "EventBridge"),
        # Lambda sends with the function's role, which may use that key.
        ("alias/aws/sqs", "direct", None),
        ("alias/own", "sqs", None),
    ],
)
def test_a_queue_with_the_key_of_sqs_pauses_because_no_service_may_send_to_it(
    key: str, delivery: str, sender: str | None
) -> None:
    desired = make_desired(s3sync__delivery=delivery)
    observed = deployed(desired)
    queue = not_none(observed.delivery_resources.queue)
    queue = replace(queue, attributes={**queue.attributes, "KmsMasterKeyId": key})
    resources = replace(observed.delivery_resources, queue=queue)
    found = paused_problems(compare(desired, replace(observed, delivery_resources=resources)))
    assert [problem.message.partition(" cannot send to the queue ")[0] for problem in found] == (
        [sender] if sender else []
    )


def test_a_mapping_with_a_filter_pauses_because_lambda_deletes_what_does_not_match() -> None:
    desired = make_desired()
    observed = deployed(desired)
    filtered = replace(not_none(observed.delivery_resources.mapping), uuid="u-1", has_filter=True)
    resources = replace(observed.delivery_resources, mapping=filtered)
    (problem,) = paused_problems(compare(desired, replace(observed, delivery_resources=resources)))
    assert problem.problem == "paused"
    assert "has a filter" in problem.message
    command = "aws lambda update-event-source-mapping --uuid u-1 --filter-criteria '{}' --region eu-west-1"
    assert command in problem.remedy


VPC: dict[str, str | None] = {"s3sync__vpc_subnet_ids": "subnet-1", "s3sync__vpc_security_group_ids": "sg-1"}
REDIS: dict[str, str | None] = {
    "pypi__db": "redis",
    "db__region_name": None,
    "db__url": "redis://:p-word@cache.example",
}
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:cache-AbCdEf"


@pytest.mark.parametrize(
    ("changes", "service"),
    [
        ({**VPC, **REDIS}, "ssm"),
        ({**VPC, **REDIS, "s3sync__secrets": SECRET}, "secretsmanager"),
        ({**VPC, **REDIS, "s3sync__secrets": "environment"}, None),
        ({**VPC, **REDIS, "db__url": "redis://cache.example"}, None),
        ({**REDIS}, None),
        ({**VPC}, None),
    ],
    ids=["ssm", "secrets manager", "environment", "no password", "no VPC", "DynamoDB"],
)
def test_a_plan_for_a_vpc_says_which_service_the_function_must_reach(
    changes: dict[str, str | None], service: str | None
) -> None:
    desired = make_desired(**changes)
    warning = secrets_warning(compare(desired, NOTHING))
    assert (warning is None) is (service is None)
    assert service is None or f"an interface endpoint for {service}," in not_none(warning)
    assert secrets_warning(compare(desired, deployed(desired))) is None
