from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypicloud.cache.sql import SQLCache, SQLPackage
from pypicloud.util import EnvironSettings
from sqlalchemy import create_engine, event
from sqlalchemy.exc import OperationalError

from pypicloud_s3sync.caches import sql
from pypicloud_s3sync.caches.base import Change, Result, RowKey, Snapshot
from pypicloud_s3sync.caches.sql import SqlAdapter
from pypicloud_s3sync.exceptions import UnreachableError
from support.adapters import read, read_one, set_row

FILENAME = "pkg-1.0.tar.gz"
KEY = RowKey(FILENAME, "pkg")
TIME = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Any]:
    """Create pypicloud's cache on a file of SQLite."""
    settings = {"pypi.storage": "pypicloud.storage.base.IStorage", "db.url": f"sqlite:///{tmp_path}/cache.db"}
    cache = SQLCache(**SQLCache.configure(EnvironSettings(settings)))
    yield cache
    cache.db.close()


@pytest.fixture
def adapter(cache: Any) -> SqlAdapter:
    return SqlAdapter(cache)


def package(cache: Any, path: str = "x/pkg-1.0.tar.gz") -> Any:
    return cache.new_package("pkg", "1.0", FILENAME, path=path)


def committed(cache: Any) -> dict[str, str]:
    """Return the path of each row that another connection sees, by filename."""
    with cache.dbmaker() as session:
        return {row.filename: row.data["path"] for row in session.query(SQLPackage).all()}


def test_a_row_is_committed_without_a_request(cache: Any, adapter: SqlAdapter) -> None:
    set_row(adapter, FILENAME, package(cache))
    assert committed(cache) == {FILENAME: "x/pkg-1.0.tar.gz"}
    set_row(adapter, FILENAME, None)
    assert committed(cache) == {}


def test_a_row_that_has_changed_since_it_was_read_is_not_replaced(cache: Any, adapter: SqlAdapter) -> None:
    set_row(adapter, FILENAME, package(cache))
    snapshot = read_one(adapter, KEY)
    set_row(adapter, FILENAME, package(cache, path="y/pkg-1.0.tar.gz"))
    assert adapter.write([Change(KEY, snapshot, None)]) == {FILENAME: Result.CONFLICT}
    assert committed(cache) == {FILENAME: "y/pkg-1.0.tar.gz"}


def test_a_row_that_another_handler_has_added_is_not_replaced(cache: Any, adapter: SqlAdapter) -> None:
    snapshot = read_one(adapter, KEY)
    set_row(adapter, FILENAME, package(cache, path="y/pkg-1.0.tar.gz"))
    assert adapter.write([Change(KEY, snapshot, package(cache))]) == {FILENAME: Result.CONFLICT}
    assert committed(cache) == {FILENAME: "y/pkg-1.0.tar.gz"}


def changes_to(cache: Any, adapter: SqlAdapter, wanted: dict[str, str | None]) -> list[Change]:
    """Return the changes that give each file a row with a path, or none."""
    snapshots = read(adapter, [RowKey(filename, "pkg") for filename in wanted])
    return [
        Change(
            RowKey(filename, "pkg"),
            snapshots[filename],
            None if path is None else cache.new_package("pkg", "1.0", filename, TIME, path=path),
        )
        for filename, path in wanted.items()
    ]


def test_many_rows_are_written_by_a_few_statements_in_one_transaction(
    cache: Any, adapter: SqlAdapter
) -> None:
    filenames = [f"pkg-{number}.0.tar.gz" for number in range(300)]
    changes = changes_to(cache, adapter, dict.fromkeys(filenames, "x"))
    statements: list[str] = []
    engine = cache.dbmaker.kw["bind"]
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    event.listen(engine, "commit", lambda connection: statements.append("COMMIT"))
    assert adapter.write(changes) == dict.fromkeys(filenames, Result.WRITTEN)
    assert committed(cache) == dict.fromkeys(filenames, "x")
    assert len(statements) <= 5, statements
    assert statements.count("COMMIT") == 1


def test_a_row_that_has_changed_does_not_keep_the_others_from_being_written(
    cache: Any, adapter: SqlAdapter
) -> None:
    before = dict.fromkeys(("a-1.zip", "b-1.zip", "c-1.zip", "d-1.zip"), "old")
    adapter.write(changes_to(cache, adapter, {**before}))
    wanted = {"a-1.zip": None, "b-1.zip": "new", "c-1.zip": "new", "d-1.zip": "old", "e-1.zip": "new"}
    changes = changes_to(cache, adapter, {**wanted, "f-1.zip": "new"})
    adapter.write(changes_to(cache, adapter, {"c-1.zip": "other", "f-1.zip": "other"}))
    assert adapter.write(changes) == {
        "a-1.zip": Result.WRITTEN,
        "b-1.zip": Result.WRITTEN,
        "c-1.zip": Result.CONFLICT,
        "d-1.zip": Result.UNCHANGED,
        "e-1.zip": Result.WRITTEN,
        "f-1.zip": Result.CONFLICT,
    }
    left = {"b-1.zip": "new", "c-1.zip": "other", "d-1.zip": "old", "e-1.zip": "new", "f-1.zip": "other"}
    assert committed(cache) == left


def test_a_row_that_cannot_be_written_fails_alone_and_leaves_no_transaction_open(
    cache: Any, adapter: SqlAdapter
) -> None:
    invalid, valid = cache.new_package("bad", "1.0", "bad-1.0.tar.gz", path="x"), package(cache)
    invalid.data["not JSON"] = object()
    changes = [Change(RowKey(row.filename, row.name), Snapshot(None), row) for row in (invalid, valid)]
    results = adapter.write(changes)
    assert isinstance(results["bad-1.0.tar.gz"], Exception)
    assert results[FILENAME] is Result.WRITTEN
    assert committed(cache) == {FILENAME: "x/pkg-1.0.tar.gz"}
    assert not cache.db.in_transaction()


def test_more_rows_than_one_query_takes_are_read(
    cache: Any, adapter: SqlAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "CHUNK", 2)
    filenames = [f"pkg-{number}.0.tar.gz" for number in range(5)]
    for filename in filenames:
        set_row(adapter, filename, cache.new_package("pkg", "1.0", filename, path=f"x/{filename}"))
    snapshots = read(adapter, [RowKey(filename, "pkg") for filename in [*filenames, "pkg-5.0.tar.gz"]])
    rows = {filename: snapshot.row for filename, snapshot in snapshots.items()}
    assert rows.pop("pkg-5.0.tar.gz") is None
    assert [row and row.data["path"] for row in rows.values()] == [f"x/{filename}" for filename in filenames]


def test_a_statement_that_fails_is_an_error_of_its_row(cache: Any, adapter: SqlAdapter) -> None:
    changes = [Change(KEY, Snapshot(None), package(cache))]
    SQLPackage.__table__.drop(cache.dbmaker.kw["bind"])
    error = adapter.write(changes)[FILENAME]
    assert isinstance(error, OperationalError)
    assert not adapter.is_unreachable(error)


def test_a_connection_that_cannot_be_made_is_an_error_of_the_whole_batch(
    cache: Any, adapter: SqlAdapter, tmp_path: Path
) -> None:
    changes = [Change(KEY, Snapshot(None), package(cache))]
    cache.dbmaker.configure(bind=create_engine(f"sqlite:///{tmp_path}/missing/cache.db"))
    cache.db = cache.dbmaker()
    with pytest.raises(UnreachableError, match="unable to open database file"):
        adapter.write(changes)
