from __future__ import annotations

import datetime
from typing import Any

import pytest
from pypicloud.models import Package

from pypicloud_s3sync.caches.base import RowKey, Snapshot
from pypicloud_s3sync.sync.packages import StoredObject
from pypicloud_s3sync.sync.pending import Outcome, PendingFile

FILENAME = "pkg-1.0.tar.gz"
KEYS = A, B, C = f"a/{FILENAME}", f"b/{FILENAME}", f"c/{FILENAME}"


def stored(key: str, second: int = 1, **metadata: str) -> StoredObject:
    modified = datetime.datetime(2026, 1, 1, 0, 0, second, tzinfo=datetime.UTC)
    return StoredObject(key, "etag", None, modified, {"name": "pkg", "version": "1.0", **metadata})


def not_a_package(key: str) -> StoredObject:
    """Return an object whose metadata and filename have no version."""
    return StoredObject(key, "etag", None, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), {})


def row(path: str | None, *other_paths: str) -> Any:
    return Package("pkg", "1.0", FILENAME, path=path, other_paths=list(other_paths))


def pending(
    *objects: StoredObject, absent: tuple[str, ...] = (), row: Any | None = None, filename: str = FILENAME
) -> PendingFile:
    """Return a file whose objects and row have been read, and whose row has been chosen."""
    read: dict[str, StoredObject | None] = dict.fromkeys(absent)
    file = PendingFile(
        filename, objects=read | {found.key: found for found in objects}, snapshot=Snapshot(row)
    )
    file.build_packages(Package)
    file.choose_row()
    return file


@pytest.mark.parametrize(
    ("objects", "path", "other_paths"),
    [
        pytest.param([stored(A)], A, None, id="one object"),
        pytest.param([stored(A, 1), stored(B, 2)], B, [A], id="the newest of two"),
        pytest.param([stored(B, 2), stored(A, 1)], B, [A], id="the newest of two that were read first"),
        pytest.param([stored(A, 1), stored(B, 1)], B, [A], id="the greater key in the same second"),
        pytest.param([stored(C, 1), stored(A, 3), stored(B, 2)], A, [B, C], id="the newest of three"),
    ],
)
def test_the_row_is_that_of_the_newest_object_and_lists_the_other_keys(
    objects: list[StoredObject], path: str, other_paths: list[str] | None
) -> None:
    file = pending(*objects)
    assert file.wanted is not None
    assert file.wanted.data == {"path": path} | ({"other_paths": other_paths} if other_paths else {})


def test_no_row_is_wanted_if_no_object_exists() -> None:
    assert pending(absent=(A,)).wanted is None


def test_no_row_is_wanted_for_an_object_that_is_not_a_package() -> None:
    assert pending(not_a_package("x/strange"), filename="strange").wanted is None


def test_a_row_is_chosen_anew_if_the_objects_have_changed() -> None:
    file = pending(stored(A, 1), stored(B, 2))
    file.objects[B] = None
    file.build_packages(Package)
    file.choose_row()
    assert file.wanted is not None
    assert file.wanted.data == {"path": A}
    file.objects[A] = None
    file.build_packages(Package)
    file.choose_row()
    assert file.wanted is None


@pytest.mark.parametrize(
    ("file", "key", "expected"),
    [
        pytest.param(pending(stored(A)), A, Outcome("saved", FILENAME), id="an object"),
        pytest.param(pending(stored(A), row=row(A)), A, Outcome("saved", FILENAME), id="an unchanged object"),
        pytest.param(pending(absent=(A,)), A, Outcome("cleared", FILENAME), id="no object"),
        pytest.param(
            pending(absent=(A,), row=row(A)), A, Outcome("cleared", FILENAME), id="a deleted object"
        ),
        pytest.param(
            pending(stored(B, 2), stored(A, 1)),
            A,
            Outcome("ignored", A),
            id="not the newest object",
        ),
        pytest.param(
            pending(stored(B), absent=(A,), row=row(A)),
            A,
            Outcome("saved", FILENAME),
            id="deleted, and another object replaces its row",
        ),
        pytest.param(
            pending(stored(B), absent=(A,), row=row(B)),
            A,
            Outcome("ignored", A),
            id="deleted, and the row is that of another object",
        ),
        pytest.param(
            pending(not_a_package("x/strange"), filename="strange"),
            "x/strange",
            Outcome("ignored", "x/strange"),
            id="not a package",
        ),
    ],
)
def test_the_outcome_of_a_key_says_what_happened_to_its_row(
    file: PendingFile, key: str, expected: Outcome
) -> None:
    assert file.outcome(key) == expected


