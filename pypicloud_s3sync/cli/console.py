"""Print for people: a plan as a diff, and the state of S3 sync."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from ..sync.counts import count_of
from .diff import CODE, diff
from .text import one_line

SIGNS = {"create": "+", "update": "~", "delete": "-"}
STYLES = {"+": "green", "-": "red", "~": "yellow"}
MARKS = {"ok": "✓", "given": "✓", "missing": "✗", "differs": "~"}
STATES = {
    "on": "S3 sync is on",
    "off": "S3 sync is off",
    "partial": "S3 sync is incomplete",
    "differs": "S3 sync is on, but differs from the settings",
    "failing": "S3 sync is on, but events fail",
    "paused": "S3 sync is paused: events are not handled",
    "conflict": "Something is in the way of S3 sync",
}
#: A longer difference, for example of a policy, is shown by ``plan`` only.
MOST_OF_A_LINE = 60


def show_plan(console: Console, document: Mapping[str, Any]) -> None:
    """Print a plan document as a diff."""
    title = f"{document['function']} in {document['region']}, bucket {document['bucket']}"
    print_line(console, title)
    show_warnings(console, document)
    show_actions(console, document)
    console.print()
    print_line(console, plan_summary(document))


def show_actions(console: Console, document: Mapping[str, Any]) -> None:
    """Print the actions of a plan document as a diff."""
    for action in document["actions"]:
        sign = SIGNS[action["verb"]]
        console.print()
        _print(console, sign, f"{sign} {action['resource']}  {action['name']}")
        for line_sign, line in diff(action):
            _print(console, line_sign, f"    {line_sign} {line}")


def plan_summary(document: Mapping[str, Any]) -> str:
    """Return a plan in one line."""
    if document["in_sync"]:
        return "Nothing to do." if document["command"] == "enable" else "Nothing to remove."
    foreign = document["foreign_notifications"]
    return f"{counts(document)}." + (f" {_unchanged(foreign)}" if foreign else "")


def counts(document: Mapping[str, Any]) -> str:
    """Return how many actions of each kind a plan document has."""
    verbs = [action["verb"] for action in document["actions"]]
    return ", ".join(f"{verbs.count(verb)} to {verb}" for verb in SIGNS)


def _unchanged(foreign: int) -> str:
    return f"{_others(foreign)} will not be changed."


def _others(foreign: int) -> str:
    return f"{count_of(foreign, 'other notification')} on this bucket"


def print_line(console: Console, line: str, style: str | None = None) -> None:
    """Print a text as one line, with its control characters escaped. All text for people is printed here."""
    console.print(one_line(line), style=style, markup=False, highlight=False, soft_wrap=True)


def _print(console: Console, sign: str, line: str) -> None:
    print_line(console, line, STYLES.get(sign))


def show_replayed(console: Console, document: Mapping[str, Any]) -> None:
    """Print the result of a replay, with a line for each event that failed again."""
    for event in document["failed"]:
        print_line(console, f"  ✗ {', '.join(event['keys']) or event['message_id']}: {event['error']}")
    print_line(console, document["message"])


def show_status(console: Console, document: Mapping[str, Any]) -> None:
    """Print a status document."""
    unknown = document["state"] == "on" and not document.get("healthy", True)
    title = "S3 sync is on, but it is unknown whether it works" if unknown else STATES[document["state"]]
    print_line(console, title + ".", "bold")
    for problem in document.get("problems", ()):
        print_line(console, f"  ! {problem['message']}", "yellow")
        print_line(console, f"    {problem['remedy']}")
    show_warnings(console, document)
    rows = [
        ("bucket", document["bucket"] + (f" under {document['prefix']}" if document["prefix"] else "")),
        ("region", document["region"]),
        ("cache", document["cache"]),
        ("runtime", f"{document['runtime']} on {document['architecture']}"),
        ("delivery", document["delivery"]),
        ("events", _events(document["events"])),
        *_contents(document),
        *_foreign_target(document),
        *((part["resource"], f"{_mark(part)} {_part(part)}") for part in document["resources"]),
        *([("code", CODE[document["code"]])] if document.get("code") else []),
    ]
    _table(console, rows)
    if document["foreign_notifications"]:
        foreign = document["foreign_notifications"]
        print_line(console, f"  {_others(foreign)}")
    if "about" in document:
        print_line(console, document["about"])
    if not document["in_sync"]:
        hint = "Run `ppc-s3sync plan` to see the difference, and `ppc-s3sync enable` to apply the settings."
        print_line(console, hint)


def show_warnings(console: Console, document: Mapping[str, Any]) -> None:
    """Print the warnings of a document."""
    for warning in document.get("warnings", ()):
        print_line(console, f"  ! {warning}", "yellow")


def _mark(part: Mapping[str, Any]) -> str:
    return "!" if part.get("foreign") else MARKS[part["state"]]


def _events(events: Mapping[str, Any]) -> str:
    """Return how many events wait and have failed, with the age of the oldest if it is known."""
    texts = []
    for kind in ("waiting", "failed"):
        age = events[f"oldest_{kind}_seconds"]
        oldest = "" if age is None else f" (the oldest for {_age(age)})"
        texts.append(f"{events[kind]:,} {kind}{oldest}")
    return ", ".join(texts)


def _contents(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield how many packages and rows there are, and what the last comparison has found."""
    contents = document.get("contents")
    if contents is None:
        return
    packages = _count(contents, "objects", "at least")
    yield "packages", f"{packages} in the bucket, {_count(contents, 'rows', 'about')} in the cache"
    for problem in contents["problems"]:
        yield "", problem
    compared = document["compared"]
    if compared is not None:
        time = datetime.datetime.fromtimestamp(compared["at"], datetime.UTC)
        result = "in sync" if compared["in_sync"] else "they differed"
        yield "compared", f"{time:%Y-%m-%d %H:%M} UTC: {result}"


