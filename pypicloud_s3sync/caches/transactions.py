"""Group changes into DynamoDB transactions and build their conditions; takes and returns values.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .base import Change, same
from .summaries import RowChanges

#: The items in one transaction, and how many of them a summary takes.
MAX_ITEMS, ITEMS_OF_SUMMARY = 100, 2
#: The attributes of a summary that hold the checksum of its rows and the filename of the newest.
CHECKSUM, NEWEST = "rows_checksum", "newest_row"
#: ``name`` and ``data`` are reserved words in DynamoDB.
NAMES = {"#name": "name", "#data": "data", "#time": "last_modified", "#file": "filename", "#rows": CHECKSUM}

Item = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class RawItems:
    """What DynamoDB holds for a row: its item, and the summary items of the names that were read."""

    item: Item | None
    summaries: Mapping[str, Item | None]


def batches(values: Sequence[T], item_count: Callable[[T], int], size: int = MAX_ITEMS) -> Iterator[list[T]]:
    """Yield the values in order, in batches that are as large as their items allow."""
    batch: list[T] = []
    room = size
    for value in values:
        if batch and item_count(value) > room:
            yield batch
            batch, room = [], size
        batch.append(value)
        room -= item_count(value)
    if batch:
        yield batch


def item_count(group: Sequence[Change]) -> int:
    """Return the largest number of items that changes of one name can take in a transaction.

    These are one item for each row, and the items of the summary of every name that the changes affect.
    """
    return len(group) + ITEMS_OF_SUMMARY * (1 + sum(map(_changes_name, group)))


def _changes_name(change: Change) -> bool:
    """Return whether a row moves to another name, for example because its filename was split wrongly."""
    row, wanted = change.snapshot.row, change.wanted
    return row is not None and wanted is not None and bool(row.name != wanted.name)


def summaries_of(changes: Sequence[Change]) -> dict[str, Item | None]:
    """Return the summary items that were read, for the names of the changes."""
    found: dict[str, Item | None] = {}
    for change in changes:
        read = change.snapshot.raw.summaries
        packages = (change.snapshot.row, change.wanted)
        names = {change.key.name, *(package.name for package in packages if package is not None)}
        found |= {name: read[name] for name in names if name in read}
    return found


def changes_by_name(changes: Sequence[Change], summaries: Mapping[str, Item | None]) -> dict[str, RowChanges]:
    """Return the changes of each name's rows, for every name that the changes affect."""
    names: dict[str, tuple[list[Any], list[Any], list[Any]]] = {}
    for change in changes:
        row, wanted = change.snapshot.row, change.wanted
        if row is None and wanted is None:
            # The server has deleted the row itself: correct the summary that it left behind.
            name = change.key.name
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
    """Return a condition with the attribute names and values of its expression.

    Parameters
    ----------
    expression : str
    *values : object
        The values of the expression's placeholders, in order.
    """
    words = expression.replace("(", " ").replace(")", " ").split()
    condition: dict[str, Any] = {
        "ConditionExpression": expression,
        "ExpressionAttributeNames": {word: NAMES[word] for word in words if word.startswith("#")},
    }
    if values:
        placeholders = (word for word in words if word.startswith(":"))
        condition["ExpressionAttributeValues"] = dict(zip(placeholders, values, strict=True))
    return condition
