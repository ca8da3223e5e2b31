from __future__ import annotations

import datetime
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypicloud.models import Package

from pypicloud_s3sync.caches.base import Change, RowKey, Snapshot
from pypicloud_s3sync.caches.summaries import RowChanges
from pypicloud_s3sync.caches.transactions import (
    CHECKSUM,
    ITEMS_OF_SUMMARY,
    MAX_ITEMS,
    Item,
    RawItems,
    batches,
    changes_by_name,
    condition,
    item_count,
    repeats_of,
    summaries_of,
)

TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def package(name: str, version: str = "1.0", filename: str | None = None, summary: str = "") -> Any:
    return Package(name, version, filename or f"{name}-{version}.tar.gz", TIME, summary)


def change(
    row: Any | None,
    wanted: Any | None,
    guess: str | None = None,
    summaries: dict[str, Item | None] | None = None,
) -> Change:
    """Return a change from one row to another; ``summaries`` are the summary items that were read."""
    known = wanted or row
    key = (
        RowKey("pkg-1.0.tar.gz", guess, is_gone=True)
        if known is None
        else RowKey(known.filename, guess or known.name)
    )
    return Change(key, Snapshot(row, RawItems(None, summaries or {})), wanted)


OLD, NEW = package("pkg", summary="old"), package("pkg", summary="new")
OTHER = package("pkg", "2.0")
RENAMED = package("other", filename=OLD.filename)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([2, 3], [[2, 3]], id="all fit into one batch"),
        pytest.param([2, 3, 1], [[2, 3], [1]], id="the last one does not fit"),
        pytest.param([3, 3, 2, 5, 1], [[3], [3, 2], [5], [1]], id="the order is kept"),
        pytest.param([1, 9, 1], [[1], [9], [1]], id="one is too large on its own"),
    ],
)
def test_values_are_batched_by_their_number_of_items(sizes: list[int], expected: list[list[int]]) -> None:
    assert list(batches(sizes, lambda items: items, size=5)) == expected


@given(st.lists(st.integers(1, 40), max_size=50))
def test_no_batch_exceeds_a_transaction_and_no_value_is_lost(sizes: list[int]) -> None:
    found = list(batches(sizes, lambda items: items))
    assert [items for batch in found for items in batch] == sizes
    assert all(sum(batch) <= MAX_ITEMS for batch in found)
    assert all(sum(batch) + following[0] > MAX_ITEMS for batch, following in pairwise(found))


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        pytest.param([change(None, NEW)], 1 + ITEMS_OF_SUMMARY, id="one row"),
        pytest.param([change(None, NEW), change(None, OTHER)], 2 + ITEMS_OF_SUMMARY, id="two rows"),
        pytest.param([change(OLD, None)], 1 + ITEMS_OF_SUMMARY, id="a removed row"),
        pytest.param([change(OLD, RENAMED)], 1 + 2 * ITEMS_OF_SUMMARY, id="a row that moves to another name"),
    ],
)
def test_a_group_takes_an_item_for_each_row_and_those_of_its_summaries(
    group: list[Change], expected: int
) -> None:
    assert item_count(group) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param([change(None, NEW)], {"pkg": RowChanges(added=(NEW,))}, id="a new row"),
        pytest.param([change(OLD, None)], {"pkg": RowChanges(removed=(OLD,))}, id="a removed row"),
        pytest.param(
            [change(OLD, NEW)], {"pkg": RowChanges(removed=(OLD,), added=(NEW,))}, id="a replaced row"
        ),
        pytest.param(
            [change(OLD, package("pkg", summary="old"))], {"pkg": RowChanges(kept=(OLD,))}, id="a kept row"
        ),
        pytest.param(
            [change(OLD, RENAMED)],
            {"pkg": RowChanges(removed=(OLD,)), "other": RowChanges(added=(RENAMED,))},
            id="a row that moves to another name",
        ),
        pytest.param(
            [change(OLD, NEW), change(None, OTHER)],
            {"pkg": RowChanges(removed=(OLD,), added=(NEW, OTHER))},
            id="two rows of one name",
        ),
        pytest.param(
            [change(None, None, guess="pkg")],
            {"pkg": RowChanges(absent=("pkg-1.0.tar.gz",))},
            id="a row that the server has deleted",
        ),
        pytest.param(
            [change(None, None, guess="other")],
            {"other": RowChanges(absent=("pkg-1.0.tar.gz",))},
            id="no row and no summary",
        ),
        pytest.param([change(None, None)], {}, id="no row and no name"),
    ],
)
def test_changes_are_sorted_by_the_names_that_they_affect(
    changes: list[Change], expected: dict[str, RowChanges]
) -> None:
    summaries: dict[str, Item | None] = {"pkg": {}, "other": None}
    found = changes_by_name(changes, summaries)
    assert contents(found) == contents(expected)


