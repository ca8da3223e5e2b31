import datetime
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pypicloud_s3sync.caches.base import Change, Result, RowKey
from pypicloud_s3sync.caches.summaries import PATIENCE
from pypicloud_s3sync.caches.transactions import CHECKSUM, ITEMS_OF_SUMMARY, MAX_ITEMS, NEWEST
from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.sync import startup
from support.indexes import hold

OLD = "x/pkg-1.0.tar.gz"


@pytest.fixture
def index(world):
    """The warm handler's index."""
    return startup.syncer().adapter


def package(world, version, summary, second, name="pkg"):
    modified = datetime.datetime(2026, 1, 1, 0, 0, second, tzinfo=datetime.UTC)
    filename = f"{name}-{version}.tar.gz"
    return world.cache.new_package(name, version, filename, modified, summary, path=f"x/{filename}")


def save(index, wanted):
    return hold(index, wanted.filename, wanted)


def clear(index, filename):
    return hold(index, filename, None)


def late(index, monkeypatch, *answers):
    """Let the index of names answer so first, before it has caught up."""
    real, waiting = index._indexed, list(answers)
    monkeypatch.setattr(index, "_indexed", lambda name: waiting.pop(0) if waiting else real(name))


def test_a_summary_is_that_of_the_newest_row_even_when_an_older_file_comes_late(world, index):
    save(index, package(world, "2.0", "new", second=2))
    save(index, package(world, "1.0", "old", second=1))
    assert world.summaries() == {"pkg": "new"}


def test_pypiclouds_own_save_leaves_the_summary_of_whichever_file_came_last(world):
    """Why there is a save of our own; when this fails, look whether it can go."""
    world.cache.save(package(world, "2.0", "new", second=2))
    world.cache.save(package(world, "1.0", "old", second=1))
    assert world.summaries() == {"pkg": "old"}


def test_deleting_the_newest_row_restores_the_summary_of_the_one_before(world, index):
    save(index, package(world, "1.0", "old", second=1))
    save(index, package(world, "2.0", "new", second=2))
    clear(index, "pkg-2.0.tar.gz")
    assert world.summaries() == {"pkg": "old"}


def test_deleting_an_older_row_leaves_the_summary(world, index):
    save(index, package(world, "1.0", "old", second=1))
    save(index, package(world, "2.0", "new", second=2))
    clear(index, "pkg-1.0.tar.gz")
    assert world.summaries() == {"pkg": "new"}


def test_a_summary_that_the_server_left_behind_is_put_right_by_the_event_of_its_delete(world, index):
    """The server deletes the row itself, and leaves the summary of the file that is gone."""
    save(index, package(world, "1.0", "old", second=1))
    save(index, package(world, "2.0", "new", second=2))
    world.cache.clear(package(world, "2.0", "new", second=2))
    assert world.summaries() == {"pkg": "new"}, "the server has learnt to restore it"
    assert clear(index, "pkg-2.0.tar.gz") == PATIENCE + 1, "it might have been the index that lags behind"
    assert world.summaries() == {"pkg": "old"}


def test_a_summary_of_the_servers_is_put_right_by_the_next_event(world, index):
    world.cache.save(package(world, "2.0", "new", second=2))
    world.cache.save(package(world, "1.0", "old", second=1))
    save(index, package(world, "1.0", "old", second=1))
    assert world.summaries() == {"pkg": "new"}


def test_a_row_that_changes_its_name_leaves_no_summary_behind(world, index):
    one = package(world, "1.0", "as pkg", second=1)
    save(index, one)
    renamed = world.cache.new_package("other", "1.0", one.filename, one.last_modified, "as other", path=OLD)
    save(index, renamed)
    assert world.summaries() == {"other": "as other"}
    assert world.rows()[one.filename].name == "other"


def test_the_servers_later_clock_does_not_keep_its_summary_over_the_newest_row(world, index):
    """The server stamps a row when it starts to upload, S3 when it has the object: either may be later."""
    world.cache.save(package(world, "1.0", "by the server", second=9))
    assert save(index, package(world, "1.0", "by S3", second=8)) == 1
    assert world.summaries() == {"pkg": "by S3"}


