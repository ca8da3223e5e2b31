import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.exceptions import SyncError
from pypicloud_s3sync.sync import startup
from pypicloud_s3sync.sync.packages import StoredObject, to_package
from support.world import BUCKET

KEY = "b1a2/pkg/pkg-1.0.tar.gz"
FILENAME = "pkg-1.0.tar.gz"


def test_a_new_object_becomes_the_row_that_the_server_would_have_written(world):
    world.put(
        KEY, name="pkg", version="1.0", summary="A package", **{"hash-sha256": "ab", "requires-python": ">=3"}
    )
    assert world.notify(KEY) == {"saved": [FILENAME], "cleared": [], "ignored": []}
    row = world.rows()[FILENAME]
    modified = world.s3.head_object(Bucket=BUCKET, Key=KEY)["LastModified"]
    assert (row.name, row.version, row.summary, row.last_modified) == ("pkg", "1.0", "A package", modified)
    assert row.data == {"path": KEY, "hash_sha256": "ab", "requires_python": ">=3"}
    assert world.summaries() == {"pkg": "A package"}


def test_an_object_without_metadata_is_named_by_its_filename(world):
    world.put("pkg/My_Pkg-1.0.tar.gz")
    world.notify("pkg/My_Pkg-1.0.tar.gz")
    assert world.rows()["My_Pkg-1.0.tar.gz"].name == "my-pkg"


def test_a_deleted_object_takes_its_row_and_the_last_one_its_name(world):
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    world.delete(KEY)
    assert world.notify(KEY, name="ObjectRemoved:Delete") == {
        "saved": [],
        "cleared": [FILENAME],
        "ignored": [],
    }
    assert (world.rows(), world.cache.distinct()) == ({}, [])


def test_an_overwritten_object_replaces_its_row(world):
    world.put(KEY, name="pkg", version="1.0", summary="old")
    world.notify(KEY)
    world.put(KEY, name="pkg", version="1.0", summary="new")
    world.notify(KEY)
    assert (world.rows()[FILENAME].summary, world.summaries()) == ("new", {"pkg": "new"})


def test_a_delete_event_for_an_object_that_is_there_saves_it(world):
    """A late delete of an object that was put again since."""
    world.put(KEY, name="pkg", version="1.0")
    assert world.notify(KEY, name="ObjectRemoved:Delete")["saved"] == [FILENAME]


def test_a_create_event_for_an_object_that_is_gone_clears_it(world):
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    world.delete(KEY)
    assert world.notify(KEY)["cleared"] == [FILENAME]
    assert world.rows() == {}


def test_the_same_event_twice_changes_nothing_the_second_time(world):
    world.put(KEY, name="pkg", version="1.0", summary="one")
    world.notify(KEY)
    before = world.rows(), world.summaries()
    world.notify(KEY)
    assert (world.rows(), world.summaries()) == before


