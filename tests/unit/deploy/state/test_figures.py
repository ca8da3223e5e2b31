"""Reading what a monitoring system collects."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from pypicloud_s3sync.deploy.state.figures import read_figures
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import FakeClients, make_desired, refusal

NOW = datetime.datetime(2026, 11, 24, 9, 30, tzinfo=datetime.UTC)
NAMES = make_desired().names
MINUTE = datetime.timedelta(minutes=1)


def result(name: str, *values: float, age: int = 1) -> dict[str, Any]:
    """Return the values of a metric, one a minute, the last of them some minutes old."""
    times = [NOW - MINUTE * (age + number) for number in range(len(values))][::-1]
    return {"Id": name, "Timestamps": times, "Values": list(values)}


def attributes(**arguments: Any) -> dict[str, Any]:
    waiting = "0" if "failed-" in arguments["QueueUrl"] else "3"
    return {"Attributes": {"QueueArn": "arn", "ApproximateNumberOfMessages": waiting}}


def clients_with(*results: dict[str, Any], **answers: Any) -> Any:
    def metrics(MetricDataQueries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
        asked = {query["Id"] for query in MetricDataQueries}
        return {"MetricDataResults": [found for found in results if found["Id"] in asked]}

    given = {
        "get_queue_url": lambda QueueName: {"QueueUrl": f"https://sqs/{QueueName}"},
        "get_queue_attributes": attributes,
        "list_queue_tags": {},
        "get_metric_data": metrics,
    }
    return FakeClients({**given, **answers})


def test_the_figures_of_a_busy_day_are_read_from_cloudwatch() -> None:
    clients = clients_with(
        result("saved", 4, 0, 5),
        result("cleared", 1, age=9),
        result("ignored", 0),
        result("failed", 2, age=4),
        result("lost"),
        result("lag", 90_000, 1500, age=2),
        result("oldest_waiting", 40, 75),
    )
    assert read_figures(clients, NAMES, NOW) == {
        "events": {"saved": 9, "cleared": 1, "ignored": 0, "failed": 2, "lost": 0},
        "last_event": int((NOW - MINUTE).timestamp()),
        "lag_seconds": 1.5,
        "waiting": 3,
        "oldest_waiting_seconds": 75,
        "failed": 0,
        "oldest_failed_seconds": None,
        "reconciled": None,
    }
    assert "filter_log_events" not in clients.operations
    sent, of_reconciliations = (given for name, given in clients.calls if name == "get_metric_data")
    assert sent["EndTime"] - sent["StartTime"] == datetime.timedelta(hours=24)
    # CloudWatch has no values of a minute for such a time.
    assert of_reconciliations["EndTime"] - of_reconciliations["StartTime"] > datetime.timedelta(days=31)
    assert {query["MetricStat"]["Period"] for query in of_reconciliations["MetricDataQueries"]} == {300}
    assert [query["Id"] for query in sent["MetricDataQueries"]] == [
        *("saved", "cleared", "ignored", "failed", "lost", "lag", "oldest_waiting")
    ]


def test_the_last_reconciliation_by_the_function_is_the_one_that_ended_last() -> None:
    clients = clients_with(
        result("saved", 1), result("drift", 7, 0, 9, age=4000), result("left", 7, 0, 2, age=4000)
    )
    expected = {"at": int((NOW - 4000 * MINUTE).timestamp()), "drift": 9, "left": 2}
    assert read_figures(clients, NAMES, NOW)["reconciled"] == expected


def test_an_old_age_of_a_message_is_not_that_of_the_oldest_message_now() -> None:
    clients = clients_with(result("saved", 1), result("oldest_waiting", 500, age=30))
    assert read_figures(clients, NAMES, NOW)["oldest_waiting_seconds"] is None


def test_if_cloudwatch_has_counted_nothing_the_log_is_read() -> None:
    def line(action: str, age: int, lag: int | None = None) -> dict[str, Any]:
        record = {"action": action, "key": "a/x-1.0.zip", "lag_ms": lag}
        return {"timestamp": int((NOW - MINUTE * age).timestamp()) * 1000, "message": json.dumps(record)}

    events = {"events": [line("saved", 8, 700), line("saved", 5, 258), line("failed", 2)]}
    clients = clients_with(filter_log_events=events)
    figures = read_figures(clients, NAMES, NOW)
    assert figures["events"] == {"saved": 2, "cleared": 0, "ignored": 0, "failed": 1, "lost": 0}
    assert (figures["last_event"], figures["lag_seconds"]) == (int((NOW - MINUTE * 2).timestamp()), 0.258)
    since = clients.arguments("filter_log_events")["startTime"] / 1000
    assert NOW.timestamp() - since == 24 * 3600


def test_a_function_that_has_done_nothing_has_no_last_event() -> None:
    clients = clients_with(filter_log_events={"events": []})
    figures = read_figures(clients, NAMES, NOW)
    assert (figures["last_event"], figures["lag_seconds"]) == (None, None)
    assert set(figures["events"].values()) == {0}


def test_without_queues_nothing_waits() -> None:
    clients = clients_with(result("saved", 1), get_queue_url=refusal("QueueDoesNotExist"))
    figures = read_figures(clients, NAMES, NOW)
    assert (figures["waiting"], figures["failed"], figures["oldest_failed_seconds"]) == (0, 0, None)


def test_all_pages_are_read() -> None:
    pages = [
        {"MetricDataResults": [result("saved", 1, age=9)], "NextToken": "more"},
        {"MetricDataResults": [result("saved", 2)]},
        {"MetricDataResults": []},
    ]
    assert read_figures(clients_with(get_metric_data=pages), NAMES, NOW)["events"]["saved"] == 3


@pytest.mark.parametrize("operation", ["get_metric_data", "get_queue_attributes", "filter_log_events"])
def test_a_denied_call_is_an_error(operation: str) -> None:
    with pytest.raises(AwsError):
        read_figures(clients_with(**{operation: refusal("AccessDenied")}), NAMES, NOW)
