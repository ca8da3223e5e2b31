"""What Prometheus reads."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from pypicloud_s3sync import __version__
from pypicloud_s3sync.web.prometheus import PREFIX, exposition
from support.fakes import make_settings

FIGURES: dict[str, Any] = {
    "events": {"saved": 9, "cleared": 1, "ignored": 0, "failed": 2, "lost": 0},
    "last_event": 1795637453,
    "lag_seconds": 1.5,
    "waiting": 3,
    "oldest_waiting_seconds": 75,
    "failed": 0,
    "oldest_failed_seconds": None,
    "reconciled": None,
}
COMPARED: dict[str, Any] = {
    "at": 1795637500,
    "dry_run": False,
    "in_sync": True,
    "objects": 1204,
    "rows": 1203,
    "differences": {"missing": 2, "gone": 1, "stale": 0, "summaries": 0},
    "repaired": 3,
    "added": 2,
    "kept": 0,
    "failed": 0,
}


def samples(
    figures: dict[str, Any] = FIGURES, compared: dict[str, Any] | None = COMPARED, accept: str = ""
) -> dict[str, dict[str, float]]:
    """Return the values of each metric, without the prefix, by the value of their label."""
    body, _ = exposition(make_settings(), figures, compared, accept)
    return {
        family.name.removeprefix(PREFIX): {
            "".join(sample.labels.values()): sample.value for sample in family.samples
        }
        for family in parser.text_string_to_metric_families(body.decode())
    }


def test_every_figure_is_a_metric() -> None:
    found = samples()
    assert list(found.pop("info").values()) == [1]
    assert found == {
        "events_last_day": {"saved": 9, "cleared": 1, "ignored": 0, "failed": 2, "lost": 0},
        "last_event_timestamp_seconds": {"": 1795637453},
        "lag_seconds": {"": 1.5},
        "waiting_events": {"": 3},
        "oldest_waiting_event_seconds": {"": 75},
        "failed_events": {"": 0},
        "oldest_failed_event_seconds": {},
        "last_reconcile_timestamp_seconds": {"": 1795637500},
        "last_reconcile_success": {"": 1},
        "objects": {"": 1204},
        "rows": {"": 1203},
        "drift": {"missing": 2, "gone": 1, "stale": 0, "summaries": 0},
        "unrepaired_differences": {"": 0},
    }


def test_each_metric_has_a_help_text_and_a_type() -> None:
    body, _ = exposition(make_settings(), FIGURES, COMPARED, "")
    for family in parser.text_string_to_metric_families(body.decode()):
        assert family.name.startswith(PREFIX)
        assert family.documentation.endswith((".", "1.", "0."))
        assert family.type == "gauge"


def test_the_settings_are_labels() -> None:
    body, _ = exposition(make_settings(), FIGURES, None, "")
    (info,) = [
        family
        for family in parser.text_string_to_metric_families(body.decode())
        if family.name == f"{PREFIX}info"
    ]
    settings = make_settings()
    assert info.samples[0].labels == {
        "version": __version__,
        "function": settings.function_name,
        "bucket": settings.bucket,
        "cache": "dynamo",
        "delivery": "direct",
    }


def test_without_a_comparison_its_metrics_have_no_value() -> None:
    found = samples(compared=None)
    for name in ("last_reconcile_timestamp_seconds", "objects", "rows", "drift", "unrepaired_differences"):
        assert found[name] == {}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"dry_run": True, "in_sync": False}, 3),
        ({"kept": 2, "failed": 1, "in_sync": False}, 3),
        ({}, 0),
    ],
)
def test_what_a_comparison_left_is_counted(changes: dict[str, Any], left: int) -> None:
    found = samples(compared={**COMPARED, **changes})
    assert found["unrepaired_differences"] == {"": left}
    assert found["last_reconcile_success"] == {"": not left}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_the_format_is_that_which_prometheus_accepts(accept: str, content_type: str) -> None:
    body, given = exposition(make_settings(), FIGURES, COMPARED, accept)
    assert given.startswith(content_type)
    if "openmetrics" in content_type:
        assert body.endswith(b"# EOF\n")
        # The parser has no types.
        assert len(list(parse_openmetrics(body.decode()))) == 14  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("compared", "at", "left", "expected"),
    [
        pytest.param(COMPARED, COMPARED["at"] + 60, 2, (COMPARED["at"] + 60, 0, 2), id="by the function"),
        pytest.param(COMPARED, COMPARED["at"] - 60, 2, (COMPARED["at"], 1, 0), id="then on this host"),
        pytest.param(None, 1795000000, 0, (1795000000, 1, 0), id="by the function only"),
    ],
)
def test_the_last_reconciliation_is_that_of_the_function_if_it_is_newer(
    compared: dict[str, Any] | None, at: int, left: int, expected: tuple[int, int, int]
) -> None:
    found = samples({**FIGURES, "reconciled": {"at": at, "drift": 5, "left": left}}, compared)
    names = ("last_reconcile_timestamp_seconds", "last_reconcile_success", "unrepaired_differences")
    assert tuple(found[name][""] for name in names) == expected
    assert found["objects"] == ({} if compared is None else {"": 1204})
