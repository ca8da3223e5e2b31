"""Reading how many events were handled and failed from CloudWatch."""

from __future__ import annotations

import datetime
from typing import Any

from pypicloud_s3sync.deploy.state.metrics import HOUR, Interval, by_hour, read_ages, read_metrics
from support.fakes import FakeClients

NOW = datetime.datetime(2026, 11, 24, 9, 30, tzinfo=datetime.UTC)
SECONDS = int(NOW.timestamp())


def result(name: str, value: float, age: int = 0) -> dict[str, Any]:
    time = NOW - datetime.timedelta(seconds=age)
    return {"Id": name, "Timestamps": [time], "Values": [value]}


def read(*results: dict[str, Any]) -> list[Interval]:
    clients: Any = FakeClients({"get_metric_data": {"MetricDataResults": list(results)}})
    return read_metrics(clients, "sync", NOW)


def test_one_call_reads_lambdas_metrics_and_those_of_the_function() -> None:
    clients: Any = FakeClients({"get_metric_data": {"MetricDataResults": []}})
    assert read_metrics(clients, "sync", NOW) == []
    arguments = clients.arguments("get_metric_data")
    metrics = {
        (query["MetricStat"]["Metric"]["Namespace"], query["MetricStat"]["Metric"]["MetricName"])
        for query in arguments["MetricDataQueries"]
    }
    own = {("pypicloud-s3sync", name) for name in ("Saved", "Cleared", "Ignored", "Failed")}
    lambdas = {("AWS/Lambda", name) for name in ("Invocations", "Errors", "DeadLetterErrors")}
    assert metrics == own | lambdas
    assert arguments["EndTime"] - arguments["StartTime"] == datetime.timedelta(hours=24)


def test_records_are_counted_and_not_invocations() -> None:
    """A message of a queue fails while its invocation succeeds."""
    (interval,) = read(result("invocations", 1), result("saved", 9), result("failed", 1))
    assert (interval.invocations, interval.events, interval.failed) == (1, 10, 1)


def test_a_function_that_ends_before_it_reports_counts_as_failed() -> None:
    (interval,) = read(result("invocations", 5), result("errors", 5))
    assert (interval.events, interval.failed) == (5, 5)
    (interval,) = read(result("invocations", 5), result("errors", 2))
    assert (interval.events, interval.failed) == (5, 2)


def test_an_error_that_was_reported_counts_once() -> None:
    (interval,) = read(result("invocations", 3), result("errors", 1), result("saved", 2), result("failed", 1))
    assert (interval.events, interval.failed) == (3, 1)


def test_events_that_the_queue_did_not_take_are_counted() -> None:
    (interval,) = read(result("deadlettererrors", 1))
    assert interval.dropped == 1


def test_zeros_are_no_interval() -> None:
    assert read(result("errors", 0), result("deadlettererrors", 0)) == []


def test_all_pages_are_read() -> None:
    first = {"MetricDataResults": [result("saved", 1)], "NextToken": "more"}
    second = {"MetricDataResults": [result("saved", 2)]}
    clients: Any = FakeClients({"get_metric_data": [first, second]})
    (interval,) = read_metrics(clients, "sync", NOW)
    assert interval.events == 3


def test_hours_are_sums_and_there_are_always_24() -> None:
    hours = by_hour(
        read(result("saved", 1), result("saved", 2, age=600), result("failed", 4, age=5 * HOUR)), NOW
    )
    assert len(hours) == 24
    assert hours[-1] == Interval(SECONDS // HOUR * HOUR, 0, 3)
    assert (hours[-6].events, hours[-6].failed) == (4, 4)


def test_the_age_of_the_oldest_message_is_read_for_each_queue() -> None:
    answer = {
        "MetricDataResults": [
            {"Id": "waiting", "Timestamps": [NOW, NOW], "Values": [90.0, 30.0]},
            {"Id": "failed", "Timestamps": [], "Values": []},
        ]
    }
    clients = FakeClients({"get_metric_data": answer})
    assert read_ages(clients, {"waiting": "q", "failed": "failed-q"}, NOW) == {"waiting": 90}
    sent = clients.arguments("get_metric_data")
    assert sent["ScanBy"] == "TimestampDescending"
    names = [query["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for query in sent["MetricDataQueries"]]
    assert names == ["q", "failed-q"]
