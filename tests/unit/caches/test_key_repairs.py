"""pypicloud's server uploads and deletes a filename that the bucket holds under two keys."""

from __future__ import annotations

import functools
import inspect
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import fakeredis
import pytest
from botocore.exceptions import ClientError
from pypicloud.cache.base import ICache
from pypicloud.cache.redis_cache import RedisCache
from pypicloud.cache.sql import SQLCache
from pypicloud.storage.s3 import S3Storage
from pypicloud.util import EnvironSettings
from sqlalchemy.orm import Session

from pypicloud_s3sync.caches import key_repairs
from pypicloud_s3sync.exceptions import S3SyncError
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
def backend(request: Any) -> Any:
    return request.param


@pytest.fixture
def cache(backend: str, world: World, repaired: None, tmp_path: Path) -> Iterator[Any]:
    """Yield a cache with a storage that puts a file under a key without a hash."""
    bucket = boto3.resource("s3", region_name=REGION).Bucket(BUCKET)

    def storage(request: Any) -> S3Storage:
        return S3Storage(request, bucket=bucket, bucket_prefix="", prepend_hash=False)

    if backend == "dynamo":
        cache: Any = world.cache
        cache.storage = storage(None)
    elif backend == "redis":
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
    if backend == "sql":
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
    return Other(cache)


def put(world: World, *keys: str) -> None:
    for key in keys:
        world.put(key, name="pkg", version="1.0", summary=key)


def saved(cache: Any, path: str, *others: str) -> None:
    more = {"other_paths": list(others)} if others else {}
    cache.save(cache.new_package("pkg", "1.0", FILENAME, path=path, **more))
    if isinstance(cache, SQLCache):
        cache.db.commit()


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


class TestWriteInBetween:
    """The function writes the row after the server has read it, and before the server writes it."""

    @pytest.fixture(params=["dynamo", "redis"])
    def backend(self, request: Any) -> Any:
        return request.param

    @pytest.fixture(autouse=True)
    def no_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(key_repairs, "PAUSES", (0,) * 3)

    @pytest.fixture
    def meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Let something happen after each of some reads."""

        def plan(*actions: Callable[[], object]) -> None:
            left = list(actions)
            for name in ("uploaded", "remaining"):
                monkeypatch.setattr(key_repairs, name, before(getattr(key_repairs, name), left))

        def before(choose: Any, left: list[Callable[[], object]]) -> Any:
            def chosen(*arguments: Any) -> Any:
                if left:
                    left.pop(0)()
                return choose(*arguments)

            return chosen

        return plan

    @pytest.mark.parametrize("present", [(), (PLAIN,), (HASHED,)], ids=["no row", "its row", "another row"])
    def test_an_upload_lists_the_key(
        self, cache: Any, world: World, other: Other, meanwhile: Callable[..., None], present: tuple[str, ...]
    ) -> None:
        put(world, HASHED, THIRD)
        if present:
            saved(cache, *present)
        meanwhile(lambda: saved(other, HASHED, THIRD))
        upload(cache)
        row = cache.fetch(FILENAME)
        assert (row.data["path"], row.data["other_paths"]) == (PLAIN, sorted([HASHED, THIRD]))
        assert [package.filename for package in cache.all("pkg")] == [FILENAME]
        assert [summary["name"] for summary in cache.summary()] == ["pkg"]

    def test_a_deletion_keeps_the_key(
        self, cache: Any, world: World, other: Other, meanwhile: Callable[..., None]
    ) -> None:
        put(world, HASHED, PLAIN)
        saved(cache, PLAIN)
        meanwhile(lambda: saved(other, PLAIN, HASHED))
        cache.delete(cache.fetch(FILENAME))
        assert cache.fetch(FILENAME).data["path"] == HASHED

    def test_a_deletion_of_a_row_that_the_function_has_deleted_is_done(
        self, cache: Any, world: World, other: Other, meanwhile: Callable[..., None]
    ) -> None:
        put(world, PLAIN)
        saved(cache, PLAIN)
        package = cache.fetch(FILENAME)
        meanwhile(lambda: type(cache).clear(cache, package))
        cache.delete(package)
        assert cache.fetch(FILENAME) is None
        assert cache.distinct() == []

    def test_an_upload_ends_if_the_row_changes_at_every_attempt(
        self, cache: Any, world: World, other: Other, meanwhile: Callable[..., None]
    ) -> None:
        changes = [functools.partial(saved, other, HASHED, f"old{number}/{FILENAME}") for number in range(9)]
        meanwhile(*changes)
        with pytest.raises(S3SyncError, match="changed during each of 4 attempts"):
            upload(cache)
        assert cache.fetch(FILENAME).data["other_paths"] == [f"old3/{FILENAME}"]


def test_a_server_without_the_permission_deletes_as_pypicloud_does(
    world: World, repaired: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """pypicloud's documents allow BatchWriteItem and PutItem, and not DeleteItem."""
    cache = world.cache
    put(world, PLAIN)
    saved(cache, PLAIN)
    answer: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}

    def deny(**arguments: Any) -> None:
        raise ClientError(answer, "TransactWriteItems")

    monkeypatch.setattr(cache.engine.dynamo.client, "transact_write_items", deny)
    monkeypatch.setattr(cache, "storage", SimpleNamespace(delete=lambda package: None))
    monkeypatch.setattr(cache, "request", ALLOWED)
    cache.delete(cache.fetch(FILENAME))
    assert world.rows() == {}
    assert "allow the server dynamodb:PutItem and dynamodb:DeleteItem" in caplog.text


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
