from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.caches.base import CacheAdapter, Change, Result, Results, RowKey, Snapshot
from pypicloud_s3sync.caches.summaries import PATIENCE
from pypicloud_s3sync.exceptions import SyncError
from pypicloud_s3sync.sync import startup
from pypicloud_s3sync.sync.converge import PAUSES, Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from pypicloud_s3sync.sync.pending import Outcome
from support import small_world
from support.backends import Backend, Dynamo, Redis, Sql
from support.moto_world import BUCKET, CallLog, World, fail_for

KEY = "b1a2/pkg/pkg-1.0.tar.gz"
FILENAME = "pkg-1.0.tar.gz"


def test_a_new_object_becomes_the_row_that_the_server_would_have_written(world: World) -> None:
    world.put(
        KEY, name="pkg", version="1.0", summary="A package", **{"hash-sha256": "ab", "requires-python": ">=3"}
    )
    assert world.notify(KEY) == {"saved": [FILENAME], "cleared": [], "ignored": []}
    row = world.rows()[FILENAME]
    modified = world.s3.head_object(Bucket=BUCKET, Key=KEY)["LastModified"]
    assert (row.name, row.version, row.summary, row.last_modified) == ("pkg", "1.0", "A package", modified)
    assert row.data == {"path": KEY, "hash_sha256": "ab", "requires_python": ">=3"}
    assert world.summaries() == {"pkg": "A package"}


def test_an_overwritten_object_replaces_its_row(world: World) -> None:
    world.put(KEY, name="pkg", version="1.0", summary="old")
    world.notify(KEY)
    world.put(KEY, name="pkg", version="1.0", summary="new")
    world.notify(KEY)
    assert (world.rows()[FILENAME].summary, world.summaries()) == ("new", {"pkg": "new"})


def test_a_deleted_object_loses_its_row_and_the_last_one_its_name(world: World) -> None:
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    world.delete(KEY)
    answer = world.notify(KEY, name="ObjectRemoved:Delete")
    assert answer == {"saved": [], "cleared": [FILENAME], "ignored": []}
    assert (world.rows(), world.cache.distinct()) == ({}, [])


def test_a_late_event_of_a_deletion_saves_the_object_that_exists_again(world: World) -> None:
    world.put(KEY, name="pkg", version="1.0")
    assert world.notify(KEY, name="ObjectRemoved:Delete")["saved"] == [FILENAME]


def test_a_late_event_of_a_creation_clears_the_row_of_an_object_that_is_deleted(world: World) -> None:
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    world.delete(KEY)
    assert world.notify(KEY)["cleared"] == [FILENAME]
    assert world.rows() == {}


def test_a_repeated_event_changes_nothing(world: World) -> None:
    world.put(KEY, name="pkg", version="1.0", summary="one")
    world.notify(KEY)
    before = world.rows(), world.summaries()
    world.notify(KEY)
    assert (world.rows(), world.summaries()) == before


