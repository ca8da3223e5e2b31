from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import Mock

import fakeredis
import pytest
from pypicloud.cache.redis_cache import RedisCache
from redis import exceptions

from pypicloud_s3sync.caches.base import Change, Result, RowKey
from pypicloud_s3sync.caches.redis_cache import RedisAdapter
from pypicloud_s3sync.caches.redis_lists import FEW
from support.adapters import read, set_row


@pytest.fixture
def cache() -> Any:
    """pypicloud's cache on an empty server."""
    db = fakeredis.FakeStrictRedis(server=fakeredis.FakeServer(), decode_responses=True)
    return RedisCache(storage=lambda request: None, db=db)


@pytest.fixture
def adapter(cache: Any) -> RedisAdapter:
    return RedisAdapter(cache)


def package(cache: Any, version: str, second: int, name: str = "pkg") -> Any:
    modified = datetime.datetime(2026, 1, 1, 0, 0, second, tzinfo=datetime.UTC)
    filename = f"pkg-{version}.tar.gz"
    return cache.new_package(name, version, filename, modified, f"of {version}", path=f"x/{filename}")


def save(adapter: RedisAdapter, wanted: Any) -> None:
    set_row(adapter, wanted.filename, wanted)


def summary(cache: Any, name: str = "pkg") -> Any:
    return cache.db.hgetall(cache.redis_summary_key(name)).get("summary")


def test_the_filename_decides_in_the_order_of_its_bytes(cache: Any, adapter: RedisAdapter) -> None:
    for version in ("1.0", "1.0\u00e9", "1.0z", "1.0\U0001f600", "1.0\uff5e"):
        save(adapter, package(cache, version, second=1))
    assert summary(cache) == "of 1.0\U0001f600"
    set_row(adapter, "pkg-1.0\U0001f600.tar.gz", None)
    assert summary(cache) == "of 1.0\uff5e"


def test_a_summary_that_is_newer_than_the_added_file_is_compared_with_the_rows(
    cache: Any, adapter: RedisAdapter
) -> None:
    """A server has deleted its row, and left the summary behind."""
    save(adapter, package(cache, "1.0", second=1))
    save(adapter, package(cache, "3.0", second=3))
    cache.clear(package(cache, "3.0", second=3))
    assert summary(cache) == "of 3.0"
    save(adapter, package(cache, "2.0", second=2))
    assert summary(cache) == "of 2.0"


def test_a_file_that_exists_already_is_compared_with_the_other_rows(
    cache: Any, adapter: RedisAdapter
) -> None:
    """A server has saved an older file last; the event of that file finds its row."""
    save(adapter, package(cache, "2.0", second=2))
    cache.save(package(cache, "1.0", second=1))
    assert summary(cache) == "of 1.0"
    save(adapter, package(cache, "1.0", second=1))
    assert summary(cache) == "of 2.0"


def before_the_summary_is_written(
    adapter: RedisAdapter, monkeypatch: pytest.MonkeyPatch, interfere: Callable[[], None]
) -> None:
    """Call a function when a handler has read the summary and is about to replace it."""
    swap = adapter.commands.swap_and_read

    def interfered(swaps: Any, reads: Any) -> Any:
        if reads:
            interfere()
        return swap(swaps, reads)

    monkeypatch.setattr(adapter.commands, "swap_and_read", interfered)


def test_a_summary_that_changes_at_the_last_moment_is_not_overwritten(
    cache: Any, adapter: RedisAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(adapter, package(cache, "1.0", second=1))
    newer = package(cache, "3.0", second=3)
    before_the_summary_is_written(adapter, monkeypatch, lambda: save(RedisAdapter(cache), newer))
    save(adapter, package(cache, "2.0", second=2))
    assert summary(cache) == "of 3.0"


def delete(cache: Any, filename: str) -> None:
    set_row(RedisAdapter(cache), filename, None)


def move(cache: Any, filename: str) -> None:
    wanted = package(cache, "2.0", second=2, name="other")
    assert wanted.filename == filename
    save(RedisAdapter(cache), wanted)


@pytest.mark.parametrize("change", [delete, move])
@pytest.mark.parametrize("kept", ["1.0", None])
def test_a_file_that_another_handler_takes_away_meanwhile_leaves_no_trace(
    cache: Any,
    adapter: RedisAdapter,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Any, str], None],
    kept: str | None,
) -> None:
    """The other handler finds the lists as they should be, because they are only written after that."""
    if kept:
        save(adapter, package(cache, kept, second=1))
    taken = package(cache, "2.0", second=2)
    before_the_summary_is_written(adapter, monkeypatch, lambda: change(cache, taken.filename))
    save(adapter, taken)
    assert summary(cache) == (f"of {kept}" if kept else None)
    assert [row.filename for row in cache.all("pkg")] == ([f"pkg-{kept}.tar.gz"] if kept else [])
    assert cache.distinct() == [*(["other"] if change is move else []), *(["pkg"] if kept else [])]


