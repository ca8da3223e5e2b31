from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from pypicloud_s3sync.sync.telemetry import (
    NAMESPACE,
    VALUES,
    RecordResult,
    lag_ms,
    metrics,
    reconcile_metrics,
)

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
KEY = "x/pkg-1.0.tar.gz"


def result(action: str, lag: int | None = None, error: str | None = None) -> RecordResult:
    return RecordResult("ObjectCreated:Put", "bucket", KEY, action, 12, lag, error)


def documents(*results: RecordResult) -> list[dict[str, Any]]:
    return [json.loads(text) for text in metrics(results, "sync", NOW)]


def test_a_line_has_the_fields_of_its_result() -> None:
    assert json.loads(result("saved", lag=345).line()) == {
        "level": "INFO",
        "event": "ObjectCreated:Put",
        "bucket": "bucket",
        "key": KEY,
        "action": "saved",
        "duration_ms": 12,
        "lag_ms": 345,
    }


def test_the_line_of_a_failure_is_an_error_with_its_cause() -> None:
    line = json.loads(result("failed", error="TimeoutError: S3 is slow").line())
    assert (line["level"], line["error"]) == ("ERROR", "TimeoutError: S3 is slow")
    assert "lag_ms" not in line


def test_a_line_is_one_line_without_secrets() -> None:
    error = 'cannot connect to redis://:pass"word@cache:6379/0\nwith pass"word'
    line = result("failed", error=error).line(['redis://:pass"word@cache:6379/0', 'pass"word'])
    assert "\n" not in line
    assert json.loads(line)["error"] == "cannot connect to ********\nwith ********"


@pytest.mark.parametrize("password", ["a", "e", "0", "key", "bu", "level", '"', ",", ": "])
def test_a_short_password_leaves_a_line_valid_and_its_names_readable(password: str) -> None:
    error = f"cannot connect to redis://:{password}@cache"
    line = json.loads(result("failed", error=error).line([f"redis://:{password}@cache", password]))
    assert (line["level"], line["event"], line["bucket"]) == ("ERROR", "ObjectCreated:Put", "bucket")
    assert (line["key"], line["error"]) == (KEY, "cannot connect to ********")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(1.2345, 1234, id="in milliseconds"),
        pytest.param(0, 0, id="none"),
        pytest.param(-5, 0, id="S3's clock is ahead"),
        pytest.param(86400, 86_400_000, id="a day"),
    ],
)
def test_the_lag_is_the_time_since_the_event_and_never_negative(seconds: float, expected: int) -> None:
    assert lag_ms(NOW - datetime.timedelta(seconds=seconds), NOW) == expected


def test_an_event_without_a_time_has_no_lag() -> None:
    assert lag_ms(None, NOW) is None


def test_the_metrics_count_the_records_by_action() -> None:
    (counts,) = documents(result("saved"), result("saved"), result("ignored"), result("failed", error="x"))
    assert counts["FunctionName"] == "sync"
    assert (counts["Saved"], counts["Cleared"], counts["Ignored"], counts["Failed"]) == (2, 0, 1, 1)


def test_the_metrics_have_the_lag_of_each_record_that_has_one() -> None:
    _, lags = documents(result("saved", lag=100), result("failed", error="x"), result("cleared", lag=200))
    assert lags["Lag"] == [100, 200]


def test_more_values_than_a_document_takes_are_spread_over_several() -> None:
    _, *lags = documents(*(result("saved", lag=number) for number in range(2 * VALUES + 1)))
    assert [len(document["Lag"]) for document in lags] == [VALUES, VALUES, 1]
    assert [lag for document in lags for lag in document["Lag"]] == list(range(2 * VALUES + 1))


def test_every_document_declares_its_metrics_and_their_units() -> None:
    """CloudWatch ignores a value that its document does not declare."""
    counts, lags = documents(result("saved", lag=100))
    for document in (counts, lags):
        assert document["_aws"]["Timestamp"] == NOW.timestamp() * 1000
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        assert (directive["Namespace"], directive["Dimensions"]) == (NAMESPACE, [["FunctionName"]])
        names = {metric["Name"] for metric in directive["Metrics"]}
        assert names == document.keys() - {"_aws", "FunctionName"}
    units = {
        metric["Name"]: metric["Unit"]
        for document in (counts, lags)
        for metric in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    assert units == {
        **dict.fromkeys(["Saved", "Cleared", "Ignored", "Failed"], "Count"),
        "Lag": "Milliseconds",
    }


def test_a_reconciliation_has_the_differences_that_it_found_and_those_that_it_left() -> None:
    state = {"added": 1, "repaired": 2, "deleted": 3, "kept": 10, "failed": 4}
    document = json.loads(reconcile_metrics(state, "sync", NOW))
    assert (document["Drift"], document["DriftLeft"], document["FunctionName"]) == (20, 14, "sync")
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACE
    assert [metric["Name"] for metric in directive["Metrics"]] == ["Drift", "DriftLeft"]
