"""The function and pypicloud's server write one SQL table: neither is in the other's way, on real servers."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy
from pypicloud.util import EnvironSettings

from pypicloud_s3sync import compat
from pypicloud_s3sync.caches import sql as adapters
from pypicloud_s3sync.caches import sql_keys
from pypicloud_s3sync.caches.base import Change, Result, RowKey
from pypicloud_s3sync.caches.registry import open_cache
from pypicloud_s3sync.caches.sql import SqlAdapter
from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from pypicloud_s3sync.sync.pending import Outcome
from support.adapters import read_one, set_row
from support.databases import Database, each, url_settings
from support.sites import Site

TIME = datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.UTC)
#: MySQL's numbers of the error: for a comparison of two values, and of more.
#: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html#error_er_cant_aggregate_2collations
ILLEGAL_MIX_OF_COLLATIONS = (1267, 1271)
NAMES = tuple(f"pkg{number}" for number in range(8))


class Server:
    """pypicloud's cache in a request of its server."""

    def __init__(self, cache: Any, transactions: Any) -> None:
        self.cache = cache
        self.tm = transactions

    @contextlib.contextmanager
    def request(self) -> Iterator[Any]:
        """Commit at the end, as pyramid_tm does."""
        self.tm.begin()
        try:
            yield self.cache
        except BaseException:
            self.tm.abort()
            raise
        self.tm.commit()


class Both:
    """A database with the server's cache and the function's adapter."""

    def __init__(self, database: Database, server: Server, adapter: SqlAdapter) -> None:
        self.database, self.server, self.adapter = database, server, adapter
        self.engine = adapter.cache.dbmaker.kw["bind"]

    def package(self, filename: str = "pkg-1.0.tar.gz", name: str = "pkg", by: str = "function") -> Any:
        return self.server.cache.new_package(
            name, "1.0", filename, TIME, f"by the {by}", path=f"x/{filename}"
        )

    def insert(self, filename: str = "pkg-1.0.tar.gz", name: str = "pkg") -> None:
        """Let the function save a package."""
        set_row(self.adapter, filename, self.package(filename, name))

    def convert_to_latin1(self) -> None:
        """Give a table of MySQL a character set that cannot be compared with every filename."""
        with self.engine.begin() as connection:
            connection.execute(sqlalchemy.text("ALTER TABLE packages CONVERT TO CHARACTER SET latin1"))

    def rows(self) -> dict[str, str]:
        """Return the summary of each row, by filename."""
        with self.engine.connect() as connection:
            rows = connection.execute(sqlalchemy.text("SELECT filename, summary FROM packages"))
            return {row[0]: row[1] for row in rows}


@pytest.fixture(params=each("postgres", "mysql"))
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    """Open the server's cache as pypicloud does, with the repairs of the include line, and the function's."""
    from pypicloud.cache.sql import SQLCache
    from transaction import TransactionManager

    compat.apply()
    name: str = request.param
    database = Database(name, url_settings(name, request.getfixturevalue(f"{name}_url")))
    settings = {**database.settings, "pypi.storage": "pypicloud.storage.base.IStorage"}
    transactions = TransactionManager()
    transactions.begin()
    cache = SQLCache(
        request=SimpleNamespace(tm=transactions), **SQLCache.configure(EnvironSettings(dict(settings), {}))
    )
    transactions.abort()
    function = open_cache(EnvironSettings(dict(settings), {}))
    yield Both(database, Server(cache, transactions), SqlAdapter(function))
    for opened in (cache, function):
        opened.db.close()
        opened.dbmaker.kw["bind"].dispose()


def test_an_upload_succeeds_although_the_function_has_inserted_its_row(both: Both) -> None:
    with both.server.request() as cache:
        assert cache.fetch("pkg-1.0.tar.gz") is None
        both.insert()
        cache.save(both.package(by="server"))
    assert both.rows() == {"pkg-1.0.tar.gz": "by the server"}


def test_an_overwrite_succeeds_although_the_function_has_deleted_its_row(both: Both) -> None:
    both.insert()
    merge = both.server.cache.db.merge
    with both.server.request() as cache:

        def merge_and_lose_the_row(package: Any) -> Any:
            cache.db.merge = merge
            merged = merge(package)
            set_row(both.adapter, "pkg-1.0.tar.gz", None)
            return merged

        cache.db.merge = merge_and_lose_the_row
        cache.save(both.package(by="server"))
    assert both.rows() == {"pkg-1.0.tar.gz": "by the server"}