def test_a_summary_that_is_missing_is_that_of_the_newest_file(cache: Any, adapter: RedisAdapter) -> None:
    """A server that deleted the last file of a name has taken away the summary of one that was just added."""
    save(adapter, package(cache, "3.0", second=3))
    cache._delete_summary("pkg")
    save(adapter, package(cache, "2.0", second=2))
    assert summary(cache) == "of 3.0"


@pytest.mark.parametrize(
    "error",
    [
        exceptions.NoPermissionError("this user has no permissions to run the 'sort' command"),
        exceptions.ResponseError("BY option of SORT denied due to insufficient ACL permissions"),
    ],
    ids=str,
)
def test_the_rows_are_read_if_the_server_does_not_sort_them(
    cache: Any, adapter: RedisAdapter, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    pipeline, refused = adapter.commands.pipeline, list[Any]()

    def refuse_to_sort(commands: Sequence[Any]) -> list[Any]:
        if any(command[0] == "sort" for command in commands):
            refused.append(commands)
            raise error
        return pipeline(commands)

    monkeypatch.setattr(adapter.commands, "pipeline", refuse_to_sort)
    for second in (1, 2, 3):
        save(adapter, package(cache, f"{second}.0", second))
    for second in (3, 2):
        set_row(adapter, f"pkg-{second}.0.tar.gz", None)
        assert summary(cache) == f"of {second - 1}.0"
    assert len(refused) == 1, "a server that refuses is asked again and again"


def test_a_row_whose_time_is_damaged_is_no_reason_not_to_sort_others(
    cache: Any, adapter: RedisAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = exceptions.ResponseError("One or more scores can't be converted into double")
    save(adapter, package(cache, "1.0", second=1))
    with monkeypatch.context() as patch:
        patch.setattr(adapter.lists, "_read_sorted", Mock(side_effect=error))
        set_row(adapter, "pkg-1.0.tar.gz", None)
    assert cache.distinct() == []
    assert adapter.lists.can_sort


def test_listed_files_that_do_not_count_do_not_hide_the_newest_row(cache: Any, adapter: RedisAdapter) -> None:
    """Their rows have another name, because another handler is about to move them."""
    save(adapter, package(cache, "1.0", second=1))
    save(adapter, package(cache, "2.0", second=2))
    for second in range(10, 20):
        cache.save(package(cache, f"{second}.0", second, name="other"))
        cache.db.sadd(cache.redis_filename_set("pkg"), f"pkg-{second}.0.tar.gz")
    set_row(adapter, "pkg-2.0.tar.gz", None)
    assert summary(cache) == "of 1.0"


def test_an_event_answers_for_its_own_file_and_a_reconciliation_for_all(
    cache: Any, adapter: RedisAdapter
) -> None:
    """The event of the other file comes again, or waits among those that failed."""
    kept, files = package(cache, "1.0", second=1), cache.redis_filename_set("pkg")
    save(adapter, kept)
    cache.db.sadd(files, "pkg-2.0.tar.gz")
    save(adapter, kept)
    assert cache.db.smembers(files) == {"pkg-1.0.tar.gz", "pkg-2.0.tar.gz"}
    key = RowKey("pkg/", "pkg", is_gone=True, every_file=True)
    adapter.write([Change(key, read(adapter, [key])["pkg/"], None)])
    assert cache.db.smembers(files) == {"pkg-1.0.tar.gz"}


@pytest.mark.parametrize("count", [1, FEW, FEW + 1])
def test_the_names_of_rows_that_a_server_has_deleted_are_found(
    cache: Any, adapter: RedisAdapter, count: int
) -> None:
    """Only the list of files tells the name, which does not follow from the filename."""
    rows = [package(cache, f"{number}.0", number, name="another-name") for number in range(count)]
    for row in (*rows, package(cache, "99.0", 0, name="third-name")):
        save(adapter, row)
    cache.db.delete(*(cache.redis_key(row.filename) for row in rows))
    keys = [RowKey(row.filename, "pkg", is_gone=True) for row in rows]
    snapshots = read(adapter, keys)
    results = adapter.write([Change(key, snapshots[key.filename], None) for key in keys])
    assert set(results.values()) == {Result.UNCHANGED}
    assert cache.distinct() == ["third-name"]
    assert not cache.db.exists(cache.redis_filename_set("another-name"))