def contents(changes: dict[str, RowChanges]) -> dict[str, Any]:
    """Return the rows as tuples: pypicloud's own ``==`` compares filenames only."""
    return {
        name: (
            *(
                [(row.filename, row.name, row.summary) for row in rows]
                for rows in (changes.removed, changes.added, changes.kept)
            ),
            changes.absent,
        )
        for name, changes in changes.items()
    }


def test_the_summaries_of_a_change_are_those_of_the_guessed_the_old_and_the_new_name() -> None:
    read: dict[str, Item | None] = {"guess": {"a": 1}, "pkg": {"b": 2}, "other": None, "unrelated": {"c": 3}}
    found = summaries_of([change(OLD, RENAMED, "guess", read)])
    assert found == {"guess": {"a": 1}, "pkg": {"b": 2}, "other": None}


def test_a_summary_that_was_not_read_is_left_out() -> None:
    assert summaries_of([change(None, NEW)]) == {}


@pytest.mark.parametrize(
    ("expression", "values", "names", "placeholders"),
    [
        pytest.param("attribute_not_exists(#file)", [], {"#file": "filename"}, None, id="without values"),
        pytest.param(
            "#time = :time AND #data = :data",
            ["now", "{}"],
            {"#time": "last_modified", "#data": "data"},
            {":time": "now", ":data": "{}"},
            id="with two values",
        ),
        pytest.param(
            "#time = :time AND attribute_not_exists(#rows)",
            ["now"],
            {"#time": "last_modified", "#rows": CHECKSUM},
            {":time": "now"},
            id="with one value",
        ),
    ],
)
def test_a_condition_has_the_names_and_values_of_its_expression(
    expression: str, values: list[str], names: dict[str, str], placeholders: dict[str, str] | None
) -> None:
    found = condition(expression, *values)
    assert found["ConditionExpression"] == expression
    assert found["ExpressionAttributeNames"] == names
    # DynamoDB refuses an empty dictionary.
    assert found.get("ExpressionAttributeValues") == placeholders
    assert placeholders is not None or "ExpressionAttributeValues" not in found


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        pytest.param("#time = :time AND #data = :data", ["one"], id="too few"),
        pytest.param("#time = :time", ["one", "two"], id="too many"),
    ],
)
def test_a_condition_needs_exactly_one_value_for_each_placeholder(expression: str, values: list[str]) -> None:
    with pytest.raises(ValueError, match="argument 2"):
        condition(expression, *values)


ITEM, CHANGED = {"name": {"S": "pkg"}, CHECKSUM: {"N": "1"}}, {"name": {"S": "pkg"}, CHECKSUM: {"N": "2"}}


@pytest.mark.parametrize(
    ("repeats", "now", "expected"),
    [
        pytest.param([3], ITEM, 3, id="the summary has not changed"),
        pytest.param([3, 1], ITEM, 1, id="one row was read later than the other"),
        pytest.param([3], CHANGED, 0, id="an earlier transaction of the attempt changed the summary"),
        pytest.param([3], None, 0, id="an earlier transaction of the attempt deleted the summary"),
    ],
)
def test_attempts_are_counted_as_long_as_the_summary_stays_the_same(
    repeats: list[int], now: Item | None, expected: int
) -> None:
    changes = [replace(change(OLD, None, summaries={"pkg": ITEM}), repeats=count) for count in repeats]
    others = [replace(change(RENAMED, None, summaries={"other": None}), repeats=0)]
    assert repeats_of("pkg", changes + others, {"pkg": now, "other": None}) == expected
