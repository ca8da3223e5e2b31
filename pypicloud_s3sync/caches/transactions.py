"""What goes into DynamoDB's transactions, and what into one of them; values in, values out.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .base import Change, same
from .summaries import RowChanges

#: Items in one transaction, and those of them that a summary needs.
ACTIONS, OF_SUMMARY = 100, 2
#: The attributes of a summary that hold the checksum of its rows and the filename of the newest.
CHECKSUM, NEWEST = "rows_checksum", "newest_row"
#: ``name`` and ``data`` are reserved words of DynamoDB's.
NAMES = {"#name": "name", "#data": "data", "#time": "last_modified", "#file": "filename", "#rows": CHECKSUM}

Item = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Beside:
    """What was read with a row: its item, and the items of the summaries of its names."""

    item: Item | None
    summaries: Mapping[str, Item | None]


def packs(values: Sequence[T], needed: Callable[[T], int], size: int = ACTIONS) -> Iterator[list[T]]:
    """The values, in their order, in as few packs as have room for what each of them needs."""
    pack: list[T] = []
    room = size
    for value in values:
        if pack and needed(value) > room:
            yield pack
            pack, room = [], size
        pack.append(value)
        room -= needed(value)
    if pack:
        yield pack


def needed(group: Sequence[Change]) -> int:
    """Items at most in a transaction of rows of one name: theirs, and those of each name that they touch."""
    return len(group) + OF_SUMMARY * (1 + sum(map(_moves, group)))


def _moves(change: Change) -> bool:
    """Whether a row goes from one name to another, as where its filename had been split wrongly."""
    row, wanted = change.seen.row, change.wanted
    return row is not None and wanted is not None and bool(row.name != wanted.name)


def summaries_of(changes: Sequence[Change]) -> dict[str, Item | None]:
    """The summaries of the changes' names, as they were read."""
    found: dict[str, Item | None] = {}
    for change in changes:
        read = change.seen.beside.summaries
        packages = (change.seen.row, change.wanted)
        names = {change.subject.name, *(package.name for package in packages if package is not None)}
        found |= {name: read[name] for name in names if name in read}
    return found


def changes_by_name(changes: Sequence[Change], summaries: Mapping[str, Item | None]) -> dict[str, RowChanges]:
    """What the changes mean for each name that they touch."""
    names: dict[str, tuple[list[Any], list[Any], list[Any]]] = {}
    for change in changes:
        row, wanted = change.seen.row, change.wanted
        if row is None and wanted is None:
            # The server has deleted the row itself: look after the summary that it left.
            name = change.subject.name
            if name is not None and summaries.get(name) is not None:
                names.setdefault(name, ([], [], []))
        elif wanted is not None and same(row, wanted):
            names.setdefault(wanted.name, ([], [], []))[2].append(wanted)
        else:
            if row is not None:
                names.setdefault(row.name, ([], [], []))[0].append(row)
            if wanted is not None:
                names.setdefault(wanted.name, ([], [], []))[1].append(wanted)
    return {name: RowChanges(*map(tuple, rows)) for name, rows in names.items()}


def condition(expression: str, *values: Any) -> dict[str, Any]:
    """A condition with the names and the values that it mentions, the values in their order in it."""
    words = expression.replace("(", " ").replace(")", " ").split()
    condition: dict[str, Any] = {
        "ConditionExpression": expression,
        "ExpressionAttributeNames": {word: NAMES[word] for word in words if word.startswith("#")},
    }
    if values:
        placeholders = (word for word in words if word.startswith(":"))
        condition["ExpressionAttributeValues"] = dict(zip(placeholders, values, strict=True))
    return condition
