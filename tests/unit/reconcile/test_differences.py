from __future__ import annotations

import tracemalloc

import pytest

from pypicloud_s3sync.caches.canary import NAME
from pypicloud_s3sync.reconcile.differences import differences, hash_of, summary_of, wrong_names
from pypicloud_s3sync.reconcile.models import Difference, Kind, Known, ListedName, ListedObject, ListedRow

SECOND = 1_000_000


def stored(key: str, modified: int = 7) -> ListedObject:
    return ListedObject(key.rpartition("/")[2], key, modified)


def row(
    key: str | None,
    *others: str,
    filename: str = "pkg-1.0.zip",
    modified: int = 7 * SECOND,
    plausible: bool = True,
    summary: int = 1,
) -> ListedRow:
    return ListedRow(filename, "pkg", modified, key, others, plausible, summary)


def compare(objects: list[ListedObject], rows: list[ListedRow], prefix: str = "") -> list[Difference]:
    return list(differences(objects, rows, prefix))


def test_an_object_without_a_row_is_missing() -> None:
    assert compare([stored("a/pkg/pkg-1.0.zip")], []) == [
        Difference(Kind.MISSING, "pkg-1.0.zip", ("a/pkg/pkg-1.0.zip",), "pkg")
    ]


def test_a_row_that_says_what_the_listing_says_is_no_difference() -> None:
    assert compare([stored("a/pkg-1.0.zip")], [row("a/pkg-1.0.zip")]) == []


def test_a_fraction_of_a_second_is_no_difference() -> None:
    assert compare([stored("a/pkg-1.0.zip")], [row("a/pkg-1.0.zip", modified=7 * SECOND + 345_678)]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        row("a/pkg-1.0.zip", modified=8 * SECOND),
        row("b/pkg-1.0.zip"),
        row(None),
        row("a/pkg-1.0.zip", "b/pkg-1.0.zip"),
    ],
)
def test_a_row_that_says_something_else_is_stale(wrong: ListedRow) -> None:
    assert compare([stored("a/pkg-1.0.zip")], [wrong]) == [
        Difference(Kind.STALE, "pkg-1.0.zip", ("a/pkg-1.0.zip",), "pkg")
    ]


def test_a_row_that_its_key_does_not_spell_is_stale_unless_the_object_says_the_same() -> None:
    key = "a/pkg-1.0.zip"
    listed = row(key, plausible=False)._replace(version="7", summary=summary_of("text"), sha256="ab")
    assert compare([stored(key)], [listed]) == [Difference(Kind.STALE, "pkg-1.0.zip", (key,), "pkg", True)]
    known = Known(key, "identity", "pkg", "7", "text", "ab")
    assert compare([stored(key)._replace(known=known)], [listed]) == []
    for wrong in (
        {"name": "x"},
        {"version": "8"},
        {"summary": 1},
        {"sha256": None},
        {"modified": 8 * SECOND},
    ):
        changed = listed._replace(plausible=True, **wrong)
        assert compare([stored(key)._replace(known=known)], [changed])[0].kind is Kind.STALE


def test_an_object_that_is_known_to_be_no_package_is_no_difference() -> None:
    other, key = (stored(f"{folder}/pkg-1.0.zip", 9) for folder in "ba")
    other = other._replace(known=Known(other.key, "identity"))
    assert compare([other], []) == []
    assert compare([key, other], [row(key.key, modified=9 * SECOND)]) == []
    # What is deleted is decided on the object itself.
    assert [it.kind for it in compare([other], [row(key.key)])] == [Kind.STALE]


def test_the_row_of_two_keys_is_that_of_the_newer_object_and_lists_the_other_one() -> None:
    both = [stored("a/pkg-1.0.zip", 7), stored("b/pkg-1.0.zip", 6)]
    assert compare(both, [row("a/pkg-1.0.zip", "b/pkg-1.0.zip")]) == []
    found = compare(both, [row("a/pkg-1.0.zip")])
    assert [(it.kind, it.keys) for it in found] == [(Kind.STALE, ("a/pkg-1.0.zip", "b/pkg-1.0.zip"))]


