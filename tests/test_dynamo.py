import datetime

import pytest

from pypicloud_s3sync import handler
from pypicloud_s3sync.dynamo import PATIENCE, PAUSES
from pypicloud_s3sync.exceptions import S3SyncError

NEW, OLD = "x/pkg-2.0.tar.gz", "x/pkg-1.0.tar.gz"


@pytest.fixture
def index(world):
    """The warm handler's index, which waits for nothing."""
    found = handler._syncer().index
    found.pauses = []
    found.pause = found.pauses.append
    return found


def package(world, version, summary, second, name="pkg"):
    modified = datetime.datetime(2026, 1, 1, 0, 0, second, tzinfo=datetime.UTC)
    filename = f"{name}-{version}.tar.gz"
    return world.cache.new_package(name, version, filename, modified, summary, path=f"x/{filename}")


def test_a_summary_is_that_of_the_newest_row_even_when_an_older_file_comes_late(world, index):
    index.save(package(world, "2.0", "new", second=2))
    index.save(package(world, "1.0", "old", second=1))
    assert world.summaries() == {"pkg": "new"}


def test_pypiclouds_own_save_leaves_the_summary_of_whichever_file_came_last(world):
    """Why there is a save of our own; when this fails, look whether it can go."""
    world.cache.save(package(world, "2.0", "new", second=2))
    world.cache.save(package(world, "1.0", "old", second=1))
    assert world.summaries() == {"pkg": "old"}


def test_deleting_the_newest_row_restores_the_summary_of_the_one_before(world, index):
    index.save(package(world, "1.0", "old", second=1))
    index.save(package(world, "2.0", "new", second=2))
    index.clear("pkg-2.0.tar.gz", NEW)
    assert world.summaries() == {"pkg": "old"}


def test_deleting_an_older_row_leaves_the_summary(world, index):
    index.save(package(world, "1.0", "old", second=1))
    index.save(package(world, "2.0", "new", second=2))
    index.clear("pkg-1.0.tar.gz", OLD)
    assert world.summaries() == {"pkg": "new"}


def test_a_summary_that_the_server_left_behind_is_put_right_by_the_event_of_its_delete(world, index):
    """The server deletes the row itself, and leaves the summary of the file that is gone."""
    index.save(package(world, "1.0", "old", second=1))
    index.save(package(world, "2.0", "new", second=2))
    world.cache.clear(package(world, "2.0", "new", second=2))
    assert world.summaries() == {"pkg": "new"}, "the server has learnt to restore it"
    index.clear("pkg-2.0.tar.gz", NEW)
    assert world.summaries() == {"pkg": "old"}


def test_a_row_that_changes_its_name_leaves_no_summary_behind(world, index):
    one = package(world, "1.0", "as pkg", second=1)
    index.save(one)
    renamed = world.cache.new_package("other", "1.0", one.filename, one.last_modified, "as other", path=OLD)
    index.save(renamed)
    assert world.summaries() == {"other": "as other"}
    assert world.rows()[one.filename].name == "other"


def test_the_servers_later_clock_does_not_keep_its_summary_over_the_newest_row(world, index):
    """The server stamps a row when it starts to upload, S3 when it has the object: either may be later."""
    world.cache.save(package(world, "1.0", "by the server", second=9))
    index.save(package(world, "1.0", "by S3", second=8))
    assert world.summaries() == {"pkg": "by S3"}
    assert index.pauses == [], "it took the replaced row's summary for an unknown one's"


def test_an_index_that_lags_behind_is_given_time_before_a_newer_summary_is_replaced(
    world, index, monkeypatch
):
    index.save(package(world, "2.0", "new", second=2))
    real, stale = index._others, [[], []]
    monkeypatch.setattr(index, "_others", lambda row: stale.pop() if stale else real(row))
    index.save(package(world, "1.0", "old", second=1))
    assert world.summaries() == {"pkg": "new"}
    assert index.pauses == list(PAUSES[:2])


def test_a_summary_whose_row_never_shows_up_is_replaced_in_the_end(world, index):
    index.save(package(world, "2.0", "orphan", second=2))
    world.cache.engine.delete(world.rows()["pkg-2.0.tar.gz"])
    index.save(package(world, "1.0", "old", second=1))
    assert world.summaries() == {"pkg": "old"}
    assert index.pauses == list(PAUSES[:PATIENCE])


def test_a_row_that_the_index_shows_but_is_gone_is_not_summarized(world, index, monkeypatch):
    """A stale index may show a row that another handler has just deleted."""
    gone, kept, mine = (package(world, f"{n}.0", str(n), second=n) for n in (2, 1, 3))
    for one in (kept, mine):
        index.save(one)
    real, stale = index._others, [[gone, kept]]
    monkeypatch.setattr(index, "_others", lambda row: stale.pop() if stale else real(row))
    index.clear(mine.filename, mine.data["path"])
    assert world.summaries() == {"pkg": "1"}