def _count(contents: Mapping[str, Any], name: str, inexact: str) -> str:
    number = contents[name]
    if number is None:
        return "an unknown number"
    return f"{number:,}" if contents[f"{name}_exact"] else f"{inexact} {number:,}"


def _foreign_target(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where Lambda sends failed events, if that is not this tool's queue."""
    target = document["events"]["dead_letter_target"]
    queues = {part["name"] for part in document["resources"]}
    if target is not None and target.rpartition(":")[2] not in queues:
        yield "failed events", f"go to {target}, which someone else set"


def _age(seconds: int) -> str:
    """Return an age in its largest unit, for example ``3 h``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _part(part: Mapping[str, Any]) -> str:
    """Return a resource in a line: its name, its state or what differs, and the messages of a queue."""
    count = part.get("messages")
    messages = f"  ({count_of(count, 'message')})" if count else ""
    state = "not created by this tool" if part.get("foreign") else _state(part)
    return f"{part['name']}{f'  ({state})' if state else ''}{messages}"


def _state(part: Mapping[str, Any]) -> str:
    short = ", ".join(
        text for item in part.get("differences", ()) if len(text := _difference(item)) <= MOST_OF_A_LINE
    )
    return "" if part["state"] == "ok" else short or part["state"]


def _difference(item: Mapping[str, Any]) -> str:
    """Return what differs, for example ``memory 512 → 1024 MB``."""
    before, after = ("none" if item[key] is None else str(item[key]) for key in ("before", "after"))
    before = CODE.get(before, before) if item["field"] == "code" else before
    unit = f" {_unit(item['unit'], after)}" if "unit" in item else ""
    return f"{item['field']} {before} → {after}{unit}"


def _unit(unit: str, value: str) -> str:
    return "day" if (unit, value) == ("days", "1") else unit


def _table(console: Console, rows: Sequence[tuple[str, str]]) -> None:
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        print_line(console, f"  {label:<{width}}  {value}")


def make_console(*, quiet: bool) -> Console:
    """Return the console on stdout; a quiet one prints nothing, so that stdout is only a JSON document."""
    if hasattr(sys.stdout, "reconfigure"):
        # A character that the encoding lacks must not end a run between two steps.
        sys.stdout.reconfigure(errors="replace")
    return Console(file=sys.stdout, quiet=quiet, soft_wrap=True)
