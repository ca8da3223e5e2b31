"""Saying what S3 sync is, what it creates and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.state.about import (
    EVENTS,
    METRICS,
    PER_CACHED_GB_SECOND,
    PER_POLL,
    PER_READ,
    PER_RESTORED_GB,
    PER_WRITE,
    PRICED,
    READS,
    WRITES,
    about,
    event_costs,
)
from pypicloud_s3sync.sync.telemetry import ACTIONS
from support.fakes import make_settings

COSTS = (Path(__file__).parents[4] / "docs" / "production.md").read_text()


@pytest.mark.parametrize(
    ("delivery", "part"), [("direct", "notification"), ("sqs", "notification"), ("eventbridge", "rule")]
)
def test_what_is_created_follows_from_the_delivery(delivery: str, part: str) -> None:
    text = about(make_settings(s3sync__delivery=delivery))
    assert part in text
    assert "two SQS queues" in text
    assert "Lambda function" in text


def test_the_costs_are_computed_from_the_settings() -> None:
    """Ten gigabytes for 0.2 seconds, a thousand times, and the requests."""
    large = make_settings(s3sync__memory_size="10240")
    assert event_costs(large) == pytest.approx(
        1000 * (10 * 0.2 * 0.0000166667 + 2e-7 + 8e-7 + 4e-6), rel=1e-3
    )
    assert "cost about $0.04" in about(large)
    assert "cost less than $0.01" in about(make_settings())


def test_the_prices_are_those_of_the_documentation() -> None:
    assert f"as of {PRICED}" in COSTS
    for price in ("$0.20 per million requests", "$0.0000166667 per GB-second", "$0.30 per custom metric"):
        assert price in COSTS
    assert "$1.50" in COSTS
    assert "$1.50" in about(make_settings())


def test_reading_an_empty_queue_is_paid_for() -> None:
    """Lambda asks it all the time, with every delivery."""
    assert "reading the queue about $0.26" in about(make_settings())
    assert "$0.26 per month" in COSTS


def test_each_metric_of_the_function_is_paid_for() -> None:
    """A metric for each action, and the lag."""
    assert len(ACTIONS) + 1 == METRICS


def test_the_costs_of_a_million_events_follow_from_the_prices() -> None:
    settings = make_settings()
    per_event = event_costs(settings) / EVENTS
    rows = WRITES * PER_WRITE + READS * PER_READ
    logs, queue = 1.4 * 0.50, 3 * 1e6 * PER_POLL
    direct = 1e6 * (per_event - rows) + logs
    for name, total in (("a Redis or SQL", direct), ("a DynamoDB", direct + 1e6 * rows)):
        columns = f"**{total:.2f}** | **{total + queue:.2f}** | **{total + queue:.2f}** |"
        assert f"| **with {name} cache** | {columns}" in COSTS


def test_the_costs_of_snap_start_are_those_of_the_documentation() -> None:
    settings = make_settings(s3sync__snap_start="true")
    assert "its snapshot about $1.95," in about(settings)
    assert "snapshot" not in about(make_settings())
    assert f"${PER_CACHED_GB_SECOND:.10f} per GB-second" in COSTS
    assert f"${PER_RESTORED_GB:.10f} per GB" in COSTS
    assert "$1.95 per month" in COSTS
    assert f"${PER_RESTORED_GB / 2 * 1000:.2f} per thousand cold starts" in COSTS
