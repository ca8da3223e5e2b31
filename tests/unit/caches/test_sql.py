import pytest
from pypicloud.cache.sql import SQLCache, SQLPackage
from pypicloud.util import EnvironSettings

from pypicloud_s3sync.caches.base import Change, Result, RowKey
from pypicloud_s3sync.caches.registry import adapter_for
from pypicloud_s3sync.caches.sql import SqlAdapter
from support.indexes import hold

FILENAME = "pkg-1.0.tar.gz"
SUBJECT = RowKey(FILENAME, "pkg")


@pytest.fixture
def cache(tmp_path):
    settings = {"pypi.storage": "pypicloud.storage.base.IStorage", "db.url": f"sqlite:///{tmp_path}/cache.db"}
    made = SQLCache(**SQLCache.configure(EnvironSettings(settings)))
    yield made
    made.db.close()


def package(cache, path="x/pkg-1.0.tar.gz"):
    return cache.new_package("pkg", "1.0", FILENAME, path=path)


def fresh(cache):
    """What another connection sees."""
    with cache.dbmaker() as session:
        return {row.filename: row.data["path"] for row in session.query(SQLPackage).all()}


def test_the_kind_of_index_follows_the_cache(cache):
    assert type(adapter_for(cache)) is SqlAdapter


def test_a_row_is_committed_by_itself(cache):
    index = adapter_for(cache)
    hold(index, FILENAME, package(cache))
    assert fresh(cache) == {FILENAME: "x/pkg-1.0.tar.gz"}
    hold(index, FILENAME, None)
    assert fresh(cache) == {}


def test_a_row_that_has_changed_since_it_was_read_is_not_replaced(cache):
    index = adapter_for(cache)
    hold(index, FILENAME, package(cache))
    seen = index.read([SUBJECT])[FILENAME]
    hold(index, FILENAME, package(cache, path="y/pkg-1.0.tar.gz"))
    assert index.write([Change(SUBJECT, seen, None)]) == {FILENAME: Result.CONFLICT}
    assert fresh(cache) == {FILENAME: "y/pkg-1.0.tar.gz"}


def test_a_row_that_has_come_since_it_was_looked_for_is_not_replaced(cache):
    index = adapter_for(cache)
    seen = index.read([SUBJECT])[FILENAME]
    hold(index, FILENAME, package(cache, path="y/pkg-1.0.tar.gz"))
    assert index.write([Change(SUBJECT, seen, package(cache))]) == {FILENAME: Result.CONFLICT}
    assert fresh(cache) == {FILENAME: "y/pkg-1.0.tar.gz"}


def test_a_row_that_cannot_be_written_fails_alone_and_leaves_no_transaction_open(cache):
    index = adapter_for(cache)
    broken, good = cache.new_package("bad", "1.0", "bad-1.0.tar.gz", path="x"), package(cache)
    broken.data["never"] = object()
    subject = RowKey("bad-1.0.tar.gz", "bad")
    seen = index.read([subject, SUBJECT])
    results = index.write(
        [Change(subject, seen["bad-1.0.tar.gz"], broken), Change(SUBJECT, seen[FILENAME], good)]
    )
    assert isinstance(results["bad-1.0.tar.gz"], Exception)
    assert results[FILENAME] is Result.WRITTEN
    assert fresh(cache) == {FILENAME: "x/pkg-1.0.tar.gz"}
    assert not cache.db.in_transaction()