def test_an_index_that_does_not_show_a_row_yet_is_asked_again(world, index, monkeypatch):
    save(index, package(world, "1.0", "old", second=1))
    save(index, package(world, "2.0", "new", second=2))
    late(index, monkeypatch, [], [package(world, "2.0", "new", second=2)])
    assert clear(index, "pkg-2.0.tar.gz") == 3
    assert world.summaries() == {"pkg": "old"}


def test_an_index_that_still_shows_a_deleted_row_is_asked_again(world, index, monkeypatch):
    gone, kept, mine = (package(world, f"{n}.0", str(n), second=n) for n in (2, 1, 3))
    for one in (kept, mine):
        save(index, one)
    late(index, monkeypatch, [gone, kept, mine])
    assert clear(index, mine.filename) == 2
    assert world.summaries() == {"pkg": "1"}


def test_a_summary_whose_rows_never_add_up_is_replaced_in_the_end(world, index):
    """Somebody deleted a row, and left the summary as it was."""
    for second in (1, 2, 3):
        save(index, package(world, f"{second}.0", str(second), second=second))
    world.cache.engine.delete(world.rows()["pkg-2.0.tar.gz"])
    assert clear(index, "pkg-3.0.tar.gz") == PATIENCE + 1
    assert world.summaries() == {"pkg": "1"}
    assert clear(index, "pkg-1.0.tar.gz") == 1, "the checksum did not begin anew"


def test_an_older_row_that_comes_while_the_newest_is_cleared_is_not_forgotten(world, index, calls):
    """The race that the conditions on rows alone cannot see."""
    save(index, package(world, "2.0", "new", second=2))
    calls.before["TransactWriteItems"] = [lambda: save(index, package(world, "1.0", "old", second=1))]
    assert clear(index, "pkg-2.0.tar.gz") == 2
    assert world.summaries() == {"pkg": "old"}


def test_two_handlers_of_one_name_do_not_overwrite_each_others_summary(world, index, calls):
    """The other one saves a newer file between our look and our write."""
    calls.before["TransactWriteItems"] = [lambda: save(index, package(world, "2.0", "new", second=2))]
    save(index, package(world, "1.0", "old", second=1))
    assert world.summaries() == {"pkg": "new"}
    assert set(world.rows()) == {"pkg-1.0.tar.gz", "pkg-2.0.tar.gz"}


def test_a_row_that_has_changed_since_it_was_read_is_not_replaced(world, index):
    save(index, package(world, "1.0", "ours", second=1))
    subject = RowKey("pkg-1.0.tar.gz", "pkg")
    seen = index.read([subject])["pkg-1.0.tar.gz"]
    theirs = world.cache.new_package("pkg", "1.0", "pkg-1.0.tar.gz", None, "theirs", path="y/pkg-1.0.tar.gz")
    world.cache.save(theirs)
    assert index.write([Change(subject, seen, None)]) == {"pkg-1.0.tar.gz": Result.CONFLICT}
    assert world.rows()["pkg-1.0.tar.gz"].data["path"] == "y/pkg-1.0.tar.gz"


def test_a_refused_transaction_is_that_names_error_alone(world, index, monkeypatch):
    good, bad = package(world, "1.0", "x", second=1), package(world, "1.0", "x", second=1, name="bad")
    bad.data["path"] = "x" * 500_000  # more than DynamoDB takes in an item
    subjects = {row.filename: RowKey(row.filename, row.name) for row in (good, bad)}
    seen = index.read(list(subjects.values()))
    results = index.write([Change(subjects[row.filename], seen[row.filename], row) for row in (bad, good)])
    assert results[good.filename] is Result.WRITTEN
    assert isinstance(results[bad.filename], index.client.exceptions.ClientError)


def test_own_table_names_and_a_namespace_are_honoured(world, monkeypatch):
    settings = {**json.loads(os.environ["PYPICLOUD_SETTINGS"]), "db.namespace": "prod-"}
    settings["db.tablenames"] = "rows summaries"
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps(settings))
    world.put(OLD, name="pkg", version="1.0")
    assert world.notify(OLD)["saved"] == ["pkg-1.0.tar.gz"]
    client = startup.syncer().adapter.client
    assert (
        client.scan(TableName="prod-rows")["Count"] == client.scan(TableName="prod-summaries")["Count"] == 1
    )