def test_the_server_locks_the_row_whose_keys_it_reads_before_it_writes_it(both: Both) -> None:
    both.insert()
    lock = sqlalchemy.text("SELECT filename FROM packages FOR UPDATE NOWAIT")

    def choose(row: Any) -> Any:
        assert row.summary == "by the function"
        with pytest.raises(sqlalchemy.exc.OperationalError), both.engine.connect() as connection:
            connection.execute(lock)
        return both.package(by="server")

    with both.server.request() as cache:
        assert sql_keys.replace(cache, both.package(by="server"), choose)
    assert both.rows() == {"pkg-1.0.tar.gz": "by the server"}


def test_the_server_reads_the_row_again_that_the_function_has_inserted(both: Both) -> None:
    def choose(row: Any) -> Any:
        if row is None:
            both.insert()
        return both.package(by="server" if row is None else f"server after {row.summary}")

    with both.server.request() as cache:
        assert [sql_keys.replace(cache, both.package(by="server"), choose) for _ in range(2)] == [False, True]
    assert both.rows() == {"pkg-1.0.tar.gz": "by the server after by the function"}


def test_a_rebuild_ends_although_the_function_has_saved_a_key_that_it_has_not_reached(both: Both) -> None:
    files = [(f"{name}-1.0.tar.gz", name) for name in NAMES]
    for file in files:
        both.insert(*file)

    def listed(factory: Callable[..., Any]) -> Iterator[Any]:
        for number, file in enumerate(files):
            if number == 3:
                for later in files[5:]:
                    both.insert(*later)
            yield both.package(*file, by="server")

    both.server.cache.storage.list = listed
    with both.server.request() as cache:
        cache.reload_from_storage()
    assert both.rows() == dict.fromkeys((filename for filename, _ in files), "by the server")


def test_the_function_does_not_overwrite_a_row_that_the_server_has_inserted_since(both: Both) -> None:
    key = RowKey("pkg-1.0.tar.gz", "pkg")
    snapshot = read_one(both.adapter, key)
    with both.server.request() as cache:
        cache.save(both.package(by="server"))
    assert both.adapter.write([Change(key, snapshot, both.package())]) == {key.filename: Result.CONFLICT}
    assert both.rows() == {"pkg-1.0.tar.gz": "by the server"}


def test_a_locked_row_fails_alone_after_a_short_wait(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "LOCK_TIMEOUT", 1)
    both.insert()
    keys = [RowKey("pkg-1.0.tar.gz", "pkg"), RowKey("free-1.0.tar.gz", "free")]
    changes = [
        Change(key, read_one(both.adapter, key), both.package(key.filename, str(key.name), by="event"))
        for key in keys
    ]
    with both.engine.begin() as other:
        other.execute(sqlalchemy.text("UPDATE packages SET version = '2'"))
        results = both.adapter.write(changes)
    error = results["pkg-1.0.tar.gz"]
    assert isinstance(error, Exception)
    assert "lock" in str(error).lower()
    assert not both.adapter.is_unreachable(error)
    assert results["free-1.0.tar.gz"] is Result.WRITTEN


def test_a_row_that_is_inserted_during_the_transaction_is_the_only_conflict_of_a_batch(both: Both) -> None:
    keys = [RowKey("pkg-1.0.tar.gz", "pkg"), RowKey("free-1.0.tar.gz", "free")]
    changes = [
        Change(key, read_one(both.adapter, key), both.package(key.filename, str(key.name), by="event"))
        for key in keys
    ]
    locked = both.adapter._locked

    def insert_meanwhile(session: Any, changes: Sequence[Change]) -> Any:
        found = locked(session, changes)
        if len(changes) > 1:
            with both.server.request() as cache:
                cache.save(both.package(by="server"))
        return found

    both.adapter._locked = insert_meanwhile  # type: ignore[method-assign]
    results = both.adapter.write(changes)
    assert results == {"pkg-1.0.tar.gz": Result.CONFLICT, "free-1.0.tar.gz": Result.WRITTEN}
    assert both.rows() == {"pkg-1.0.tar.gz": "by the server", "free-1.0.tar.gz": "by the event"}


def test_a_lost_connection_is_an_error_of_the_whole_batch(both: Both) -> None:
    key = RowKey("pkg-1.0.tar.gz", "pkg")
    change = Change(key, read_one(both.adapter, key), both.package())
    locked = both.adapter._locked

    def lose_the_connection(session: Any, changes: Sequence[Change]) -> Any:
        both.adapter.stop()
        return locked(session, changes)

    both.adapter._locked = lose_the_connection  # type: ignore[method-assign]
    with pytest.raises(sqlalchemy.exc.DBAPIError) as caught:
        both.adapter.write([change])
    assert both.adapter.is_unreachable(caught.value)


