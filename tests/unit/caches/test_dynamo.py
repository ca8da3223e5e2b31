from __future__ import annotations

import datetime
import itertools
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pypicloud.cache.dynamo import PackageSummary

from pypicloud_s3sync.caches.base import Change, Result, RowKey, Snapshot
from pypicloud_s3sync.caches.dynamo import DynamoAdapter
from pypicloud_s3sync.caches.summaries import PATIENCE
from pypicloud_s3sync.caches.transactions import (
    CHECKSUM,
    ITEMS_OF_SUMMARY,
    MAX_ITEMS,
    NEWEST,
    OLDER,
    REVISION,
)
from pypicloud_s3sync.exceptions import OutOfTimeError
from pypicloud_s3sync.sync import startup
from support.adapters import read, read_one, set_row
from support.moto_world import CallLog, World

PATH = "x/pkg-1.0.tar.gz"
KEY = RowKey("pkg-1.0.tar.gz", "pkg")


@pytest.fixture
def adapter(world: World) -> DynamoAdapter:
    """The warm handler's adapter."""
    adapter = startup.syncer().adapter
    assert isinstance(adapter, DynamoAdapter)
    return adapter


def package(world: World, version: str, summary: str, second: int, name: str = "pkg") -> Any:
    modified = datetime.datetime(2026, 1, 1, 0, 0, second, tzinfo=datetime.UTC)
    filename = f"{name}-{version}.tar.gz"
    return world.cache.new_package(name, version, filename, modified, summary, path=f"x/{filename}")


def packages_of(world: World, count: int) -> list[Any]:
    """Return packages with a name each."""
    return [package(world, "1.0", f"of {number}", second=1, name=f"pkg{number}") for number in range(count)]


def save(adapter: DynamoAdapter, wanted: Any) -> int:
    return set_row(adapter, wanted.filename, wanted)


def clear(adapter: DynamoAdapter, filename: str) -> int:
    return set_row(adapter, filename, None)


def changes_to(adapter: DynamoAdapter, packages: Sequence[Any]) -> list[Change]:
    """Read the rows of some packages; return the changes that make the cache hold the packages."""
    keys = [RowKey(package.filename, package.name) for package in packages]
    snapshots = read(adapter, keys)
    return [
        Change(key, snapshots[key.filename], package) for key, package in zip(keys, packages, strict=True)
    ]


def delay_index(adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch, *answers: list[Any]) -> None:
    """Let the index of names return prepared answers first, as if it lagged behind."""
    query, prepared = adapter.tables.indexed, list(answers)
    monkeypatch.setattr(adapter.tables, "indexed", lambda name: prepared.pop(0) if prepared else query(name))


def forget_older_rows(adapter: DynamoAdapter) -> None:
    """Let the summary know its newest row only."""
    adapter.client.update_item(
        TableName="PackageSummary", Key={"name": {"S": "pkg"}}, UpdateExpression=f"REMOVE {OLDER}"
    )


