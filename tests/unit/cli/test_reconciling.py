from __future__ import annotations

import io

import pytest
from rich.console import Console

from pypicloud_s3sync.cli.reconciling import MEANINGS, show_reconciled


@pytest.mark.parametrize(
    ("kind", "count", "line"),
    [
        ("missing", 1, "  missing    1 object without a row"),
        ("gone", 2, "  gone       2 rows without an object"),
        ("stale", 1, "  stale      1 row that does not match its object"),
        ("summaries", 1, "  summaries  1 name or summary that does not follow from the rows"),
    ],
)
def test_each_kind_of_difference_is_counted_in_the_right_form(kind: str, count: int, line: str) -> None:
    output = io.StringIO()
    document = {
        "differences": dict.fromkeys(MEANINGS, 0) | {kind: count},
        "samples": {name: [] for name in MEANINGS},
        "failed": [],
        "more_failed": 0,
    }
    show_reconciled(Console(file=output, width=200), document, "")
    assert output.getvalue().splitlines()[0] == line


def test_failures_that_are_not_shown_are_counted() -> None:
    output = io.StringIO()
    document = {
        "differences": dict.fromkeys(MEANINGS, 0),
        "samples": {name: [] for name in MEANINGS},
        "failed": [{"filename": f"x-{number}.zip", "error": "denied"} for number in range(1000)],
        "more_failed": 2000,
    }
    show_reconciled(Console(file=output, width=200), document, "")
    lines = output.getvalue().splitlines()
    assert (lines[0], lines[-1], len(lines)) == (
        "  failed     x-0.zip: denied",
        "             and 2,980 more",
        21,
    )