@pytest.mark.parametrize(
    ("path", "prefix", "key"),
    [
        ("a/pkg-1.0.zip", "", "a/pkg-1.0.zip"),
        (None, "", "pkg-1.0.zip"),
        ("a/other-1.0.zip", "", "pkg-1.0.zip"),
        ("a/pkg-1.0.zip", "packages/", "packages/pkg-1.0.zip"),
        ("a/pkg-1.0.zip", "packages", "packages/pkg-1.0.zip"),
    ],
)
def test_a_row_without_an_object_is_looked_up_under_a_key_of_its_filename(
    path: str | None, prefix: str, key: str
) -> None:
    assert compare([], [row(path)], prefix) == [Difference(Kind.GONE, "pkg-1.0.zip", (key,), "pkg")]


def test_a_row_that_was_listed_twice_counts_once() -> None:
    assert compare([stored("a/pkg-1.0.zip")], [row("a/pkg-1.0.zip"), row("a/pkg-1.0.zip")]) == []


def test_both_sides_are_merged_in_order() -> None:
    objects = [stored("a-1.zip"), stored("c-1.zip"), stored("d-1.zip")]
    rows = [row("b-1.zip", filename="b-1.zip"), row("c-1.zip", filename="c-1.zip")]
    assert [(it.kind.value, it.filename) for it in compare(objects, rows)] == [
        ("missing", "a-1.zip"),
        ("gone", "b-1.zip"),
        ("missing", "d-1.zip"),
    ]


NEWEST = row("a/pkg-2.0.zip", filename="pkg-2.0.zip", modified=9 * SECOND, summary=2)
FILES = hash_of(["pkg-1.0.zip", "pkg-2.0.zip"])


@pytest.mark.parametrize(
    ("listed", "wrong"),
    [
        ([ListedName("pkg", 9 * SECOND, 2)], False),
        ([ListedName("pkg", 9 * SECOND, 2, FILES)], False),
        ([], True),
        ([ListedName("pkg", None, 2)], True),
        ([ListedName("pkg", 7 * SECOND, 2)], True),
        ([ListedName("pkg", 9 * SECOND, 1)], True),
        ([ListedName("pkg", 9 * SECOND, 2, FILES + 1)], True),
        ([ListedName("pkg", 9 * SECOND, 2, FILES, complete=False)], True),
    ],
)
def test_a_summary_has_to_be_that_of_the_newest_row(listed: list[ListedName], wrong: bool) -> None:
    assert list(wrong_names([row("a/pkg-1.0.zip"), NEWEST], listed)) == ["pkg"] * wrong


def test_a_name_without_rows_is_wrong() -> None:
    assert list(wrong_names([], [ListedName("pkg", 9, 2)])) == ["pkg"]


def test_of_rows_of_the_same_time_the_last_filename_decides() -> None:
    same_time = row("a/pkg-1.0.zip", modified=9 * SECOND, summary=1)
    assert list(wrong_names([same_time, NEWEST], [ListedName("pkg", 9 * SECOND, 2)])) == []


def test_a_row_that_was_listed_twice_is_one_file_of_its_project() -> None:
    rows = [row("a/pkg-1.0.zip"), row("a/pkg-1.0.zip"), NEWEST]
    assert list(wrong_names(rows, [ListedName("pkg", 9 * SECOND, 2, FILES)])) == []


def test_a_project_with_many_files_is_not_kept_in_memory() -> None:
    files = 5000
    rows = (row(f"a/{number:07}.zip", filename=f"{number:07}.zip") for number in range(files))
    tracemalloc.start()
    try:
        assert list(wrong_names(rows, [ListedName("pkg", 7 * SECOND, 1)])) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * files


CANARY = row("a/x.tar.gz", filename="x.tar.gz")._replace(name=NAME)


@pytest.mark.parametrize("rows", [[], [CANARY]])
@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        ([], []),
        ([ListedName(NAME, None, 0, hash_of({"x.tar.gz"}), complete=False)], []),
        ([ListedName(NAME, 7 * SECOND, 1)], [NAME]),
        ([ListedName(NAME, None, 0, 0, complete=True)], [NAME]),
    ],
)
def test_the_name_of_a_canary_must_not_be_listed(
    rows: list[ListedRow], names: list[ListedName], wrong: list[str]
) -> None:
    assert list(wrong_names(rows, names)) == wrong