class TestSummary:
    def test_it_is_that_of_the_newest_row_even_if_an_older_file_comes_later(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        save(adapter, package(world, "2.0", "new", second=2))
        save(adapter, package(world, "1.0", "old", second=1))
        assert world.summaries() == {"pkg": "new"}

    def test_it_is_that_of_the_file_that_was_saved_last_if_pypicloud_saves(self, world: World) -> None:
        """This is one reason for the adapter. If this test fails, ask whether the adapter can go."""
        world.cache.save(package(world, "2.0", "new", second=2))
        world.cache.save(package(world, "1.0", "old", second=1))
        assert world.summaries() == {"pkg": "old"}

    def test_it_is_that_of_the_previous_row_after_the_newest_is_deleted(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        save(adapter, package(world, "1.0", "old", second=1))
        save(adapter, package(world, "2.0", "new", second=2))
        clear(adapter, "pkg-2.0.tar.gz")
        assert world.summaries() == {"pkg": "old"}

    def test_it_does_not_change_if_an_older_row_is_deleted(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        save(adapter, package(world, "1.0", "old", second=1))
        save(adapter, package(world, "2.0", "new", second=2))
        clear(adapter, "pkg-1.0.tar.gz")
        assert world.summaries() == {"pkg": "new"}

    def test_the_event_of_a_deletion_corrects_what_the_server_left_behind(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        save(adapter, package(world, "1.0", "old", second=1))
        save(adapter, package(world, "2.0", "new", second=2))
        world.cache.clear(package(world, "2.0", "new", second=2))
        assert world.summaries() == {"pkg": "new"}, "pypicloud corrects the summary itself now"
        assert clear(adapter, "pkg-2.0.tar.gz") == PATIENCE + 1, "the index was trusted too early"
        assert world.summaries() == {"pkg": "old"}

    def test_the_next_event_corrects_what_the_server_wrote(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        world.cache.save(package(world, "2.0", "new", second=2))
        world.cache.save(package(world, "1.0", "old", second=1))
        save(adapter, package(world, "1.0", "old", second=1))
        assert world.summaries() == {"pkg": "new"}

    def test_it_is_replaced_by_s3s_even_if_the_servers_clock_was_ahead(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        """The time of the server's row is the start of the upload, that of S3 its end; clocks may differ."""
        world.cache.save(package(world, "1.0", "from the server", second=9))
        assert save(adapter, package(world, "1.0", "from S3", second=8)) == 1
        assert world.summaries() == {"pkg": "from S3"}

    def test_it_is_deleted_if_its_only_row_moves_to_another_name(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        row = package(world, "1.0", "as pkg", second=1)
        save(adapter, row)
        renamed = world.cache.new_package(
            "other", "1.0", row.filename, row.last_modified, "as other", path=PATH
        )
        save(adapter, renamed)
        assert world.summaries() == {"other": "as other"}
        assert world.rows()[row.filename].name == "other"

    def test_its_checksum_is_not_shown_by_pypicloud_and_the_server_may_overwrite_it(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        save(adapter, package(world, "1.0", "old", second=1))
        item = adapter.client.scan(TableName="PackageSummary")["Items"][0]
        assert {CHECKSUM, REVISION} <= item.keys()
        assert world.cache.summary()[0].keys() == {"name", "summary", "last_modified"}
        world.cache.save(package(world, "2.0", "new", second=2))
        assert not {CHECKSUM, REVISION} & adapter.client.scan(TableName="PackageSummary")["Items"][0].keys()
        clear(adapter, "pkg-2.0.tar.gz")
        assert world.summaries() == {"pkg": "old"}


class TestIndex:
    """The index of names, which lags behind its table."""

    def test_it_is_queried_again_if_it_does_not_show_a_row_yet(
        self, world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save(adapter, package(world, "1.0", "old", second=1))
        save(adapter, package(world, "2.0", "new", second=2))
        forget_older_rows(adapter)
        delay_index(adapter, monkeypatch, [], [package(world, "2.0", "new", second=2)])
        assert clear(adapter, "pkg-2.0.tar.gz") == 3
        assert world.summaries() == {"pkg": "old"}

    def test_it_is_queried_again_if_it_still_shows_a_deleted_row(
        self, world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deleted, kept, newest = (package(world, f"{n}.0", str(n), second=n) for n in (2, 1, 3))
        for row in (kept, newest):
            save(adapter, row)
        forget_older_rows(adapter)
        delay_index(adapter, monkeypatch, [deleted, kept, newest])
        assert clear(adapter, newest.filename) == 2
        assert world.summaries() == {"pkg": "1"}

    def test_it_is_trusted_in_the_end_if_it_never_matches_the_checksum(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        """Another program has deleted a row, and not changed the summary."""
        for second in (1, 2, 3):
            save(adapter, package(world, f"{second}.0", str(second), second=second))
        world.cache.engine.delete(world.rows()["pkg-2.0.tar.gz"])
        assert clear(adapter, "pkg-3.0.tar.gz") == PATIENCE + 1
        assert world.summaries() == {"pkg": "1"}
        assert clear(adapter, "pkg-1.0.tar.gz") == 1, "the checksum was not corrected"

    def test_it_is_not_trusted_until_the_summary_has_not_changed_for_a_while(
        self, world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another handler writes the newest row at the last moment, and the index does not show it yet."""
        rows = [package(world, f"{second}.0", str(second), second=second) for second in (1, 2, 3, 4)]
        for row in rows[:3]:
            save(adapter, row)
        world.cache.engine.delete(world.rows()["pkg-2.0.tar.gz"])
        reads, read_rows = itertools.count(), adapter.read

        def read_after_the_other_handler(keys: Sequence[RowKey]) -> Any:
            if next(reads) == PATIENCE:
                save(DynamoAdapter(world.cache), rows[3])
            return read_rows(keys)

        monkeypatch.setattr(adapter, "read", read_after_the_other_handler)
        delay_index(adapter, monkeypatch, *[[rows[0], rows[2]]] * (PATIENCE + 1))
        assert clear(adapter, "pkg-9.0.tar.gz") > PATIENCE + 1
        assert world.summaries() == {"pkg": "4"}

    def test_it_is_not_trusted_if_it_shows_the_text_of_an_object_that_was_replaced_within_a_second(
        self, world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Found by the exploration of four operations: another handler wrote that text again meanwhile."""
        for second, version, text in ((1, "1.0", "replaced"), (1, "1.0", "its text"), (2, "2.0", "new")):
            save(adapter, package(world, version, text, second))
        forget_older_rows(adapter)
        outdated = [package(world, "1.0", "replaced", second=1), package(world, "2.0", "new", second=2)]
        delay_index(adapter, monkeypatch, *[outdated] * (PATIENCE + 1))
        assert clear(adapter, "pkg-2.0.tar.gz") == PATIENCE + 2
        assert world.summaries() == {"pkg": "its text"}

    @pytest.mark.parametrize(
        "versions", [("1.0", "1.1", "1.2"), ("1.2", "1.0", "1.1")], ids=["rising", "mixed"]
    )
    def test_it_is_not_needed_for_the_files_of_one_second(
        self, world: World, adapter: DynamoAdapter, calls: CallLog, versions: tuple[str, ...]
    ) -> None:
        """The files of a release are uploaded together, and S3's times are whole seconds."""
        for version in versions:
            save(adapter, package(world, version, f"of {version}", second=1))
        assert world.summaries() == {"pkg": "of 1.2"}
        assert calls.calls == ["BatchGetItem", "TransactWriteItems"] * 3
        clear(adapter, "pkg-1.0.tar.gz")
        assert "Query" not in calls.calls
        clear(adapter, "pkg-1.2.tar.gz")
        assert (world.summaries(), calls.calls.count("Query")) == ({"pkg": "of 1.1"}, 1)

    def test_it_is_not_needed_for_the_newest_file_after_it_has_agreed_with_the_checksum(
        self, world: World, adapter: DynamoAdapter, calls: CallLog
    ) -> None:
        for second in range(1, 6):
            save(adapter, package(world, f"{second}.0", f"of {second}", second))
        for second in (5, 4):
            clear(adapter, f"pkg-{second}.0.tar.gz")
        save(adapter, package(world, "9.0", "of 9", second=9))
        clear(adapter, "pkg-9.0.tar.gz")
        assert (world.summaries(), calls.calls.count("Query")) == ({"pkg": "of 3"}, 1)

    def test_it_is_queried_if_another_program_has_changed_the_row_that_comes_next(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        for second in range(1, 6):
            save(adapter, package(world, f"{second}.0", f"of {second}", second))
        clear(adapter, "pkg-5.0.tar.gz")
        world.cache.engine.delete(world.rows()["pkg-3.0.tar.gz"])
        assert clear(adapter, "pkg-4.0.tar.gz") == PATIENCE + 1
        assert world.summaries() == {"pkg": "of 2"}

    def test_it_is_not_needed_if_the_text_of_the_newest_row_changes_within_its_second(
        self, world: World, adapter: DynamoAdapter, calls: CallLog
    ) -> None:
        save(adapter, package(world, "1.0", "old", second=1))
        save(adapter, package(world, "1.1", "before", second=1))
        save(adapter, package(world, "1.1", "after", second=1))
        assert (world.summaries(), calls.calls.count("Query")) == ({"pkg": "after"}, 0)

    def test_it_is_queried_once_if_a_summary_does_not_name_its_row(
        self, world: World, adapter: DynamoAdapter, calls: CallLog
    ) -> None:
        save(adapter, package(world, "1.0", "old", second=1))
        adapter.client.update_item(
            TableName="PackageSummary", Key={"name": {"S": "pkg"}}, UpdateExpression=f"REMOVE {NEWEST}"
        )
        save(adapter, package(world, "1.1", "new", second=1))
        assert (world.summaries(), calls.calls.count("Query")) == ({"pkg": "new"}, 1)
        save(adapter, package(world, "1.2", "newer", second=1))
        assert (world.summaries(), calls.calls.count("Query")) == ({"pkg": "newer"}, 1)


class TestServer:
    """pypicloud counts a name's files in an index that lags behind."""

    @pytest.mark.parametrize("late", [0, 1, PATIENCE], ids=lambda late: f"{late} looks too late")
    def test_a_summary_that_its_delete_removed_comes_back_with_the_next_look(
        self, world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch, late: int
    ) -> None:
        """The event of the deleted file finds neither row nor summary, and an index that lags behind."""
        save(adapter, package(world, "1.0", "old", second=1))
        kept = package(world, "2.0", "new", second=2)
        save(adapter, kept)
        world.cache.engine.delete(world.cache.fetch("pkg-1.0.tar.gz"))
        world.cache.engine.delete_key(PackageSummary, name="pkg")
        assert world.cache.distinct() == []
        delay_index(adapter, monkeypatch, *[[]] * late)
        world.notify("x/pkg-1.0.tar.gz", name="ObjectRemoved:Delete")
        assert world.summaries() == {"pkg": "new"}

    @pytest.mark.parametrize("summary", ["left behind", None], ids=["left behind", "removed"])
    def test_its_summary_is_corrected_whatever_the_filename(
        self, world: World, adapter: DynamoAdapter, summary: str | None
    ) -> None:
        """The first number of this filename looks like a version."""
        row = world.cache.new_package("my-3d", "1.0", "my-3d-1.0.tar.gz", None, "x", path="x")
        other = world.cache.new_package("my-3d", "2.0", "my-3d-2.0.tar.gz", None, "y", path="x")
        save(adapter, row)
        if summary is None:
            save(adapter, other)
            world.cache.engine.delete_key(PackageSummary, name="my-3d")
        world.cache.engine.delete(world.cache.fetch(row.filename))
        world.notify(f"x/{row.filename}", name="ObjectRemoved:Delete")
        assert world.summaries() == ({} if summary else {"my-3d": "y"})

    def test_its_row_keeps_its_summary_although_the_index_showed_the_row_too_late(
        self, world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The checksum does not cover that row, so that none seems to be left after the other one."""
        newer, older = package(world, "2.0", "new", second=2), package(world, "1.0", "old", second=1)
        save(adapter, newer)
        world.cache.save(older)
        delay_index(adapter, monkeypatch, [newer])
        save(adapter, newer)
        assert world.summaries() == {"pkg": "new"}
        clear(adapter, newer.filename)
        assert world.summaries() == {"pkg": "old"}


class TestConflict:
    def test_a_row_that_has_changed_since_it_was_read_is_not_replaced(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        save(adapter, package(world, "1.0", "before", second=1))
        snapshot = read_one(adapter, KEY)
        world.cache.save(
            world.cache.new_package("pkg", "1.0", KEY.filename, None, "after", path="y/pkg-1.0.tar.gz")
        )
        assert adapter.write([Change(KEY, snapshot, None)]) == {KEY.filename: Result.CONFLICT}
        assert world.rows()[KEY.filename].data["path"] == "y/pkg-1.0.tar.gz"

    def test_a_summary_of_the_server_is_not_replaced_if_the_server_has_written_another_text_of_the_same_time(
        self, world: World, adapter: DynamoAdapter, calls: CallLog
    ) -> None:
        """The server's summaries have no checksum of their rows, which would tell them apart."""
        first, second = package(world, "1.0", "first", second=1), package(world, "2.0", "second", second=1)
        world.cache.save(first)
        calls.before["TransactWriteItems"] = [lambda: world.cache.save(second)]
        save(adapter, package(world, "0.1", "old", second=0))
        assert world.summaries() == {"pkg": "second"}

    def test_a_summary_that_was_replaced_and_restored_while_the_index_was_queried_is_not_replaced(
        self, world: World, adapter: DynamoAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The index showed a row that another handler has corrected since."""
        restored = package(world, "2.0", "new", second=2)
        for saved in (package(world, "1.0", "newest", second=3), restored):
            save(adapter, saved)
        (change,) = changes_to(adapter, [package(world, "1.0", "of an older object", second=1)])
        other, query = DynamoAdapter(world.cache), adapter.tables.indexed

        def query_meanwhile(name: str) -> Any:
            save(other, package(world, "2.0", "outdated", second=0))
            shown = query(name)
            save(other, restored)
            return shown

        monkeypatch.setattr(adapter.tables, "indexed", query_meanwhile)
        assert adapter.write([replace(change, repeats=PATIENCE)]) == {"pkg-1.0.tar.gz": Result.CONFLICT}
        save(other, package(world, "1.0", "of an older object", second=1))
        assert world.summaries() == {"pkg": "new"}

    def test_a_summary_has_a_new_revision_if_a_row_that_it_covers_is_restored(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        """A late server has written an older row, and ended before its summary."""
        newest = package(world, "2.0", "new", second=2)
        for saved in (package(world, "1.0", "old", second=1), newest):
            save(adapter, saved)
        (before,) = adapter.client.scan(TableName="PackageSummary")["Items"]
        world.cache.engine.save(package(world, "2.0", "late", second=0), overwrite=True)
        save(adapter, newest)
        (after,) = adapter.client.scan(TableName="PackageSummary")["Items"]
        assert before.pop(REVISION) != after.pop(REVISION)
        assert before == after

    def test_a_summary_of_an_earlier_version_has_no_revision_and_is_replaced(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        save(adapter, package(world, "1.0", "old", second=1))
        adapter.client.update_item(
            TableName="PackageSummary", Key={"name": {"S": "pkg"}}, UpdateExpression=f"REMOVE {REVISION}"
        )
        (change,) = changes_to(adapter, [package(world, "2.0", "new", second=2)])
        assert adapter.write([change]) == {"pkg-2.0.tar.gz": Result.WRITTEN}
        (change,) = changes_to(adapter, [package(world, "3.0", "newest", second=3)])
        # A function of that version writes the summary meanwhile, and drops the revision.
        adapter.client.update_item(
            TableName="PackageSummary", Key={"name": {"S": "pkg"}}, UpdateExpression=f"REMOVE {REVISION}"
        )
        assert adapter.write([change]) == {"pkg-3.0.tar.gz": Result.CONFLICT}

    def test_a_row_is_not_replaced_if_its_text_has_changed_within_the_same_time(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        save(adapter, package(world, "1.0", "before", second=1))
        snapshot = read_one(adapter, KEY)
        world.cache.engine.save(package(world, "1.0", "after", second=1), overwrite=True)
        assert adapter.write([Change(KEY, snapshot, None)]) == {KEY.filename: Result.CONFLICT}
        assert world.rows()[KEY.filename].summary == "after"

    def test_a_row_without_a_summary_is_not_deleted_while_another_handler_writes_its_summary(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        save(adapter, package(world, "1.0", "old", second=1))
        world.cache.engine.delete_key(PackageSummary, name="pkg")
        key = replace(KEY, is_gone=True)
        snapshot = read_one(adapter, key)
        clear(DynamoAdapter(world.cache), "pkg-9.0.tar.gz")
        assert world.summaries() == {"pkg": "old"}, "the other handler wrote no summary"
        assert adapter.write([Change(key, snapshot, None)]) == {KEY.filename: Result.CONFLICT}
        clear(adapter, KEY.filename)
        assert (world.rows(), world.summaries()) == ({}, {})

    def test_a_row_that_its_summary_ignores_is_not_deleted_while_another_handler_adds_it_to_the_summary(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        save(adapter, package(world, "1.0", "old", second=1))
        unknown = package(world, "9.0", "of another program", second=9)
        world.cache.engine.save(unknown)
        key = RowKey(unknown.filename, "pkg", is_gone=True)
        snapshot = read_one(adapter, key)
        clear(DynamoAdapter(world.cache), "pkg-8.0.tar.gz")
        assert world.summaries() == {"pkg": unknown.summary}, "the other handler wrote no summary"
        assert adapter.write([Change(key, snapshot, None, PATIENCE)]) == {key.filename: Result.CONFLICT}
        clear(adapter, key.filename)
        assert world.summaries() == {"pkg": "old"}

    def test_an_older_row_that_is_added_while_the_newest_is_deleted_is_not_forgotten(
        self, world: World, adapter: DynamoAdapter, calls: CallLog
    ) -> None:
        """Conditions on the rows alone would not prevent this race."""
        save(adapter, package(world, "2.0", "new", second=2))
        calls.before["TransactWriteItems"] = [lambda: save(adapter, package(world, "1.0", "old", second=1))]
        assert clear(adapter, "pkg-2.0.tar.gz") == 2
        assert world.summaries() == {"pkg": "old"}

    def test_two_handlers_of_one_name_do_not_overwrite_each_others_summary(
        self, world: World, adapter: DynamoAdapter, calls: CallLog
    ) -> None:
        """The other handler saves a newer file between the read and the write of the first one."""
        calls.before["TransactWriteItems"] = [lambda: save(adapter, package(world, "2.0", "new", second=2))]
        save(adapter, package(world, "1.0", "old", second=1))
        assert world.summaries() == {"pkg": "new"}
        assert set(world.rows()) == {"pkg-1.0.tar.gz", "pkg-2.0.tar.gz"}

    def test_a_conflict_of_one_name_does_not_affect_the_others(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        changes = changes_to(adapter, packages_of(world, 5))
        save(adapter, package(world, "1.0", "of another handler", second=2, name="pkg3"))
        results = adapter.write(changes)
        conflicts = [filename for filename, result in results.items() if result is Result.CONFLICT]
        assert conflicts == ["pkg3-1.0.tar.gz"]
        written = {f"pkg{number}": f"of {number}" for number in range(5)}
        assert world.summaries() == {**written, "pkg3": "of another handler"}

    def test_a_refused_transaction_is_an_error_of_its_name_alone(
        self, world: World, adapter: DynamoAdapter
    ) -> None:
        valid, invalid = packages_of(world, 2)
        invalid.data["path"] = "x" * 500_000  # more than an item of DynamoDB can hold
        results = adapter.write(changes_to(adapter, [invalid, valid]))
        assert results[valid.filename] is Result.WRITTEN
        assert isinstance(results[invalid.filename], adapter.client.exceptions.ClientError)


class TestBatch:
    def test_the_rows_of_one_name_are_written_in_one_transaction(
        self, world: World, adapter: DynamoAdapter, calls: CallLog
    ) -> None:
        rows = [package(world, f"1.{number}", str(number), second=number) for number in range(5)]
        assert set(adapter.write(changes_to(adapter, rows)).values()) == {Result.WRITTEN}
        assert calls.calls == ["BatchGetItem", "TransactWriteItems"]
        assert world.summaries() == {"pkg": "4"}

    def test_one_write_is_enough_for_more_rows_of_a_name_than_a_transaction_takes(
        self, world: World, adapter: DynamoAdapter, calls: CallLog
    ) -> None:
        count = 2 * (MAX_ITEMS - ITEMS_OF_SUMMARY) + 1
        rows = [package(world, f"1.{number}", str(number), second=number % 60) for number in range(count)]
        results = adapter.write(changes_to(adapter, rows))
        assert set(results.values()) == {Result.WRITTEN}
        assert calls.calls.count("TransactWriteItems") == 3
        newest = max((row.last_modified, row.filename) for row in rows)[1]
        assert world.summaries() == {"pkg": next(row.summary for row in rows if row.filename == newest)}
        assert clear(adapter, newest) == 1, "the checksum is not that of all the rows"

    def test_many_names_are_written_in_few_transactions(
        self, world: World, adapter: DynamoAdapter, calls: CallLog
    ) -> None:
        """Each transaction is a round trip: a thousand of them, one after the other, would take long."""
        changes = changes_to(adapter, packages_of(world, 100))
        calls.calls.clear()
        # moto 5.2 copies its tables for a transaction, which fails if another thread writes to them.
        adapter.tables.pool = ThreadPoolExecutor(1)
        results = adapter.write(changes)
        assert set(results.values()) == {Result.WRITTEN}
        assert calls.calls == ["TransactWriteItems"] * 4
        assert world.summaries() == {f"pkg{number}": f"of {number}" for number in range(100)}

    def test_a_row_that_is_already_right_is_reported_as_unchanged(
        self, world: World, adapter: DynamoAdapter, calls: CallLog
    ) -> None:
        packages = packages_of(world, 3)
        save(adapter, packages[1])
        changes = changes_to(adapter, packages)
        calls.calls.clear()
        results = adapter.write(changes)
        assert [results[row.filename] for row in packages] == [
            Result.WRITTEN,
            Result.UNCHANGED,
            Result.WRITTEN,
        ]
        assert calls.calls == ["TransactWriteItems"]


def test_a_namespace_and_other_table_names_are_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**json.loads(os.environ["PYPICLOUD_SETTINGS"]), "db.namespace": "prod-"}
    settings["db.tablenames"] = "rows summaries"
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps(settings))
    world.put(PATH, name="pkg", version="1.0")
    assert world.notify(PATH)["saved"] == ["pkg-1.0.tar.gz"]
    adapter = startup.syncer().adapter
    assert isinstance(adapter, DynamoAdapter)
    for table in ("prod-rows", "prod-summaries"):
        assert adapter.client.scan(TableName=table)["Count"] == 1


def test_nothing_is_sent_after_the_adapter_has_been_stopped(world: World, adapter: DynamoAdapter) -> None:
    """botocore retries a call by itself, and its retries are not sent either."""
    sent: list[Any] = []
    assert isinstance(adapter.read([KEY])[KEY.filename], Snapshot)
    adapter.client.meta.events.register_last("before-send.dynamodb", lambda **options: sent.append(1))
    adapter.stop()
    with pytest.raises(OutOfTimeError):
        adapter.read([KEY])
    assert sent == []


def test_an_event_is_not_saved_after_the_adapter_has_been_stopped(
    world: World, adapter: DynamoAdapter
) -> None:
    world.put(PATH, name="pkg", version="1.0")
    adapter.stop()
    with pytest.raises(Exception, match="the function's time is over"):
        world.notify(PATH)
    assert world.rows() == {}