def test_the_rows_of_one_release_are_one_transaction(world, index, calls):
    rows = [package(world, f"1.{number}", str(number), second=number) for number in range(5)]
    subjects = [RowKey(row.filename, row.name) for row in rows]
    seen = index.read(subjects)
    changes = [Change(subject, seen[row.filename], row) for subject, row in zip(subjects, rows, strict=True)]
    assert set(index.write(changes).values()) == {Result.WRITTEN}
    assert calls.calls == ["BatchGetItem", "TransactWriteItems"]
    assert world.summaries() == {"pkg": "4"}


@pytest.mark.parametrize("versions", [("1.0", "1.1", "1.2"), ("1.2", "1.0", "1.1")], ids=["rising", "mixed"])
def test_the_files_of_one_second_need_no_index(world, index, calls, versions):
    """A release is several files, put at once; S3 tells seconds. The filename decides between them."""
    for version in versions:
        save(index, package(world, version, f"of {version}", second=1))
    assert world.summaries() == {"pkg": "of 1.2"}
    assert calls.calls == ["BatchGetItem", "TransactWriteItems"] * 3
    clear(index, "pkg-1.0.tar.gz")
    assert "Query" not in calls.calls
    clear(index, "pkg-1.2.tar.gz")
    assert (world.summaries(), calls.calls.count("Query")) == ({"pkg": "of 1.1"}, 1)


def test_the_text_of_the_newest_row_may_change_within_its_second(world, index, calls):
    save(index, package(world, "1.0", "old", second=1))
    save(index, package(world, "1.1", "before", second=1))
    save(index, package(world, "1.1", "after", second=1))
    assert (world.summaries(), calls.calls.count("Query")) == ({"pkg": "after"}, 0)


def test_a_summary_that_does_not_say_whose_it_is_is_looked_up_in_the_index(world, index, calls):
    save(index, package(world, "1.0", "old", second=1))
    index.client.update_item(
        TableName="PackageSummary", Key={"name": {"S": "pkg"}}, UpdateExpression=f"REMOVE {NEWEST}"
    )
    save(index, package(world, "1.1", "new", second=1))
    assert (world.summaries(), calls.calls.count("Query")) == ({"pkg": "new"}, 1)
    save(index, package(world, "1.2", "newer", second=1))
    assert (world.summaries(), calls.calls.count("Query")) == ({"pkg": "newer"}, 1)


def test_a_call_that_fails_beside_others_is_tried_alone_when_they_have_ended(index):
    ended = []

    def call(number):
        if number == 0 and len(ended) < 19:
            raise TimeoutError("DynamoDB is busy")
        ended.append(number)
        return number

    assert index._parallel(call, range(20)) == list(range(20))
    assert (sorted(ended), ended[-1]) == (list(range(20)), 0)


def test_a_call_that_fails_alone_too_is_an_error(index):
    calls = []

    def call(number):
        calls.append(number)
        raise TimeoutError("DynamoDB is slow")

    with pytest.raises(TimeoutError, match="DynamoDB is slow"):
        index._parallel(call, range(5))
    assert sorted(calls) == [0, 0, 1, 2, 3, 4], "one error is enough"


def test_more_rows_of_one_name_than_a_transaction_takes_are_written_in_one_go(world, index, calls):
    count = 2 * (MAX_ITEMS - ITEMS_OF_SUMMARY) + 1
    rows = [package(world, f"1.{number}", str(number), second=number % 60) for number in range(count)]
    subjects = [RowKey(row.filename, row.name) for row in rows]
    seen = index.read(subjects)
    results = index.write(
        [Change(subject, seen[row.filename], row) for subject, row in zip(subjects, rows, strict=True)]
    )
    assert set(results.values()) == {Result.WRITTEN}
    assert calls.calls.count("TransactWriteItems") == 3
    newest = max((row.last_modified, row.filename) for row in rows)[1]
    assert world.summaries() == {"pkg": next(row.summary for row in rows if row.filename == newest)}
    assert clear(index, newest) == 1, "the checksum does not add up"