@pytest.mark.parametrize("status", [403, 400, 500, 503])
def test_only_a_404_means_absent(world, calls, status):
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    syncer = startup.syncer()

    def refuse(**kwargs):
        raise ClientError(
            {"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}, "HeadObject"
        )

    syncer.reader.s3.head_object = refuse
    with pytest.raises(SyncError, match=KEY):
        world.notify(KEY, name="ObjectRemoved:Delete")
    assert FILENAME in world.rows(), "a failure to look was taken for a deletion"


def test_a_row_of_the_same_filename_under_another_key_stays(world):
    other = "other/pkg-1.0.tar.gz"
    world.put(other, name="pkg", version="1.0")
    world.notify(other)
    assert world.notify(KEY, name="ObjectRemoved:Delete") == {"saved": [], "cleared": [], "ignored": [KEY]}
    assert world.rows()[FILENAME].data["path"] == other


def test_a_row_from_before_pypicloud_kept_paths_is_cleared(world):
    world.cache.save(world.cache.new_package("pkg", "1.0", FILENAME))
    assert world.notify(KEY, name="ObjectRemoved:Delete")["cleared"] == [FILENAME]
    assert world.rows() == {}


def test_on_absence_name_and_version_are_those_of_the_row(world):
    """The filename would be split into 'my' and 'pkg-1.0'; only the metadata knew better."""
    key = "x/my-2-pkg-1.0.tar.gz"
    world.put(key, name="my-2-pkg", version="1.0")
    world.notify(key)
    world.delete(key)
    world.notify(key, name="ObjectRemoved:Delete")
    assert (world.rows(), world.cache.distinct()) == ({}, [])


@pytest.mark.parametrize("prefix", ["pkgs/", "pkgs"])
def test_a_key_outside_the_prefix_is_ignored(world, monkeypatch, prefix):
    monkeypatch.setattr(startup.syncer(), "prefix", prefix)
    world.put("elsewhere/pkg-1.0.tar.gz", name="pkg", version="1.0")
    assert world.notify("elsewhere/pkg-1.0.tar.gz")["ignored"] == ["elsewhere/pkg-1.0.tar.gz"]
    assert world.rows() == {}


def test_another_buckets_event_is_ignored(world, monkeypatch):
    monkeypatch.setattr(startup.syncer(), "bucket", "ours")
    assert world.notify(KEY)["ignored"] == [KEY]


@pytest.mark.parametrize("key", ["index.html", "pkg/", "pkg/not-a-wheel.whl", "pkg/unparsable.tar.gz"])
def test_what_is_no_package_is_ignored(world, key):
    world.put(key)
    assert world.notify(key) == {"saved": [], "cleared": [], "ignored": [key]}
    assert world.rows() == {}


def test_an_object_that_stops_being_a_package_loses_its_row(world):
    world.put("x/strange", name="pkg", version="1.0")
    world.notify("x/strange")
    assert "strange" in world.rows()
    world.put("x/strange")
    world.notify("x/strange")
    assert world.rows() == {}


def test_a_change_while_the_row_is_written_is_seen_by_the_second_look(world, calls):
    """Another handler may have written the newer state before our older one went out."""
    world.put(KEY, name="pkg", version="1.0", summary="seen first")
    calls.before["TransactWriteItems"] = [lambda: world.put(KEY, name="pkg", version="1.0", summary="newer")]
    world.notify(KEY)
    assert world.rows()[FILENAME].summary == "newer"


def test_a_deletion_while_the_row_is_written_is_seen_by_the_second_look(world, calls):
    world.put(KEY, name="pkg", version="1.0")
    calls.before["TransactWriteItems"] = [lambda: world.delete(KEY)]
    assert world.notify(KEY)["cleared"] == [FILENAME]
    assert world.rows() == {}


def test_a_put_while_the_row_is_cleared_is_seen_by_the_second_look(world, calls):
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    world.delete(KEY)
    calls.before["TransactWriteItems"] = [lambda: world.put(KEY, name="pkg", version="1.0")]
    assert world.notify(KEY, name="ObjectRemoved:Delete")["saved"] == [FILENAME]
    assert FILENAME in world.rows()


def test_an_object_that_never_stops_changing_is_left_to_a_retry(world, calls):
    world.put(KEY, name="pkg", version="1.0")
    calls.before["TransactWriteItems"] = [
        lambda turn=turn: world.put(KEY, name="pkg", version="1.0", summary=str(turn)) for turn in range(99)
    ]
    startup.syncer().pause = lambda seconds: None
    with pytest.raises(SyncError, match="changed during each of 9 attempts"):
        world.notify(KEY)


def test_a_warm_create_takes_at_most_five_calls_the_second_look_included(world, calls):
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    assert calls.calls == ["HeadObject", "BatchGetItem", "TransactWriteItems", "HeadObject"]


def test_a_warm_overwrite_takes_at_most_five_calls(world, calls):
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    world.put(KEY, name="pkg", version="1.0", summary="x")
    calls.calls.clear()
    world.notify(KEY)
    assert len(calls.calls) <= 5, calls.calls


@pytest.mark.parametrize("others", [0, 3])
def test_a_delete_takes_at_most_five_calls(world, calls, others):
    for number in range(others):
        world.put(f"x/pkg-0.{number}.tar.gz", name="pkg", version=f"0.{number}")
        world.notify(f"x/pkg-0.{number}.tar.gz")
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    world.delete(KEY)
    calls.calls.clear()
    world.notify(KEY, name="ObjectRemoved:Delete")
    # Only where rows are left, and one of them is the newest now, is the index needed.
    index = ["Query"] if others else []
    assert calls.calls == ["HeadObject", "BatchGetItem", *index, "TransactWriteItems", "HeadObject"]


def test_a_delete_of_a_wheel_takes_at_most_five_calls(world, calls):
    """distlib gives My_Pkg for its name, the cache has my-pkg."""
    key = "x/My_Pkg-1.0-py3-none-any.whl"
    world.put(key, name="my-pkg", version="1.0")
    world.notify(key)
    world.delete(key)
    calls.calls.clear()
    world.notify(key, name="ObjectRemoved:Delete")
    assert calls.calls == ["HeadObject", "BatchGetItem", "TransactWriteItems", "HeadObject"]


def test_an_empty_name_in_the_metadata_is_none(world):
    world.put(KEY, name="", version="")
    assert world.notify(KEY)["saved"] == [FILENAME]
    assert world.rows()[FILENAME].name == "pkg"


def test_a_repeated_delete_takes_two_calls(world, calls):
    world.notify(KEY, name="ObjectRemoved:Delete")
    assert calls.calls == ["HeadObject", "BatchGetItem"]


def test_the_row_that_decides_is_read_consistently(world, calls, monkeypatch):
    reads = []
    client = startup.syncer().adapter.client
    client.meta.events.register(
        "provide-client-params.dynamodb.BatchGetItem", lambda params, **_: reads.append(params)
    )
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    assert reads
    assert all(table["ConsistentRead"] for read in reads for table in read["RequestItems"].values())


def test_a_wheel_whose_name_is_none_is_no_package():
    stored = StoredObject("x/broken.whl", "e", None, None, {})
    assert to_package(stored, dict) is None


class TestTwoKeysOfOneFilename:
    """storage.prepend_hash was changed once: pypicloud's cache has one row for both."""

    OLD, NEW = "pkg/pkg-1.0.tar.gz", "b1a2/pkg/pkg-1.0.tar.gz"

    @pytest.fixture
    def both(self, world):
        world.put(self.OLD, name="pkg", version="1.0", summary="old")
        world.put(self.NEW, name="pkg", version="1.0", summary="new")

    @pytest.mark.parametrize("order", [(OLD, NEW), (NEW, OLD), (OLD, NEW, OLD)])
    def test_the_row_is_the_newest_objects_in_whatever_order_the_events_come(self, world, both, order):
        for key in order:
            world.notify(key)
        newest = max(
            (self.OLD, self.NEW),
            key=lambda key: (world.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"], key),
        )
        row = world.rows()[FILENAME]
        assert row.data["path"] == newest
        assert row.data["other_paths"] == [({self.OLD, self.NEW} - {newest}).pop()]

    @pytest.mark.parametrize("gone", [OLD, NEW])
    def test_where_one_is_deleted_the_row_is_the_others_and_the_server_would_have_written_it(
        self, world, both, gone
    ):
        for key in (self.OLD, self.NEW):
            world.notify(key)
        world.delete(gone)
        world.notify(gone, name="ObjectRemoved:Delete")
        kept = ({self.OLD, self.NEW} - {gone}).pop()
        assert world.rows()[FILENAME].data == {"path": kept}
        assert world.summaries() == {"pkg": "old" if kept == self.OLD else "new"}

    def test_where_both_are_deleted_nothing_is_left(self, world, both):
        for key in (self.OLD, self.NEW):
            world.notify(key)
            world.delete(key)
        world.notify(self.NEW, self.OLD, name="ObjectRemoved:Delete")
        assert (world.rows(), world.summaries()) == ({}, {})


def test_a_batch_looks_at_each_key_twice_and_writes_the_rows_of_a_name_together(world, calls):
    keys = [f"x/pkg-1.{number}.tar.gz" for number in range(20)]
    for key in keys:
        world.put(key, name="pkg", version=key.split("-")[1].removesuffix(".tar.gz"))
    assert len(world.notify(*keys)["saved"]) == 20
    assert sorted(calls.calls) == [
        "BatchGetItem",
        *["HeadObject"] * 40,
        "TransactWriteItems",
    ]


def test_a_repeated_create_writes_nothing(world, calls):
    world.put(KEY, name="pkg", version="1.0")
    world.notify(KEY)
    calls.calls.clear()
    assert world.notify(KEY)["saved"] == [FILENAME]
    assert calls.calls == ["HeadObject", "BatchGetItem"]