@pytest.mark.parametrize("status", [403, 400, 500, 503])
def test_no_answer_but_404_clears_a_row(world: World, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    answer: Any = {"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}
    fail_for(monkeypatch, KEY, error=ClientError(answer, "HeadObject"))
    with pytest.raises(SyncError, match=KEY):
        world.notify(KEY, name="ObjectRemoved:Delete")
    assert FILENAME in world.rows()


def test_the_event_of_a_deletion_does_not_clear_the_row_of_another_key(world: World) -> None:
    other = "other/pkg-1.0.tar.gz"
    world.put(other, name="pkg", version="1.0")
    world.notify(other)
    assert world.notify(KEY, name="ObjectRemoved:Delete") == {"saved": [], "cleared": [], "ignored": [KEY]}
    assert world.rows()[FILENAME].data["path"] == other


def test_a_row_of_an_old_pypicloud_without_a_path_is_cleared(world: World) -> None:
    world.cache.save(world.cache.new_package("pkg", "1.0", FILENAME))
    assert world.notify(KEY, name="ObjectRemoved:Delete")["cleared"] == [FILENAME]
    assert world.rows() == {}


def test_a_deletion_takes_the_name_from_the_row(world: World) -> None:
    """pypicloud would split this filename into ``my`` and ``2-pkg-1.0``; only the metadata had the name."""
    key = "x/my-2-pkg-1.0.tar.gz"
    world.put(key, name="my-2-pkg", version="1.0")
    world.notify(key)
    world.delete(key)
    world.notify(key, name="ObjectRemoved:Delete")
    assert (world.rows(), world.cache.distinct()) == ({}, [])


@pytest.mark.parametrize("prefix", ["pkgs/", "pkgs"])
def test_a_key_outside_the_prefix_is_ignored(
    world: World, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setattr(startup.syncer(), "prefix", prefix)
    world.put("elsewhere/pkg-1.0.tar.gz", name="pkg", version="1.0")
    assert world.notify("elsewhere/pkg-1.0.tar.gz")["ignored"] == ["elsewhere/pkg-1.0.tar.gz"]
    assert world.rows() == {}


def test_a_key_of_another_bucket_is_ignored(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup.syncer(), "bucket", "another")
    assert world.notify(KEY)["ignored"] == [KEY]


@pytest.mark.parametrize("key", ["index.html", "pkg/", "pkg/not-a-wheel.whl", "pkg/unparsable.tar.gz"])
def test_an_object_that_is_not_a_package_is_ignored(world: World, key: str) -> None:
    world.put(key)
    assert world.notify(key) == {"saved": [], "cleared": [], "ignored": [key]}
    assert world.rows() == {}


def test_an_object_that_stops_being_a_package_loses_its_row(world: World) -> None:
    world.put("x/strange", name="pkg", version="1.0")
    world.notify("x/strange")
    assert "strange" in world.rows()
    world.put("x/strange")
    world.notify("x/strange")
    assert world.rows() == {}


def test_empty_metadata_counts_as_missing(world: World) -> None:
    world.put(KEY, name="", version="")
    assert world.notify(KEY)["saved"] == [FILENAME]
    assert world.rows()[FILENAME].name == "pkg"


class TestSecondRead:
    """S3 is read again after each write: another handler may have written a newer state before."""

    def test_it_finds_an_object_that_was_overwritten_meanwhile(self, world: World, calls: CallLog) -> None:
        world.put(KEY, name="pkg", version="1.0", summary="before")
        calls.before["TransactWriteItems"] = [
            lambda: world.put(KEY, name="pkg", version="1.0", summary="after")
        ]
        world.notify(KEY)
        assert world.rows()[FILENAME].summary == "after"

    def test_it_finds_an_object_that_was_deleted_meanwhile(self, world: World, calls: CallLog) -> None:
        world.put(KEY, name="pkg", version="1.0")
        calls.before["TransactWriteItems"] = [lambda: world.delete(KEY)]
        assert world.notify(KEY)["cleared"] == [FILENAME]
        assert world.rows() == {}

    def test_it_finds_an_object_that_was_created_meanwhile(self, world: World, calls: CallLog) -> None:
        world.put(KEY, name="pkg", version="1.0")
        world.notify(KEY)
        world.delete(KEY)
        calls.before["TransactWriteItems"] = [lambda: world.put(KEY, name="pkg", version="1.0")]
        assert world.notify(KEY, name="ObjectRemoved:Delete")["saved"] == [FILENAME]
        assert FILENAME in world.rows()

    def test_an_object_that_never_stops_changing_is_left_to_a_retry(
        self, world: World, calls: CallLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def overwrite(number: int) -> None:
            world.put(KEY, name="pkg", version="1.0", summary=str(number))

        overwrite(0)
        calls.before["TransactWriteItems"] = [partial(overwrite, number) for number in range(1, 100)]
        monkeypatch.setattr(startup.syncer(), "pause", lambda seconds: None)
        with pytest.raises(SyncError, match="kept changing during 9 attempts"):
            world.notify(KEY)


class TestCalls:
    """The calls of a warm handler to S3 and DynamoDB. The first two are made at the same time."""

    READS: ClassVar = ["BatchGetItem", "HeadObject"]

    def test_a_creation_takes_four_with_the_second_read(self, world: World, calls: CallLog) -> None:
        world.put(KEY, name="pkg", version="1.0")
        world.notify(KEY)
        assert sorted(calls.calls[:2]) == self.READS
        assert calls.calls[2:] == ["TransactWriteItems", "HeadObject"]

    def test_a_row_is_read_at_the_same_time_as_its_object(self) -> None:
        reads_row = threading.Event()
        waited: list[bool] = []

        class S3:
            def head_object(self, **_: str) -> None:
                waited.append(reads_row.wait(timeout=30))
                raise ClientError({"ResponseMetadata": {"HTTPStatusCode": 404}}, "HeadObject")  # type: ignore[typeddict-item]

        class Adapter(CacheAdapter):
            def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot]:
                reads_row.set()
                return {key.filename: Snapshot(None) for key in keys}

        cache = SimpleNamespace(new_package=None)
        assert Syncer(ObjectReader(S3()), Adapter(cache), None).converge("bucket", [KEY]) == {
            KEY: Outcome("cleared", FILENAME)
        }
        assert waited == [True]

    def test_an_object_with_another_name_than_its_filename_takes_five(
        self, world: World, calls: CallLog
    ) -> None:
        world.put(KEY, name="other", version="1.0")
        assert world.notify(KEY)["saved"] == [FILENAME]
        assert sorted(calls.calls[:2]) == self.READS
        assert calls.calls[2:] == ["BatchGetItem", "TransactWriteItems", "HeadObject"]
        assert world.rows()[FILENAME].name == "other"

    def test_a_row_is_read_after_its_object_if_the_filename_has_several_possible_names(
        self, world: World, calls: CallLog
    ) -> None:
        world.put("x/my-3d-1.0.tar.gz", name="my-3d", version="1.0")
        world.notify("x/my-3d-1.0.tar.gz")
        assert calls.calls == ["HeadObject", "BatchGetItem", "TransactWriteItems", "HeadObject"]

    def test_an_overwrite_takes_at_most_five(self, world: World, calls: CallLog) -> None:
        world.put(KEY, name="pkg", version="1.0")
        world.notify(KEY)
        world.put(KEY, name="pkg", version="1.0", summary="x")
        calls.calls.clear()
        world.notify(KEY)
        assert len(calls.calls) <= 5, calls.calls

    @pytest.mark.parametrize("others", [0, 3])
    def test_a_deletion_of_the_newest_file_takes_five(
        self, world: World, calls: CallLog, others: int
    ) -> None:
        for number in range(others):
            world.put(f"x/pkg-0.{number}.tar.gz", name="pkg", version=f"0.{number}")
            world.notify(f"x/pkg-0.{number}.tar.gz")
        world.put(KEY, name="pkg", version="1.0")
        world.notify(KEY)
        world.delete(KEY)
        calls.calls.clear()
        world.notify(KEY, name="ObjectRemoved:Delete")
        assert sorted(calls.calls[:2]) == self.READS
        # The index finds the row that is the newest now, or confirms that none is left.
        assert calls.calls[2:] == ["Query", "TransactWriteItems", "HeadObject"]

    def test_the_deletion_of_a_wheel_takes_no_more_than_that_of_any_file(
        self, world: World, calls: CallLog
    ) -> None:
        """distlib returns the name My_Pkg for this wheel, but the row has my-pkg."""
        key = "x/My_Pkg-1.0-py3-none-any.whl"
        world.put(key, name="my-pkg", version="1.0")
        world.notify(key)
        world.delete(key)
        calls.calls.clear()
        world.notify(key, name="ObjectRemoved:Delete")
        assert sorted(calls.calls[:2]) == self.READS
        assert calls.calls[2:] == ["Query", "TransactWriteItems", "HeadObject"]

    def test_a_repeated_creation_takes_two_and_writes_nothing(self, world: World, calls: CallLog) -> None:
        world.put(KEY, name="pkg", version="1.0")
        world.notify(KEY)
        calls.calls.clear()
        assert world.notify(KEY)["saved"] == [FILENAME]
        assert sorted(calls.calls) == self.READS

    def test_a_repeated_deletion_looks_at_the_index_until_it_has_caught_up_and_writes_nothing(
        self, world: World, calls: CallLog
    ) -> None:
        """The index tells whether the server has deleted the summary of a name that has other rows."""
        world.notify(KEY, name="ObjectRemoved:Delete")
        assert sorted(calls.calls[:2]) == self.READS
        assert calls.calls[2:] == ["Query", *["HeadObject", "BatchGetItem", "Query"] * PATIENCE]

    def test_a_batch_reads_each_key_twice_and_writes_the_rows_of_a_name_together(
        self, world: World, calls: CallLog
    ) -> None:
        keys = [f"x/pkg-1.{number}.tar.gz" for number in range(20)]
        for key in keys:
            world.put(key, name="pkg", version=key.split("-")[1].removesuffix(".tar.gz"))
        assert len(world.notify(*keys)["saved"]) == 20
        assert sorted(calls.calls) == ["BatchGetItem", *["HeadObject"] * 40, "TransactWriteItems"]

    def test_the_row_is_read_consistently(self, world: World) -> None:
        reads: list[Any] = []
        adapter: Any = startup.syncer().adapter
        adapter.client.meta.events.register(
            "provide-client-params.dynamodb.BatchGetItem", lambda params, **_: reads.append(params)
        )
        world.put(KEY, name="pkg", version="1.0")
        world.notify(KEY)
        assert reads
        assert all(table["ConsistentRead"] for read in reads for table in read["RequestItems"].values())


class TestTwoKeysOfOneFilename:
    """``storage.prepend_hash`` was changed: there are two objects, but pypicloud's cache has only one row."""

    OLD, NEW = "pkg/pkg-1.0.tar.gz", "b1a2/pkg/pkg-1.0.tar.gz"

    @pytest.fixture(autouse=True)
    def objects(self, world: World) -> None:
        world.put(self.OLD, name="pkg", version="1.0", summary="old")
        world.put(self.NEW, name="pkg", version="1.0", summary="new")

    @pytest.mark.parametrize(
        "order", [(OLD, NEW), (NEW, OLD), (OLD, NEW, OLD)], ids=["old, new", "new, old", "old, new, old"]
    )
    def test_the_row_is_that_of_the_newest_object_in_any_order_of_the_events(
        self, world: World, order: tuple[str, ...]
    ) -> None:
        for key in order:
            world.notify(key)
        newest = max(
            (self.OLD, self.NEW),
            key=lambda key: (world.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"], key),
        )
        row = world.rows()[FILENAME]
        assert row.data["path"] == newest
        assert row.data["other_paths"] == [({self.OLD, self.NEW} - {newest}).pop()]

    @pytest.mark.parametrize("deleted", [OLD, NEW], ids=["old", "new"])
    def test_the_row_becomes_that_of_the_other_object_if_one_is_deleted(
        self, world: World, deleted: str
    ) -> None:
        """The row is then the one that the server would have written."""
        for key in (self.OLD, self.NEW):
            world.notify(key)
        world.delete(deleted)
        world.notify(deleted, name="ObjectRemoved:Delete")
        kept = ({self.OLD, self.NEW} - {deleted}).pop()
        assert world.rows()[FILENAME].data == {"path": kept}
        assert world.summaries() == {"pkg": "old" if kept == self.OLD else "new"}

    def test_nothing_remains_if_both_are_deleted(self, world: World) -> None:
        for key in (self.OLD, self.NEW):
            world.notify(key)
            world.delete(key)
        world.notify(self.NEW, self.OLD, name="ObjectRemoved:Delete")
        assert (world.rows(), world.summaries()) == ({}, {})

    @pytest.mark.parametrize("number", [1, 2], ids=["before it is announced", "before it is dropped"])
    @pytest.mark.parametrize("backend", [Dynamo, Redis, Sql])
    def test_a_key_that_comes_back_is_not_lost_with_the_handler_that_drops_it(
        self, backend: type[Backend], number: int
    ) -> None:
        """The event of its new object finds the row right, and the interrupted one is of the other key."""
        world = small_world.World(backend)
        dropped, kept = "a/pkg-1.0.zip", "b/pkg-1.0.zip"
        for key in (dropped, kept):
            world.put(key)
        world.syncer().converge(BUCKET, [dropped, kept])
        world.remove(dropped)
        write, left = world.adapter.write, [None] * number

        def interrupted_write(changes: Sequence[Change]) -> Results:
            left.pop()
            if left:
                return write(changes)
            world.adapter.write = write  # type: ignore[method-assign]
            world.put(dropped)
            world.syncer().converge(BUCKET, [dropped])
            write(changes)
            raise KeyboardInterrupt

        world.adapter.write = interrupted_write  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            world.syncer().converge(BUCKET, [kept])
        world.syncer().converge(BUCKET, [kept])
        (row,) = world.backend.rows().values()
        assert row.data == {"path": kept, "other_paths": [dropped]}

    def test_a_file_whose_last_attempt_only_announces_has_not_changed_during_each(self) -> None:
        world = small_world.World()
        dropped, kept = "a/pkg-1.0.zip", "b/pkg-1.0.zip"
        for key in (dropped, kept):
            world.put(key)
        world.syncer().converge(BUCKET, [dropped, kept])
        world.remove(dropped)
        write, conflicts = world.adapter.write, [*PAUSES]

        def write_at_last(changes: Sequence[Change]) -> Results:
            if conflicts:
                conflicts.pop()
                return {change.filename: Result.CONFLICT for change in changes}
            return write(changes)

        world.adapter.write = write_at_last  # type: ignore[method-assign]
        error = world.syncer().converge(BUCKET, [kept])[kept]
        assert str(error) == (
            f"s3://{BUCKET}/{kept} or its row kept changing during 9 attempts: its event will be retried"
        )

    def test_a_handler_of_another_key_drops_one_that_is_missing(self, world: World) -> None:
        for key in (self.OLD, self.NEW):
            world.notify(key)
        world.delete(self.OLD)
        world.notify(self.NEW)
        assert world.rows()[FILENAME].data == {"path": self.NEW}
