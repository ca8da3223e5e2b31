import pytest
from pypicloud.cache.sql import SQLCache
from pypicloud.util import EnvironSettings

from pypicloud_s3sync.caches import CacheIndex, Clearance, SqlIndex, index_of


@pytest.fixture
def cache(tmp_path):
    settings = {"pypi.storage": "pypicloud.storage.base.IStorage", "db.url": f"sqlite:///{tmp_path}/cache.db"}
    made = SQLCache(**SQLCache.configure(EnvironSettings(settings)))
    yield made
    made.db.close()


def package(cache, path="x/pkg-1.0.tar.gz"):
    return cache.new_package("pkg", "1.0", "pkg-1.0.tar.gz", path=path)


def fresh(cache):
    """What another connection sees."""
    with cache.dbmaker() as session:
        from pypicloud.cache.sql import SQLPackage

        return [row.filename for row in session.query(SQLPackage).all()]


def test_a_sql_cache_is_committed_after_each_key(cache):
    index = index_of(cache)
    index.save(package(cache))
    assert fresh(cache) == ["pkg-1.0.tar.gz"]
    assert index.clear("pkg-1.0.tar.gz", "x/pkg-1.0.tar.gz") is Clearance.CLEARED
    assert fresh(cache) == []


def test_a_sql_row_of_another_key_stays(cache):
    index = index_of(cache)
    index.save(package(cache, path="y/pkg-1.0.tar.gz"))
    assert index.clear("pkg-1.0.tar.gz", "x/pkg-1.0.tar.gz") is Clearance.ANOTHER_KEY
    assert fresh(cache) == ["pkg-1.0.tar.gz"]


def test_a_failed_save_leaves_no_transaction_open(cache):
    index = index_of(cache)
    broken = package(cache)
    broken.name = None
    with pytest.raises(Exception, match="NOT NULL"):
        index.save(broken)
    index.save(package(cache))
    assert fresh(cache) == ["pkg-1.0.tar.gz"]


def test_clearing_what_is_not_there_says_so(cache):
    assert index_of(cache).clear("pkg-1.0.tar.gz", "x") is Clearance.ABSENT


def test_a_cache_class_of_somebodys_own_is_used_by_its_public_methods():
    class Own:
        def __init__(self):
            self.saved = []

        def save(self, package):
            self.saved.append(package)

        def fetch(self, filename):
            return None

    index = index_of(Own())
    assert type(index) is CacheIndex
    index.save("package")
    assert index.cache.saved == ["package"]
    assert index.clear("pkg-1.0.tar.gz", "x") is Clearance.ABSENT


def test_the_kind_of_index_follows_the_cache(cache):
    assert type(index_of(cache)) is SqlIndex
