"""Print the result of ``reconcile`` for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from ..sync.counts import count_of
from .console import print_line

#: The failures that are shown.
SHOWN = 20
#: What each kind of difference means, for one and for several.
MEANINGS = {
    "missing": ("object without a row", "objects without a row"),
    "gone": ("row without an object", "rows without an object"),
    "stale": ("row that does not match its object", "rows that do not match their objects"),
    "summaries": (
        "name or summary that does not follow from the rows",
        "names or summaries that do not follow from the rows",
    ),
}


def show_reconciled(console: Console, document: Mapping[str, Any], summary: str) -> None:
    """Print the document of ``reconcile``."""
    for kind, forms in MEANINGS.items():
        count = document["differences"][kind]
        if not count:
            continue
        print_line(console, f"  {kind:<9}  {count_of(count, *forms)}")
        samples = document["samples"][kind]
        for name in samples:
            print_line(console, f"             {name}")
        if count > len(samples):
            print_line(console, f"             and {count - len(samples):,} more")
    failed = document["failed"]
    for failure in failed[:SHOWN]:
        print_line(console, f"  failed     {failure['filename']}: {failure['error']}")
    more = len(failed[SHOWN:]) + document["more_failed"]
    if more:
        print_line(console, f"             and {more:,} more")
    if summary:
        print_line(console, summary)
