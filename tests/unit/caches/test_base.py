from __future__ import annotations

import datetime
from typing import Any

import pytest
from pypicloud.models import Package

from pypicloud_s3sync.caches.base import CacheAdapter, Change, Result, RowKey, Snapshot, same

FILENAME = "pkg-1.0.tar.gz"
KEY = RowKey(FILENAME, "pkg")
TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class CustomCache:
    """A cache class that is not one of pypicloud's; it has nothing but the public methods."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}

    def fetch(self, filename: str) -> Any | None:
        return self.rows.get(filename)

    def save(self, package: Any) -> None:
        self.rows[package.filename] = package

    def clear(self, package: Any) -> None:
        del self.rows[package.filename]


def package(
    name: str = "pkg",
    version: str = "1.0",
    filename: str = FILENAME,
    modified: datetime.datetime = TIME,
    summary: str | None = "A package",
    path: str = "x/pkg-1.0.tar.gz",
) -> Any:
    return Package(name, version, filename, modified, summary, path=path)


@pytest.mark.parametrize(
    ("row", "other"),
    [
        pytest.param(None, None, id="no rows"),
        pytest.param(package(), package(), id="equal rows"),
        pytest.param(
            package(modified=TIME),
            package(modified=TIME.astimezone(datetime.timezone(datetime.timedelta(hours=2)))),
            id="one time in two zones",
        ),
    ],
)
def test_rows_with_equal_contents_are_the_same(row: Any, other: Any) -> None:
    assert same(row, other)


def test_an_empty_summary_is_the_same_as_none() -> None:
    empty = package(summary=None)
    empty.summary = ""
    assert same(empty, package(summary=None))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(None, id="no row"),
        pytest.param(package(name="other"), id="name"),
        pytest.param(package(version="1.0.0"), id="version"),
        pytest.param(package(filename="pkg-1.0.zip"), id="filename"),
        pytest.param(package(modified=TIME + datetime.timedelta(seconds=1)), id="time"),
        pytest.param(package(summary="Another"), id="summary"),
        pytest.param(package(path="y/pkg-1.0.tar.gz"), id="data"),
    ],
)
def test_rows_that_differ_in_anything_are_not_the_same(other: Any) -> None:
    assert not same(package(), other)
    assert not same(other, package())


class TestCacheAdapter:
    @pytest.fixture
    def adapter(self) -> CacheAdapter:
        return CacheAdapter(CustomCache())

    def test_it_reads_no_row_as_an_empty_snapshot(self, adapter: CacheAdapter) -> None:
        assert adapter.read([KEY]) == {FILENAME: Snapshot(None)}

    def test_it_saves_a_row(self, adapter: CacheAdapter) -> None:
        wanted = package()
        assert adapter.write([Change(KEY, Snapshot(None), wanted)]) == {FILENAME: Result.WRITTEN}
        assert adapter.cache.rows == {FILENAME: wanted}

    def test_it_does_not_save_a_row_that_is_unchanged(self, adapter: CacheAdapter) -> None:
        row = package()
        assert adapter.write([Change(KEY, Snapshot(row), package())]) == {FILENAME: Result.UNCHANGED}
        assert adapter.cache.rows == {}

    def test_it_clears_a_row(self, adapter: CacheAdapter) -> None:
        adapter.cache.save(package())
        snapshot = adapter.read([KEY])[FILENAME]
        assert isinstance(snapshot, Snapshot)
        assert adapter.write([Change(KEY, snapshot, None)]) == {FILENAME: Result.WRITTEN}
        assert adapter.cache.rows == {}

    def test_it_does_not_clear_a_row_that_does_not_exist(self, adapter: CacheAdapter) -> None:
        assert adapter.write([Change(KEY, Snapshot(None), None)]) == {FILENAME: Result.UNCHANGED}
