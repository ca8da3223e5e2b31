"""pypicloud's server uploads and deletes a filename that the bucket holds under two keys."""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import fakeredis
import pytest
from pypicloud.cache.base import ICache
from pypicloud.cache.redis_cache import RedisCache
from pypicloud.cache.sql import SQLCache
from pypicloud.storage.s3 import S3Storage
from pypicloud.util import EnvironSettings
from sqlalchemy.orm import Session

from pypicloud_s3sync.caches import key_repairs
from support.moto_world import BUCKET, REGION, World

FILENAME = "pkg-1.0.tar.gz"
HASHED, PLAIN, THIRD = "5b6e/pkg/pkg-1.0.tar.gz", "pkg/pkg-1.0.tar.gz", "old/pkg-1.0.tar.gz"
ALLOWED = SimpleNamespace(
    access=SimpleNamespace(can_overwrite_package=lambda: True, can_delete_package=lambda: True)
)


@pytest.fixture
def repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apply the repair, and undo it after the test."""
    for name in ("upload", "delete"):
        # Another test may have applied it.
        monkeypatch.setattr(ICache, name, inspect.unwrap(getattr(ICache, name)))
    monkeypatch.setattr(ICache, key_repairs._DONE, False, raising=False)
    key_repairs.apply()


@pytest.fixture(params=["dynamo", "redis", "sql"])
def cache(request: Any, world: World, repaired: None, tmp_path: Path) -> Iterator[Any]:
    """Yield a cache with a storage that puts a file under a key without a hash."""
    bucket = boto3.resource("s3", region_name=REGION).Bucket(BUCKET)

    def storage(request: Any) -> S3Storage:
        return S3Storage(request, bucket=bucket, bucket_prefix="", prepend_hash=False)

    if request.param == "dynamo":
        cache: Any = world.cache
        cache.storage = storage(None)
    elif request.param == "redis":
        db = fakeredis.FakeStrictRedis(server=fakeredis.FakeServer(), decode_responses=True)
        cache = RedisCache(storage=storage, db=db)
    else:
        settings = {
            "pypi.storage": "pypicloud.storage.base.IStorage",
            "db.url": f"sqlite:///{tmp_path}/cache.db",
        }
        cache = SQLCache(**{**SQLCache.configure(EnvironSettings(settings)), "storage": storage})
    cache.request = ALLOWED
    yield cache
    if request.param == "sql":
        cache.db.close()


class Other:
    """The function, which has a session of its own."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self.new_package = cache.new_package

    def save(self, package: Any) -> None:
        """Save a package, and commit."""
        if not isinstance(self._cache, SQLCache):
            # The server's upload replaces the method of its cache for a moment.
            type(self._cache).save(self._cache, package)
            return
        with Session(self._cache.db.get_bind()) as session:
            session.merge(package)
            session.commit()


@pytest.fixture
def other(cache: Any) -> Other:
    if isinstance(cache, SQLCache):
        save, commit = cache.save, cache.db.commit
        cache.save = lambda package: (save(package), commit())
    return Other(cache)


def put(world: World, *keys: str) -> None:
    for key in keys:
        world.put(key, name="pkg", version="1.0", summary=key)


def saved(cache: Any, path: str, *others: str) -> None:
    more = {"other_paths": list(others)} if others else {}
    cache.save(cache.new_package("pkg", "1.0", FILENAME, path=path, **more))


def upload(cache: Any) -> None:
    cache.upload(FILENAME, io.BytesIO(b"x"), "pkg", "1.0")


def test_an_upload_lists_the_key_of_the_row_that_it_replaces(cache: Any, world: World) -> None:
    put(world, HASHED, THIRD)
    saved(cache, HASHED, THIRD)
    upload(cache)
    row = cache.fetch(FILENAME)
    assert row.data["path"] == PLAIN
    assert row.data["other_paths"] == sorted([HASHED, THIRD])


def test_an_upload_lists_a_key_that_the_function_has_added_meanwhile(
    cache: Any, world: World, monkeypatch: pytest.MonkeyPatch, other: Any
) -> None:
    put(world, HASHED, THIRD)
    saved(cache, HASHED)
    store = cache.storage.upload

    def store_meanwhile(*arguments: Any) -> None:
        store(*arguments)
        saved(other, HASHED, THIRD)

    monkeypatch.setattr(cache.storage, "upload", store_meanwhile)
    upload(cache)
    assert cache.fetch(FILENAME).data["other_paths"] == sorted([HASHED, THIRD])


def test_a_deletion_keeps_a_key_that_the_function_has_added_meanwhile(
    cache: Any, world: World, monkeypatch: pytest.MonkeyPatch, other: Any
) -> None:
    put(world, HASHED, PLAIN)
    saved(cache, PLAIN)
    remove = cache.storage.delete

    def remove_meanwhile(*arguments: Any) -> None:
        remove(*arguments)
        saved(other, PLAIN, HASHED)

    monkeypatch.setattr(cache.storage, "delete", remove_meanwhile)
    cache.delete(cache.fetch(FILENAME))
    assert cache.fetch(FILENAME).data["path"] == HASHED


def test_an_upload_to_the_same_key_lists_no_other(cache: Any, world: World) -> None:
    upload(cache)
    upload(cache)
    row = cache.fetch(FILENAME)
    assert row.data["path"] == PLAIN
    assert "other_paths" not in row.data


def test_an_upload_uses_the_save_of_its_cache_and_leaves_it_as_it_was(cache: Any, world: World) -> None:
    saves: list[Any] = []
    own = cache.save = saves.append
    upload(cache)
    assert [package.filename for package in saves] == [FILENAME]
    assert cache.save is own


def test_after_a_deletion_the_newest_file_that_is_left_takes_its_place(cache: Any, world: World) -> None:
    put(world, HASHED, PLAIN)
    saved(cache, PLAIN, HASHED, THIRD)
    cache.delete(cache.fetch(FILENAME))
    row = cache.fetch(FILENAME)
    assert (row.data["path"], row.summary) == (HASHED, HASHED)
    assert "other_paths" not in row.data
    assert [summary["name"] for summary in cache.summary()] == ["pkg"]


def test_a_file_under_one_key_is_deleted_as_before(cache: Any, world: World) -> None:
    put(world, PLAIN)
    saved(cache, PLAIN)
    cache.delete(cache.fetch(FILENAME))
    assert cache.fetch(FILENAME) is None
    assert cache.distinct() == []
