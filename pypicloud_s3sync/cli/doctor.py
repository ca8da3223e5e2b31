"""Print an examination for people: a line for each check, and below it what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from ..sync.counts import count_of
from .console import print_line

#: The mark and the style of each state.
MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("-", "dim")}


def show_examination(console: Console, document: Mapping[str, Any]) -> None:
    """Print the document of ``doctor``."""
    checks = document["checks"]
    width = max(len(check["check"]) for check in checks)
    for check in checks:
        mark, style = MARKS[check["state"]]
        print_line(
            console, f"  {mark} {check['check']:<{width}}  {check['state']:<7}  {check['evidence']}", style
        )
        if check["remedy"]:
            print_line(console, f"      {check['remedy']}")
    print_line(console, _summary(document))


def _summary(document: Mapping[str, Any]) -> str:
    states = [check["state"] for check in document["checks"]]
    failed, warnings = states.count("failed"), states.count("warning")
    warned = count_of(warnings, "warning")
    if failed:
        return f"{failed} of {count_of(len(states), 'check')} failed{f', {warned}' if warnings else ''}."
    return f"No check failed, {warned}." if warnings else "No check failed."
