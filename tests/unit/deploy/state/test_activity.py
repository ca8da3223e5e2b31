"""Reading the recent activity from log lines and metrics, with a message if one of them is unavailable."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from pypicloud_s3sync.deploy.state.activity import LATEST, PAGES, activity
from support.fakes import FakeClients, make_desired, refusal

NOW = datetime.datetime(2026, 11, 24, 9, 30, tzinfo=datetime.UTC)
NAMES = make_desired().names
MINUTE, HOUR = 60_000, 3_600_000  # milliseconds


def log_event(number: int, age: int = MINUTE, **fields: Any) -> dict[str, Any]:
    """Return the handler's log event for one package, ``age`` milliseconds old."""
    record = {"level": "INFO", "event": "ObjectCreated:Put", "bucket": "b", "key": f"k{number}", **fields}
    message = json.dumps({"action": "saved", "lag_ms": number, **record})
    return {"timestamp": int(NOW.timestamp() * 1000) - age, "message": message}


def read_activity(answers: dict[str, Any]) -> tuple[dict[str, Any], FakeClients]:
    clients = FakeClients({"get_metric_data": {"MetricDataResults": []}, **answers})
    return activity(clients, NAMES, NOW), clients


def log_pages(*pages: dict[str, Any]) -> dict[str, Any]:
    return {"filter_log_events": [*pages, *[{"events": []}] * 3]}


def test_the_ten_newest_packages_are_returned_newest_first_with_their_lag() -> None:
    events = [log_event(number, age=(20 - number) * MINUTE // 10) for number in range(20)]
    found, clients = read_activity(log_pages({"events": events}))
    assert [package["key"] for package in found["packages"]] == [f"k{number}" for number in range(19, 9, -1)]
    assert found["packages"][0]["lag_ms"] == 19
    assert len(found["packages"]) == LATEST
    assert clients.operations.count("filter_log_events") == 1


def test_the_last_day_and_week_are_searched_if_the_last_minutes_have_too_few_packages() -> None:
    found, clients = read_activity(
        log_pages({"events": [log_event(1)]}, {"events": [log_event(2, HOUR), log_event(1)]})
    )
    starts = [arguments["startTime"] for name, arguments in clients.calls if name == "filter_log_events"]
    ages = [(int(NOW.timestamp() * 1000) - start) // HOUR for start in starts]
    assert ages == [0, 24, 7 * 24]
    assert found["packages"] == []
    assert found["packages_message"] == "No package was synced in the last week."


def test_all_pages_are_read_up_to_a_limit() -> None:
    first, second = {"events": [log_event(1)], "nextToken": "more"}, {"events": [log_event(2)]}
    answers = {"filter_log_events": [first, second, *[{"events": [log_event(1), log_event(2)]}] * 2]}
    found, clients = read_activity(answers)
    assert clients.calls[1][1]["nextToken"] == "more"
    assert {package["key"] for package in found["packages"]} == {"k1", "k2"}
    _, clients = read_activity({"filter_log_events": {"events": [], "nextToken": "more"}})
    assert clients.operations.count("filter_log_events") == 3 * PAGES


def test_foreign_log_lines_are_ignored() -> None:
    messages = [
        "START RequestId: x",
        "[1]",
        '{"action": "saved"}',
        json.dumps({"action": "ignored", "key": "k"}),
    ]
    events = [{"timestamp": 0, "message": message} for message in messages]
    failed = log_event(3, action="failed", lag_ms=None)
    found, _ = read_activity({"filter_log_events": [{"events": [*events, failed]}] * 3})
    assert [(package["key"], package["action"]) for package in found["packages"]] == [("k3", "failed")]


def test_the_canary_of_a_doctor_is_no_package() -> None:
    key = "a/pypicloud-s3sync-canary/pypicloud-s3sync-canary-0.1.2.tar.gz"
    events = [log_event(1), log_event(2, key=key)]
    document, _ = read_activity(log_pages(*[{"events": events}] * 3))
    assert [package["key"] for package in document["packages"]] == ["k1"]


def test_a_missing_log_group_means_no_packages() -> None:
    found, _ = read_activity({"filter_log_events": refusal("ResourceNotFoundException")})
    assert found["packages"] == []
    assert found["packages_message"]


def metric(name: str, values: dict[int, int]) -> dict[str, Any]:
    """Return a metric's result, with a value for each number of hours ago."""
    times = [NOW - datetime.timedelta(hours=hours) for hours in values]
    return {"Id": name, "Timestamps": times, "Values": [float(value) for value in values.values()]}


def test_a_day_has_24_hours_with_records_and_failures_and_not_only_invocations() -> None:
    results = [metric("invocations", {0: 3, 5: 1}), metric("saved", {0: 30, 5: 9}), metric("failed", {5: 1})]
    found, _ = read_activity({**log_pages(), "get_metric_data": {"MetricDataResults": results}})
    hours = found["hours"]
    assert len(hours) == 24
    assert hours[-1] == {
        "time": int(NOW.timestamp()) // 3600 * 3600,
        "at": "2026-11-24T09:00:00Z",
        "events": 30,
        "errors": 0,
        "invocations": 3,
    }
    assert (hours[-6]["events"], hours[-6]["errors"], hours[-6]["invocations"]) == (10, 1, 1)
    assert sum(hour["events"] for hour in hours) == 40


def test_a_function_that_has_not_run_has_no_hours() -> None:
    found, _ = read_activity(log_pages())
    assert found["hours"] == []
    assert found["hours_message"] == "CloudWatch has no data for the last day yet."


@pytest.mark.parametrize(
    ("operation", "part", "action"),
    [
        ("filter_log_events", "packages", "logs:FilterLogEvents"),
        ("get_metric_data", "hours", "cloudwatch:GetMetricData"),
    ],
)
def test_a_denied_read_is_reported_and_the_other_part_is_returned(
    operation: str, part: str, action: str
) -> None:
    found, _ = read_activity({**log_pages(), operation: refusal("AccessDeniedException")})
    assert found[part] == []
    assert f"AccessDenied for {action}" in found[f"{part}_message"]
    other = {"packages": "hours", "hours": "packages"}[part]
    assert "AccessDenied" not in found[f"{other}_message"]
    (problem,) = found["problems"]
    assert problem["problem"] == "denied"
    assert action in problem["message"]
    assert problem["policy"]


def test_a_failed_record_has_the_reason_of_its_log_line() -> None:
    event = log_event(7, action="failed", lag_ms=None, key="a/b-1.0.whl", error="ReadTimeout: db:5432")
    found, _ = read_activity(log_pages({"events": [event]}, {"events": [event]}, {"events": [event]}))
    (package,) = found["packages"]
    assert (package["action"], package["error"]) == ("failed", "ReadTimeout: db:5432")
    assert (package["key"], package["filename"]) == ("a/b-1.0.whl", "b-1.0.whl")
    assert package["at"] == "2026-11-24T09:29:00Z"