@pytest.mark.parametrize(
    ("snapshot", "read", "expected"),
    [
        pytest.param(None, [A], [], id="the row was not read"),
        pytest.param(Snapshot(None), [A], [], id="no row"),
        pytest.param(Snapshot(row(A)), [A], [], id="the same key"),
        pytest.param(Snapshot(row(B)), [A], [B], id="another key"),
        pytest.param(Snapshot(row(B, A, C)), [A], [B, C], id="several keys"),
        pytest.param(Snapshot(row(None)), [A], [], id="a row of an old pypicloud, without a path"),
    ],
)
def test_the_keys_that_a_row_lists_are_read_if_they_have_not_been(
    snapshot: Snapshot | None, read: list[str], expected: list[str]
) -> None:
    file = PendingFile(FILENAME, [A], objects=dict.fromkeys(read), snapshot=snapshot)
    assert file.unread_keys == expected


@pytest.mark.parametrize(("found", "expected"), [(None, [B]), (stored(B), [])], ids=["missing", "found"])
def test_a_listed_key_that_was_missing_is_read_again_unless_its_event_was_requested(
    found: StoredObject | None, expected: list[str]
) -> None:
    """The row has been written since then, by a handler that has found it."""
    file = PendingFile(FILENAME, [A], objects={A: None, B: found}, snapshot=Snapshot(row(B, A)))
    assert file.unread_keys == expected


def test_the_row_is_searched_by_the_name_in_the_metadata() -> None:
    assert pending(stored(A, name="other")).row_key == RowKey(FILENAME, "other", ("pkg",))


def test_the_row_is_searched_by_the_name_in_the_filename_if_no_object_exists() -> None:
    assert pending(absent=(A,)).row_key == RowKey(FILENAME, "pkg", is_gone=True)
    assert pending(absent=("x/strange",), filename="strange").row_key == RowKey("strange", None, is_gone=True)


def test_every_name_that_the_filename_can_be_split_into_may_have_left_something_behind() -> None:
    key = pending(absent=("x/my-3d-1.0.tar.gz",), filename="my-3d-1.0.tar.gz").row_key
    assert key.possible_names == ("my", "my-3d")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        pytest.param(PendingFile(FILENAME), True, id="new"),
        pytest.param(PendingFile(FILENAME, done=True), False, id="done"),
        pytest.param(PendingFile(FILENAME, error=TimeoutError()), False, id="failed"),
    ],
)
def test_a_file_is_open_until_it_is_done_or_has_failed(file: PendingFile, expected: bool) -> None:
    assert file.is_open is expected


def test_the_attempts_that_read_the_same_are_counted_anew_after_each_change() -> None:
    file, repeats = PendingFile(FILENAME), []
    for raw in ("before", "before", "before", "after", "after", "before"):
        file.set_snapshot(Snapshot(row(A), raw))
        repeats.append(file.repeats)
    assert repeats == [0, 1, 2, 0, 1, 0]


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        pytest.param("pkg-1.0.tar.gz", True, id="one name"),
        pytest.param("My_Pkg-1.0-py3-none-any.whl", True, id="wheel"),
        pytest.param("my-3d-1.0.tar.gz", False, id="several names"),
        pytest.param("strange", False, id="no name"),
    ],
)
def test_a_row_is_read_before_its_object_is_known_if_the_filename_tells_the_name(
    filename: str, expected: bool
) -> None:
    assert PendingFile(filename).expect_row() is expected


def test_a_row_that_was_read_before_its_object_is_used_once() -> None:
    file = PendingFile(FILENAME)
    assert not file.take_expected_row()
    file.expect_row()
    file.set_snapshot(Snapshot(row(A), "raw"))
    assert [file.take_expected_row(), file.take_expected_row()] == [True, False]


def test_a_row_is_read_again_if_its_object_has_another_name() -> None:
    file = PendingFile(FILENAME)
    file.expect_row()
    file.set_snapshot(Snapshot(row(A), "raw"))
    file.packages = pending(stored(A, name="other")).packages
    assert not file.take_expected_row()
    file.set_snapshot(Snapshot(row(A), "raw"))
    assert file.repeats == 0, "no attempt has read it before"