def test_the_newest_file_of_one_second_is_the_one_with_the_last_filename(both: Both) -> None:
    """S3's times are whole seconds. The function's rule for the other caches is the same."""
    for filename in ("pkg-1.0.tar.gz", "pkg-1.0-py3-none-any.whl", "pkg-1.0.zip"):
        package = both.package(filename)
        package.summary = filename
        set_row(both.adapter, filename, package)
    with both.server.request() as cache:
        assert [summary["summary"] for summary in cache.summary()] == ["pkg-1.0.zip"]


@pytest.mark.parametrize("both", ["postgres"], indirect=True)
def test_times_are_utc_whatever_the_zone_of_the_session(both: Both) -> None:
    """In this hour, Berlin's clocks are set back: 00:30 and 01:30 UTC are both half past two."""
    name = both.engine.url.database
    with both.engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"ALTER DATABASE {name} SET timezone = 'Europe/Berlin'"))
    both.engine.dispose()
    both.server.cache.dbmaker.kw["bind"].dispose()
    both.insert()
    key = RowKey("pkg-1.0.tar.gz", "pkg")
    again = Change(key, read_one(both.adapter, key), both.package())
    assert both.adapter.write([again]) == {key.filename: Result.UNCHANGED}
    later = both.package("later-1.0.tar.gz", by="server")
    later.last_modified = TIME + datetime.timedelta(hours=1)
    with both.server.request() as cache:
        cache.save(later)
    with both.server.request() as cache:
        assert [row.last_modified for row in map(cache.fetch, (key.filename, "later-1.0.tar.gz"))] == [
            TIME,
            later.last_modified,
        ]
    with both.engine.connect() as connection:
        stored = connection.execute(sqlalchemy.text("SELECT last_modified::text FROM packages ORDER BY 1"))
        assert [row[0] for row in stored] == ["2026-10-25 00:30:00", "2026-10-25 01:30:00"]


@pytest.mark.parametrize("both", each("mysql"), indirect=True)
class TestMySql:
    @pytest.mark.parametrize("other", ["PKG-1.0.tar.gz", "pkg-1.0.tar.gz ", "pkg-1.0.tár.gz"])
    def test_a_filename_that_the_collation_holds_equal_fails_with_the_reason(
        self, both: Both, other: str
    ) -> None:
        both.insert()
        key = RowKey(other, "pkg")
        change = Change(key, read_one(both.adapter, key), both.package(other))
        error = both.adapter.write([change])[other]
        assert isinstance(error, S3SyncError)
        assert "equal" in str(error)
        assert both.rows() == {"pkg-1.0.tar.gz": "by the function"}

    def test_the_deletion_of_an_equal_filename_leaves_the_row(self, both: Both) -> None:
        both.insert()
        set_row(both.adapter, "PKG-1.0.tar.gz", None)
        assert both.rows() == {"pkg-1.0.tar.gz": "by the function"}

    def test_an_error_of_a_single_key_is_not_one_of_the_database(self, both: Both) -> None:
        """A table in latin1 cannot be compared with every name."""
        both.convert_to_latin1()
        with pytest.raises(sqlalchemy.exc.DBAPIError) as caught:
            both.adapter.read([RowKey("pkg-1.0.tar.gz", "pkg"), RowKey("日本語-1.0.tar.gz", None)])
        assert not both.adapter.is_unreachable(caught.value)
        both.insert()
        assert json.dumps(both.rows()) == '{"pkg-1.0.tar.gz": "by the function"}'

    def test_a_key_with_an_error_of_its_own_fails_alone_in_its_batch(self, both: Both, site: Site) -> None:
        both.convert_to_latin1()
        # The name can be read in both filenames, so both rows are in the first query.
        good, bad = "a/pkg-1.0.tar.gz", "a/日本語-1.0-py3-none-any.whl"
        s3 = site.client("s3")
        for key, name in ((good, "pkg"), (bad, "other")):
            metadata = {"name": name, "version": "1.0", "summary": "from S3"}
            s3.put_object(Bucket=site.bucket, Key=key, Body=b"x", Metadata=metadata)
        outcomes = Syncer(ObjectReader(s3), both.adapter, site.bucket).converge(site.bucket, [bad, good])
        error = outcomes.pop(bad)
        assert isinstance(error, sqlalchemy.exc.DBAPIError)
        assert error.orig is not None
        assert error.orig.args[0] in ILLEGAL_MIX_OF_COLLATIONS
        assert outcomes == {good: Outcome("saved", "pkg-1.0.tar.gz")}
        assert both.rows() == {"pkg-1.0.tar.gz": "from S3"}

    def test_both_read_what_others_have_committed(self, both: Both) -> None:
        for cache in (both.server.cache, both.adapter.cache):
            with cache.dbmaker.kw["bind"].connect() as connection:
                assert connection.get_isolation_level() == "READ COMMITTED"
