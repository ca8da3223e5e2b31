from pypicloud_s3sync.caches.base import CacheAdapter, Change, Result, RowKey, Snapshot
from pypicloud_s3sync.caches.registry import adapter_for


class Own:
    """A cache class of somebody's own: nothing but the public methods."""

    def __init__(self):
        self.rows = {}

    def fetch(self, filename):
        return self.rows.get(filename)

    def save(self, package):
        self.rows[package.filename] = package

    def clear(self, package):
        del self.rows[package.filename]


def test_a_cache_class_of_somebodys_own_is_used_by_its_public_methods():
    from pypicloud.models import Package

    index = adapter_for(Own())
    assert type(index) is CacheAdapter
    subject, package = RowKey("pkg-1.0.tar.gz", "pkg"), Package("pkg", "1.0", "pkg-1.0.tar.gz", path="x")
    assert index.read([subject]) == {"pkg-1.0.tar.gz": Snapshot(None)}
    assert index.write([Change(subject, Snapshot(None), package)]) == {"pkg-1.0.tar.gz": Result.WRITTEN}
    seen = index.read([subject])["pkg-1.0.tar.gz"]
    assert index.write([Change(subject, seen, package)]) == {"pkg-1.0.tar.gz": Result.UNCHANGED}
    assert index.write([Change(subject, seen, None)]) == {"pkg-1.0.tar.gz": Result.WRITTEN}
    assert index.cache.rows == {}
