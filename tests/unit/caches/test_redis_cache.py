from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import fakeredis
import pytest
from pypicloud.cache.redis_cache import RedisCache
from redis import exceptions

from pypicloud_s3sync.caches.base import Change, Result, RowKey
from pypicloud_s3sync.caches.redis_cache import RedisAdapter
from pypicloud_s3sync.caches.redis_commands import Command
from pypicloud_s3sync.exceptions import OutOfTimeError, S3SyncError
from pypicloud_s3sync.sync.pending import PendingFile
from support.adapters import read_one, set_row

FILENAME = "pkg-1.0.tar.gz"
KEY = RowKey(FILENAME, "pkg")


def make_cache() -> Any:
    """Return pypicloud's cache on an empty server."""
    db = fakeredis.FakeStrictRedis(server=fakeredis.FakeServer(), decode_responses=True)
    return RedisCache(storage=lambda request: None, db=db)


def content(cache: Any) -> dict[str, Any]:
    """Return everything that a server holds."""
    return {
        key: cache.db.hgetall(key) if cache.db.type(key) == "hash" else cache.db.smembers(key)
        for key in cache.db.scan_iter()
    }


@pytest.fixture(params=["server", "cluster"])
def cache(request: pytest.FixtureRequest) -> Any:
    """An empty server, or what the adapter takes for a cluster."""
    cache = make_cache()
    if request.param == "cluster":
        cache.db.nodes_manager = None
    return cache


@pytest.fixture
def adapter(cache: Any) -> RedisAdapter:
    return RedisAdapter(cache)


def package(
    cache: Any,
    version: str = "1.0",
    summary: str = "A package",
    second: int = 1,
    name: str = "pkg",
    **data: Any,
) -> Any:
    modified = datetime.datetime(2026, 1, 1, 0, 0, second, tzinfo=datetime.UTC)
    filename = f"pkg-{version}.tar.gz"
    return cache.new_package(name, version, filename, modified, summary, path=f"x/{filename}", **data)


def summaries(cache: Any) -> dict[str, str | None]:
    return {summary["name"]: summary["summary"] for summary in cache.summary()}


def test_a_row_is_written_exactly_as_pypicloud_writes_it(cache: Any, adapter: RedisAdapter) -> None:
    wanted, other_cache = package(cache, requires_python=">=3"), make_cache()
    set_row(adapter, FILENAME, wanted)
    other_cache.save(wanted)
    assert content(cache) == content(other_cache)


def test_a_row_that_is_deleted_leaves_nothing_behind(cache: Any, adapter: RedisAdapter) -> None:
    set_row(adapter, FILENAME, package(cache))
    set_row(adapter, FILENAME, None)
    assert content(cache) == {}


def test_a_replaced_row_loses_the_fields_of_the_old_one(cache: Any, adapter: RedisAdapter) -> None:
    set_row(adapter, FILENAME, package(cache, requires_python=">=3"))
    set_row(adapter, FILENAME, package(cache))
    assert cache.fetch(FILENAME).data == {"path": f"x/{FILENAME}"}


def test_pypiclouds_own_save_keeps_the_fields_of_the_old_row(cache: Any) -> None:
    """This is one reason for the adapter. If this test fails, ask whether the script can go."""
    cache.save(package(cache, requires_python=">=3"))
    cache.save(package(cache))
    assert "requires_python" in cache.fetch(FILENAME).data


@pytest.mark.parametrize("wanted", [True, False], ids=["replace", "delete"])
def test_a_row_that_has_changed_since_it_was_read_is_not_replaced(
    cache: Any, adapter: RedisAdapter, wanted: bool
) -> None:
    set_row(adapter, FILENAME, package(cache))
    snapshot = read_one(adapter, KEY)
    cache.save(package(cache, summary="from another handler"))
    change = Change(KEY, snapshot, package(cache, summary="too late") if wanted else None)
    assert adapter.write([change]) == {FILENAME: Result.CONFLICT}
    assert cache.fetch(FILENAME).summary == "from another handler"


def test_a_row_that_another_handler_has_added_is_not_replaced(cache: Any, adapter: RedisAdapter) -> None:
    snapshot = read_one(adapter, KEY)
    cache.save(package(cache, summary="from another handler"))
    assert adapter.write([Change(KEY, snapshot, package(cache))]) == {FILENAME: Result.CONFLICT}
    assert cache.fetch(FILENAME).summary == "from another handler"


def test_a_row_that_another_handler_has_deleted_is_not_written(cache: Any, adapter: RedisAdapter) -> None:
    row = package(cache)
    set_row(adapter, FILENAME, row)
    snapshot = read_one(adapter, KEY)
    cache.clear(row)
    change = Change(KEY, snapshot, package(cache, summary="too late"))
    assert adapter.write([change]) == {FILENAME: Result.CONFLICT}
    assert content(cache) == {}


