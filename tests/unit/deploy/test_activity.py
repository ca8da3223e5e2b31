"""What the function did lately, from its log and Lambda's metrics; a sentence where that cannot be had."""

import datetime
import json

import pytest

from pypicloud_s3sync.deploy.activity import LATEST, PAGES, activity
from support.fakes import FakeClients, make_desired, refusal

NOW = datetime.datetime(2026, 11, 24, 9, 30, tzinfo=datetime.UTC)
NAMES = make_desired().names
MINUTE, HOUR = 60_000, 3_600_000  # milliseconds


def line(number, ago=MINUTE, **said):
    """The handler's line of one package, so long ago."""
    record = {"level": "INFO", "event": "ObjectCreated:Put", "bucket": "b", "key": f"k{number}", **said}
    message = json.dumps({"action": "saved", "lag_ms": number, **record})
    return {"timestamp": int(NOW.timestamp() * 1000) - ago, "message": message}


def look(answers):
    clients = FakeClients({"get_metric_data": {"MetricDataResults": []}, **answers})
    return activity(clients, NAMES, NOW), clients


def pages(*found):
    return {"filter_log_events": [*found, *[{"events": []}] * 3]}


def test_the_newest_ten_come_first_with_their_lag():
    lines = [line(number, ago=(20 - number) * MINUTE // 10) for number in range(20)]
    found, clients = look(pages({"events": lines}))
    assert [package["key"] for package in found["packages"]] == [f"k{number}" for number in range(19, 9, -1)]
    assert found["packages"][0]["lag_ms"] == 19
    assert len(found["packages"]) == LATEST
    assert clients.operations.count("filter_log_events") == 1


def test_where_the_last_minutes_have_few_the_last_day_and_week_are_asked():
    found, clients = look(pages({"events": [line(1)]}, {"events": [line(2, HOUR), line(1)]}))
    asked = [arguments["startTime"] for name, arguments in clients.calls if name == "filter_log_events"]
    ago = [(int(NOW.timestamp() * 1000) - start) // HOUR for start in asked]
    assert ago == [0, 24, 7 * 24]
    assert found["packages"] == []
    assert found["packages_message"] == "No package was synced in the last week."


def test_all_pages_are_read_but_not_for_ever():
    first, second = {"events": [line(1)], "nextToken": "more"}, {"events": [line(2)]}
    answers = {"filter_log_events": [first, second, *[{"events": [line(1), line(2)]}] * 2]}
    found, clients = look(answers)
    assert clients.calls[1][1]["nextToken"] == "more"
    assert {package["key"] for package in found["packages"]} == {"k1", "k2"}
    _, clients = look({"filter_log_events": {"events": [], "nextToken": "more"}})
    assert clients.operations.count("filter_log_events") == 3 * PAGES


def test_lines_of_others_in_the_log_are_passed_over():
    others = [
        "START RequestId: x",
        "[1]",
        '{"action": "saved"}',
        json.dumps({"action": "ignored", "key": "k"}),
    ]
    lines = [{"timestamp": 0, "message": message} for message in others]
    failed = line(3, action="failed", lag_ms=None)
    answers = [{"events": [*lines, failed]}] * 3
    found, _ = look({"filter_log_events": answers})
    assert [(package["key"], package["action"]) for package in found["packages"]] == [("k3", "failed")]


def test_no_log_group_is_no_package():
    found, _ = look({"filter_log_events": refusal("ResourceNotFoundException")})
    assert found["packages"] == []
    assert found["packages_message"]


def metric(name, **values):
    times = [NOW - datetime.timedelta(hours=int(hours.strip("h"))) for hours in values]
    return {"Id": name, "Timestamps": times, "Values": [float(value) for value in values.values()]}


def test_a_day_has_24_hours_with_events_and_errors():
    results = [metric("invocations", h0=3, h5=1), metric("errors", h5=1)]
    found, clients = look({**pages(), "get_metric_data": {"MetricDataResults": results}})
    hours = found["hours"]
    assert len(hours) == 24
    assert hours[-1] == {"time": int(NOW.timestamp()) // 3600 * 3600, "invocations": 3, "errors": 0}
    assert (hours[-6]["invocations"], hours[-6]["errors"]) == (1, 1)
    assert sum(hour["invocations"] for hour in hours) == 4
    queries = clients.arguments("get_metric_data")["MetricDataQueries"]
    assert {query["MetricStat"]["Metric"]["MetricName"] for query in queries} == {"Invocations", "Errors"}


def test_a_function_that_has_not_run_has_no_chart():
    found, _ = look(pages())
    assert found["hours"] == []
    assert found["hours_message"] == "CloudWatch has no data of the last day yet."


@pytest.mark.parametrize(
    ("operation", "part", "action"),
    [
        ("filter_log_events", "packages", "logs:FilterLogEvents"),
        ("get_metric_data", "hours", "cloudwatch:GetMetricData"),
    ],
)
def test_what_the_server_may_not_read_is_said_and_the_other_is_shown(operation, part, action):
    found, _ = look({**pages(), operation: refusal("AccessDeniedException")})
    assert found[part] == []
    assert f"AccessDenied for {action}" in found[f"{part}_message"]
    other = {"packages": "hours", "hours": "packages"}[part]
    assert "AccessDenied" not in found[f"{other}_message"]