def test_pypicloud_does_not_show_the_checksum_and_the_server_may_write_over_it(world, index):
    save(index, package(world, "1.0", "old", second=1))
    item = index.client.scan(TableName="PackageSummary")["Items"][0]
    assert CHECKSUM in item
    assert world.cache.summary()[0].keys() == {"name", "summary", "last_modified"}
    world.cache.save(package(world, "2.0", "new", second=2))
    assert CHECKSUM not in index.client.scan(TableName="PackageSummary")["Items"][0]
    clear(index, "pkg-2.0.tar.gz")
    assert world.summaries() == {"pkg": "old"}


def test_keys_that_dynamodb_did_not_get_to_are_asked_for_again_after_a_pause(world, index, monkeypatch):
    save(index, package(world, "1.0", "x", second=1))
    real, late, pauses = index.client.batch_get_item, [], []

    def throttled(RequestItems):
        if late:
            return real(RequestItems=RequestItems)
        late.append(RequestItems)
        return {"Responses": {}, "UnprocessedKeys": RequestItems}

    monkeypatch.setattr(index.client, "batch_get_item", throttled)
    monkeypatch.setattr(index, "pause", pauses.append)
    seen = index.read([RowKey("pkg-1.0.tar.gz", "pkg")])["pkg-1.0.tar.gz"]
    assert (seen.row.version, len(pauses)) == ("1.0", 1)


def test_keys_that_dynamodb_never_gets_to_are_left_to_a_retry(world, index, monkeypatch):
    monkeypatch.setattr(
        index.client,
        "batch_get_item",
        lambda RequestItems: {"Responses": {}, "UnprocessedKeys": RequestItems},
    )
    monkeypatch.setattr(index, "pause", lambda seconds: None)
    with pytest.raises(S3SyncError, match="the next retry reads them again"):
        index.read([RowKey("pkg-1.0.tar.gz", "pkg")])


def changes_of(index, packages, look=0):
    """What makes an index hold packages, as it is now."""
    subjects = [RowKey(wanted.filename, wanted.name) for wanted in packages]
    seen = index.read(subjects)
    return [
        Change(subject, seen[subject.filename], wanted, look)
        for subject, wanted in zip(subjects, packages, strict=True)
    ]


def many(world, count):
    return [package(world, "1.0", f"of {number}", second=1, name=f"pkg{number}") for number in range(count)]


def test_many_names_are_written_in_few_transactions(world, index, calls):
    """On AWS each is a way there and back: a thousand, one after the other, would take many seconds."""
    packages = many(world, 100)
    changes = changes_of(index, packages)
    calls.calls.clear()
    # moto copies its tables while it writes them, and takes no other writer meanwhile.
    index.pool = ThreadPoolExecutor(1)
    results = index.write(changes)
    assert set(results.values()) == {Result.WRITTEN}
    assert calls.calls == ["TransactWriteItems"] * 4
    assert world.summaries() == {f"pkg{number}": f"of {number}" for number in range(100)}


def test_a_name_that_has_changed_meanwhile_does_not_keep_the_others(world, index):
    packages = many(world, 5)
    changes = changes_of(index, packages)
    save(index, package(world, "1.0", "another's", second=2, name="pkg3"))
    results = index.write(changes)
    lost = [filename for filename, result in results.items() if result is Result.CONFLICT]
    assert lost == ["pkg3-1.0.tar.gz"]
    written = {f"pkg{number}": f"of {number}" for number in range(5)}
    assert world.summaries() == {**written, "pkg3": "another's"}


def test_what_is_as_it_should_be_is_not_written_beside_what_is_not(world, index, calls):
    packages = many(world, 3)
    save(index, packages[1])
    changes = changes_of(index, packages)
    calls.calls.clear()
    results = index.write(changes)
    assert [results[wanted.filename] for wanted in packages] == [
        Result.WRITTEN,
        Result.UNCHANGED,
        Result.WRITTEN,
    ]
    assert calls.calls == ["TransactWriteItems"]