def test_two_handlers_of_one_name_do_not_overwrite_each_others_summary(world, index, calls):
    """The other one saves a newer file between our look and our write."""
    calls.before["TransactWriteItems"] = [lambda: index.save(package(world, "2.0", "new", second=2))]
    index.save(package(world, "1.0", "old", second=1))
    assert world.summaries() == {"pkg": "new"}
    assert set(world.rows()) == {"pkg-1.0.tar.gz", "pkg-2.0.tar.gz"}


def test_a_row_that_another_key_took_over_since_it_was_read_is_not_deleted(world, index, calls):
    index.save(package(world, "1.0", "ours", second=1))
    theirs = world.cache.new_package("pkg", "1.0", "pkg-1.0.tar.gz", None, "theirs", path="y/pkg-1.0.tar.gz")
    calls.before["TransactWriteItems"] = [lambda: world.cache.save(theirs)]
    index.clear("pkg-1.0.tar.gz", OLD)
    assert world.rows()["pkg-1.0.tar.gz"].data["path"] == "y/pkg-1.0.tar.gz"


def test_rows_that_never_stop_changing_are_left_to_a_retry(world, index, monkeypatch):
    monkeypatch.setattr(index, "_transact", lambda *writes: False)
    with pytest.raises(S3SyncError, match="left to a retry"):
        index.save(package(world, "1.0", "old", second=1))
    assert index.pauses == list(PAUSES)


def test_a_refused_transaction_is_an_error_and_no_reason_to_look_again(world, index):
    table = index._table.__func__
    index._table = lambda model: (
        table(index, model) + ("-missing" if model.__name__ == "PackageSummary" else "")
    )
    real = index._read
    index._read = lambda filename, name: real(filename, None)
    with pytest.raises(index.client.exceptions.ClientError):
        index.save(package(world, "1.0", "x", second=1))
    assert index.pauses == []


def test_own_table_names_and_a_namespace_are_honoured(world, monkeypatch):
    import json
    import os

    from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

    monkeypatch.setattr(DynamoPackage.meta_, "name", DynamoPackage.meta_.name)
    monkeypatch.setattr(PackageSummary.meta_, "name", PackageSummary.meta_.name)
    settings = {**json.loads(os.environ["PYPICLOUD_SETTINGS"]), "db.namespace": "prod-"}
    settings["db.tablenames"] = "rows summaries"
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps(settings))
    world.put(OLD, name="pkg", version="1.0")
    assert world.notify(OLD)["saved"] == ["pkg-1.0.tar.gz"]
    client = handler._syncer().index.client
    assert (
        client.scan(TableName="prod-rows")["Count"] == client.scan(TableName="prod-summaries")["Count"] == 1
    )


def test_an_older_file_beside_a_newer_one_does_not_touch_the_summary(world, index, calls):
    """Many files of one release arrive at once: only the newest of them writes the one summary."""
    index.save(package(world, "2.0", "new", second=2))
    writes = []
    index.client.meta.events.register(
        "provide-client-params.dynamodb.TransactWriteItems", lambda params, **_: writes.append(params)
    )
    index.save(package(world, "1.0", "old", second=1))
    (write,) = writes
    assert [next(iter(item)) for item in write["TransactItems"]] == ["Put", "ConditionCheck"]


def test_a_summary_of_a_wheel_that_the_server_deleted_is_found_by_its_normalized_name(world, index, calls):
    for version, second in (("1.0", 1), ("2.0", 2)):
        filename = f"My_Pkg-{version}-py3-none-any.whl"
        modified = datetime.datetime(2026, 1, 1, 0, 0, second, tzinfo=datetime.UTC)
        index.save(
            world.cache.new_package("my-pkg", version, filename, modified, version, path=f"x/{filename}")
        )
    world.cache.clear(world.rows()["My_Pkg-2.0-py3-none-any.whl"])
    calls.calls.clear()
    index.clear("My_Pkg-2.0-py3-none-any.whl", "x/My_Pkg-2.0-py3-none-any.whl")
    assert world.summaries() == {"my-pkg": "1.0"}
    assert len(index.pauses) == 1, "a delete by the server is common, and should not wait long"


def test_keys_that_dynamodb_did_not_get_to_are_asked_for_again_after_a_pause(world, index, monkeypatch):
    index.save(package(world, "1.0", "x", second=1))
    real, late = index.client.batch_get_item, []

    def throttled(RequestItems):
        if late:
            return real(RequestItems=RequestItems)
        late.append(RequestItems)
        return {"Responses": {}, "UnprocessedKeys": RequestItems}

    monkeypatch.setattr(index.client, "batch_get_item", throttled)
    row, summary = index._read("pkg-1.0.tar.gz", "pkg")
    assert (row.version, summary.summary, len(index.pauses)) == ("1.0", "x", 1)
