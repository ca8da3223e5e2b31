"""Group changes into DynamoDB transactions and build their conditions, without calling DynamoDB.

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
#: The attributes of a summary that hold the checksum of its rows, the filename of the newest, what the
#: summary knows of the rows that come next, and a value that no other write of the summary has.
CHECKSUM, NEWEST, OLDER, REVISION = "rows_checksum", "newest_row", "older_rows", "revision"
#: ``name`` and ``data`` are reserved words in DynamoDB.
NAMES = {
    "#name": "name",
    "#data": "data",
    "#time": "last_modified",
    "#file": "filename",
    "#text": "summary",
    "#rows": CHECKSUM,
    "#revision": REVISION,
}

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
    return len(group) + ITEMS_OF_SUMMARY * (1 + sum(map(_further_names, group)))


def _further_names(change: Change) -> int:
    """Return how many names a change affects besides its own: it moves a row, or does not know its name."""
    row, wanted = change.snapshot.row, change.wanted
    if row is None and wanted is None:
        return len(change.key.possible_names)
    return int(row is not None and wanted is not None and row.name != wanted.name)


def summaries_of(changes: Sequence[Change]) -> dict[str, Item | None]:
    """Return the summary items that were read, for the names of the changes."""
    found: dict[str, Item | None] = {}
    for change in changes:
        read = change.snapshot.raw.summaries
        packages = (change.snapshot.row, change.wanted)
        names = {*change.key.possible_names, *([change.key.name] if change.key.name else [])}
        names |= {package.name for package in packages if package is not None}
        found |= {name: read[name] for name in names if name in read}
    return found


def repeats_of(name: str, changes: Sequence[Change], summaries: Mapping[str, Item | None]) -> int:
    """Return how many attempts before this one have read the summary as it is now.

    Zero if an earlier transaction of this attempt has changed the summary.
    """
    reads = [
        (change.repeats, change.snapshot.raw.summaries[name])
        for change in changes
        if name in change.snapshot.raw.summaries
    ]
    return min((repeats if read == summaries[name] else 0 for repeats, read in reads), default=0)


def changes_by_name(changes: Sequence[Change], summaries: Mapping[str, Item | None]) -> dict[str, RowChanges]:
    """Return the changes of each name's rows, for every name that the changes affect."""
    names: dict[str, tuple[list[Any], list[Any], list[Any], list[str]]] = {}

    def of(name: Any) -> tuple[list[Any], list[Any], list[Any], list[str]]:
        return names.setdefault(name, ([], [], [], []))

    for change in changes:
        row, wanted = change.snapshot.row, change.wanted
        if row is None and wanted is None:
            # The server has deleted the row itself. As its index may have lagged behind, it may have left the
            # summary behind, or have deleted it although the name has other rows.
            for name in change.key.possible_names:
                if name in summaries:
                    of(name)[3].append(change.filename)
        elif wanted is not None and same(row, wanted):
            of(wanted.name)[2].append(wanted)
        else:
            if row is not None:
                of(row.name)[0].append(row)
            if wanted is not None:
                of(wanted.name)[1].append(wanted)
    return {name: RowChanges(*map(tuple, rows)) for name, rows in names.items()}


def unchanged(item: Item, *names: str) -> dict[str, Any]:
    """Return the condition that attributes of an item are still what they were when it was read.

    Parameters
    ----------
    item : dict
    *names : str
        Keys of :data:`NAMES`.
    """
    present = [NAMES[name] in item for name in names]
    tests = (
        f"{name} = :{name[1:]}" if known else f"attribute_not_exists({name})"
        for name, known in zip(names, present, strict=True)
    )
    values = (item[NAMES[name]] for name, known in zip(names, present, strict=True) if known)
    return condition(" AND ".join(tests), *values)


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