def test_a_row_that_is_already_right_is_not_written(cache: Any, adapter: RedisAdapter) -> None:
    set_row(adapter, FILENAME, package(cache))
    change = Change(KEY, read_one(adapter, KEY), package(cache))
    assert adapter.write([change]) == {FILENAME: Result.UNCHANGED}


def test_the_summary_is_that_of_the_newest_row_even_if_an_older_file_comes_later(
    cache: Any, adapter: RedisAdapter
) -> None:
    set_row(adapter, "pkg-2.0.tar.gz", package(cache, "2.0", "new", second=2))
    set_row(adapter, FILENAME, package(cache, "1.0", "old", second=1))
    assert summaries(cache) == {"pkg": "new"}
    set_row(adapter, "pkg-2.0.tar.gz", None)
    assert summaries(cache) == {"pkg": "old"}


def test_the_filename_decides_between_rows_of_one_second(cache: Any, adapter: RedisAdapter) -> None:
    set_row(adapter, "pkg-1.1.tar.gz", package(cache, "1.1", "second file"))
    set_row(adapter, FILENAME, package(cache, "1.0", "first file"))
    assert summaries(cache) == {"pkg": "second file"}


def test_a_row_that_moves_to_another_name_leaves_nothing_under_the_old_one(
    cache: Any, adapter: RedisAdapter
) -> None:
    set_row(adapter, FILENAME, package(cache))
    set_row(adapter, FILENAME, package(cache, name="other"))
    assert cache.distinct() == ["other"]
    assert summaries(cache) == {"other": "A package"}
    assert cache.db.smembers(cache.redis_filename_set("pkg")) == set()


def test_a_retry_completes_the_lists_of_a_handler_that_died_after_it_wrote_a_row(
    cache: Any, adapter: RedisAdapter
) -> None:
    wanted = package(cache)
    set_row(adapter, FILENAME, wanted)
    complete = content(cache)
    cache.db.delete(cache.redis_set, cache.redis_filename_set("pkg"), cache.redis_summary_key("pkg"))
    assert adapter.write([Change(KEY, read_one(adapter, KEY), wanted)]) == {FILENAME: Result.UNCHANGED}
    assert content(cache) == complete


def test_a_retry_completes_the_lists_of_a_handler_that_died_after_it_deleted_a_row(
    cache: Any, adapter: RedisAdapter
) -> None:
    set_row(adapter, FILENAME, package(cache))
    cache.db.delete(cache.redis_key(FILENAME))
    assert adapter.write([Change(KEY, read_one(adapter, KEY), None)]) == {FILENAME: Result.UNCHANGED}
    assert content(cache) == {}


def test_a_row_that_changes_while_its_lists_are_corrected_is_read_again(
    cache: Any, adapter: RedisAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_row(adapter, FILENAME, package(cache, summary="before"))
    write, later_summaries = adapter.lists._write, ["second", "third"]

    def write_and_change_the_row(*arguments: Any) -> bool:
        changed = write(*arguments)
        if later_summaries:
            cache.db.hset(cache.redis_key(FILENAME), "summary", later_summaries.pop(0))
        return changed

    monkeypatch.setattr(adapter.lists, "_write", write_and_change_the_row)
    set_row(adapter, FILENAME, package(cache, summary="first"))
    assert summaries(cache) == {"pkg": "third"}


def test_a_row_that_never_stops_changing_is_left_to_a_retry(
    cache: Any, adapter: RedisAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_row(adapter, FILENAME, package(cache))
    monkeypatch.setattr(adapter.lists, "_write", lambda *arguments: True)
    with pytest.raises(S3SyncError, match="the rows of pkg kept changing: the next retry"):
        set_row(adapter, FILENAME, None)


def test_the_lists_of_many_names_are_checked_together(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = make_cache()
    adapter = RedisAdapter(cache)
    names = [f"pkg{number}" for number in range(40)]

    def change(name: str, summary: str, second: int = 1) -> Change:
        filename, at = (
            f"{name}-{second}.0.zip",
            datetime.datetime(2026, 1, 1, 0, 0, second, tzinfo=datetime.UTC),
        )
        wanted = cache.new_package(name, f"{second}.0", filename, at, summary, path=f"x/{filename}")
        return Change(RowKey(filename, name), read_one(adapter, RowKey(filename, name)), wanted)

    adapter.write([change(name, "of both", second) for name in names for second in (1, 2)])
    send = adapter.commands._send
    sent: list[int] = []

    def counted(commands: Sequence[Command]) -> list[Any]:
        sent.append(len(commands))
        return send(commands)

    changes = [change(name, "changed") for name in names[1:]] + [change(names[0], "newest", 2)]
    monkeypatch.setattr(adapter.commands, "_send", counted)
    assert set(adapter.write(changes).values()) == {Result.WRITTEN}
    assert len(sent) <= 6, "it asks for each name alone"
    assert summaries(cache) == dict.fromkeys(names, "of both") | {names[0]: "newest"}
    written = content(cache)
    for name in names:
        adapter.lists.correct(name, [], every_file=True)
    assert content(cache) == written


class TestLeftovers:
    """A handler that dies between a row and its lists: the redelivered event has only the filename."""

    @pytest.mark.parametrize(
        ("filename", "name"),
        [
            ("my-3d-1.0.tar.gz", "my-3d"),
            ("my-3d-tool-2-1.0.zip", "my-3d-tool-2"),
            ("zope.interface-5.0.tar.gz", "zope-interface"),
            ("pkg-1.0.tar.gz", "a-name-that-only-the-metadata-had"),
        ],
    )
    def test_the_name_of_a_deleted_row_is_cleared_whatever_the_filename(
        self, cache: Any, adapter: RedisAdapter, filename: str, name: str
    ) -> None:
        set_row(adapter, filename, cache.new_package(name, "1.0", filename, summary="x", path="x"))
        cache.db.delete(cache.redis_key(filename))
        with pytest.raises(KeyError):
            cache.all(name)
        converge(adapter, filename)
        assert content(cache) == {}

    @pytest.mark.parametrize("step", range(3))
    def test_each_step_of_clearing_a_name_can_be_the_last_of_a_handler(
        self, cache: Any, adapter: RedisAdapter, monkeypatch: pytest.MonkeyPatch, step: int
    ) -> None:
        """A cluster sends one command after the other."""
        name, filename = "another-name", FILENAME
        set_row(adapter, filename, cache.new_package(name, "1.0", filename, summary="x", path="x"))
        steps = [("delete", "summary"), ("srem", "files"), ("srem", "names")]
        keys = {
            "summary": cache.redis_summary_key(name),
            "files": cache.redis_filename_set(name),
            "names": cache.redis_set,
        }
        cache.db.delete(cache.redis_key(filename))
        for method, key in steps[:step]:
            getattr(cache.db, method)(keys[key], *([] if method == "delete" else [filename, name]))
        converge(adapter, filename)
        assert content(cache) == {}

    def test_a_name_that_the_server_left_without_files_is_cleared(
        self, cache: Any, adapter: RedisAdapter
    ) -> None:
        """The server deletes the row and the list first, and the name in a second step."""
        set_row(adapter, FILENAME, package(cache, name="another-name"))
        cache._delete_package(cache.fetch(FILENAME))
        assert cache.distinct() == ["another-name"]
        converge(adapter, FILENAME)
        assert content(cache) == {}

    def test_the_old_name_of_a_moved_row_is_cleared(self, cache: Any, adapter: RedisAdapter) -> None:
        filename = "my-3d-1.0.tar.gz"
        set_row(adapter, filename, cache.new_package("my", "3d-1.0", filename, path="x"))
        moved = cache.new_package("my-3d", "1.0", filename, path="x")
        adapter._swap([Change(RowKey(filename, "my"), read_one(adapter, RowKey(filename, "my")), moved)])
        key = RowKey(filename, "my-3d", ("my",))
        adapter.write([Change(key, read_one(adapter, key), cache.fetch(filename))])
        assert cache.distinct() == ["my-3d"]
        assert cache.db.smembers(cache.redis_filename_set("my")) == set()

    def test_names_that_are_complete_are_left_alone(self, cache: Any, adapter: RedisAdapter) -> None:
        set_row(adapter, "other-1.0.tar.gz", cache.new_package("other", "1.0", "other-1.0.tar.gz", path="x"))
        before = content(cache)
        converge(adapter, FILENAME)
        assert content(cache) == before


def converge(adapter: RedisAdapter, filename: str) -> None:
    """Do what the handler does for an object that does not exist."""
    key = PendingFile(filename).row_key
    assert adapter.write([Change(key, read_one(adapter, key), None)]) == {filename: Result.UNCHANGED}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (exceptions.ConnectionError("lost"), True),
        (exceptions.TimeoutError("slow"), True),
        (exceptions.ReadOnlyError("a replica"), True),
        (exceptions.ClusterDownError("CLUSTERDOWN no quorum"), True),
        (exceptions.OutOfMemoryError("OOM"), True),
        (exceptions.ResponseError("WRONGTYPE"), False),
    ],
    ids=repr,
)
def test_an_error_of_the_server_is_one_of_the_whole_batch(
    adapter: RedisAdapter, error: Exception, expected: bool
) -> None:
    assert adapter.is_unreachable(error) is expected


def test_nothing_is_sent_after_the_adapter_has_been_stopped(cache: Any, adapter: RedisAdapter) -> None:
    snapshot = read_one(adapter, KEY)
    adapter.stop()
    with pytest.raises(OutOfTimeError):
        adapter.write([Change(KEY, snapshot, package(cache))])
    assert content(cache) == {}
