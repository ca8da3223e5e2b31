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
from redis.exceptions import NoPermissionError, ResponseError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pypicloud_s3sync.caches import dynamo_keys, key_repairs, redis_keys, sql_keys
from pypicloud_s3sync.exceptions import S3SyncError
from support.moto_world import BUCKET, REGION, World

FILENAME = "pkg-1.0.tar.gz"
HASHED, PLAIN, THIRD = "5b6e/pkg/pkg-1.0.tar.gz", "pkg/pkg-1.0.tar.gz", "old/pkg-1.0.tar.gz"
ALLOWED = SimpleNamespace(
    access=SimpleNamespace(can_overwrite_package=lambda: True, can_delete_package=lambda: True)
)


#: A call of the server's conditional write, and the code with which DynamoDB throttles it.
THROTTLED_CALLS = [
    ("batch_get_item", "ProvisionedThroughputExceededException"),
    ("transact_write_items", "ThrottlingException"),
    ("transact_write_items", "ThrottlingError"),
]


def throttling_error(operation: str, code: str) -> ClientError:
    """Return an error of a throttled call, or of a transaction that is cancelled for the reason."""
    answer: Any = {"Error": {"Code": code, "Message": "no capacity"}}
    if code == "ThrottlingError":
        answer["Error"] = {"Code": "TransactionCanceledException", "Message": code}
        answer["CancellationReasons"] = [{"Code": code}]
    return ClientError(answer, operation)


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


@pytest.fixture(params=["its own methods", "a save of its own"])
def any_class(request: Any, cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the cache have pypicloud's class, or a subclass with a ``save`` of its own."""
    base = type(cache)

    class Custom(base):  # type: ignore[misc,valid-type]
        def save(self, package: Any) -> None:
            super().save(package)

    if request.param == "a save of its own":
        monkeypatch.setattr(cache, "__class__", Custom)


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


@pytest.mark.usefixtures("any_class")
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


@pytest.mark.usefixtures("any_class")
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


def test_nothing_is_imported_for_caches_whose_libraries_are_merely_installed(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(key_repairs, "import_module", lambda *arguments: pytest.fail(str(arguments)))
    request.getfixturevalue("repaired")
    assert ICache.upload is not inspect.unwrap(ICache.upload)


@pytest.mark.parametrize("backend", ["dynamo"])
def test_a_custom_dynamodb_cache_reads_consistently(cache: Any, world: World) -> None:
    """moto's reads are always consistent, so the request is looked at."""
    put(world, HASHED, PLAIN)
    saved(cache, PLAIN, HASHED)
    cache.save = functools.partial(type(cache).save, cache)
    package = cache.fetch(FILENAME)
    requests: list[Any] = []
    events, event = cache.engine.dynamo.client.meta.events, "provide-client-params.dynamodb.BatchGetItem"

    def read(params: Any, **_: Any) -> None:
        requests.extend(params["RequestItems"].values())

    events.register(event, read)
    try:
        cache.delete(package)
    finally:
        events.unregister(event, read)
    assert [request["ConsistentRead"] for request in requests] == [True]


REFUSALS = [
    NoPermissionError("User default has no permissions to run the 'eval' command"),
    ResponseError("unknown command 'EVAL', with args beginning with: "),
]


@pytest.mark.parametrize("error", REFUSALS, ids=["denied", "unknown"])
@pytest.mark.parametrize("backend", ["redis"])
def test_a_server_whose_redis_runs_no_script_writes_as_pypicloud_does(
    cache: Any, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Any
) -> None:
    def refuse(*arguments: Any) -> None:
        raise error

    redis_keys._warn.cache_clear()
    monkeypatch.setattr(cache.db, "eval", refuse)
    put(world, HASHED)
    saved(cache, HASHED)
    upload(cache)
    row = cache.fetch(FILENAME)
    assert (row.data["path"], row.data["other_paths"]) == (PLAIN, [HASHED])
    cache.delete(row)
    row = cache.fetch(FILENAME)
    assert (row.data["path"], "other_paths" in row.data) == (HASHED, False)
    cache.delete(row)
    assert cache.fetch(FILENAME) is None
    assert cache.distinct() == cache.summary() == []
    assert caplog.text.count("allow the server EVAL") == 1


def replace(cache: Any) -> None:
    """Save a package as an upload does after it has stored the file."""
    package = cache.new_package("pkg", "1.0", FILENAME, path=PLAIN)
    key_repairs._replace(cache)(package, lambda row: package)


@pytest.mark.parametrize("backend", ["dynamo"])
class TestThrottling:
    """DynamoDB has no capacity left for the server's conditional write."""

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Return the seconds that are slept."""
        slept: list[float] = []
        clock = SimpleNamespace(sleep=slept.append, monotonic=lambda: sum(slept))
        for module in (key_repairs, dynamo_keys):
            monkeypatch.setattr(module, "time", clock)
        return slept

    @pytest.fixture
    def throttle(self, cache: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Let some calls of an operation be throttled."""
        client = cache.engine.dynamo.client

        def plan(operation: str, error: ClientError, times: int) -> None:
            call, left = getattr(client, operation), [error] * times

            def throttled(**arguments: Any) -> Any:
                if left:
                    raise left.pop()
                return call(**arguments)

            monkeypatch.setattr(client, operation, throttled)

        return plan

    @pytest.mark.parametrize(("operation", "code"), THROTTLED_CALLS, ids=lambda value: str(value))
    def test_a_write_waits_until_there_is_capacity(
        self, cache: Any, throttle: Callable[..., None], operation: str, code: str
    ) -> None:
        throttle(operation, throttling_error(operation, code), 4)
        replace(cache)
        assert cache.fetch(FILENAME).data["path"] == PLAIN

    @pytest.mark.parametrize(("operation", "code"), THROTTLED_CALLS, ids=lambda value: str(value))
    def test_a_write_ends_with_the_reason_if_there_is_none(
        self, cache: Any, clock: list[float], throttle: Callable[..., None], operation: str, code: str
    ) -> None:
        throttle(operation, throttling_error(operation, code), 99)
        with pytest.raises(S3SyncError, match=f"{FILENAME} was not written.*throttled.*{code}") as caught:
            replace(cache)
        assert "its event will correct the row" in str(caught.value)
        assert "retried" not in str(caught.value)
        assert 15 < sum(clock) < 30

    def test_an_item_that_is_not_returned_is_throttled(
        self, cache: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unprocessed(**arguments: Any) -> Any:
            return {"Responses": {}, "UnprocessedKeys": arguments["RequestItems"]}

        monkeypatch.setattr(cache.engine.dynamo.client, "batch_get_item", unprocessed)
        with pytest.raises(S3SyncError, match="no capacity left"):
            replace(cache)


class TestIntegrityError:
    """A database with savepoints refuses to insert a row that did not exist."""

    @pytest.fixture
    def backend(self) -> str:
        return "sql"

    @pytest.fixture(autouse=True)
    def savepoints(self, cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cache.db.get_bind().dialect, "name", "other")

    def test_a_row_that_has_been_inserted_since_is_read_again(self, cache: Any, other: Other) -> None:
        def choose(row: Any) -> Any:
            if row is None:
                saved(other, HASHED)
            return package

        package = cache.new_package("pkg", "1.0", FILENAME, path=PLAIN)
        assert [sql_keys.replace(cache, package, choose) for _ in range(2)] == [False, True]
        assert cache.fetch(FILENAME).data["path"] == PLAIN

    def test_any_other_error_is_raised(self, cache: Any) -> None:
        package = cache.new_package("pkg", "1.0", FILENAME, path=PLAIN)
        package.name = None
        with pytest.raises(IntegrityError, match="NOT NULL"):
            sql_keys.replace(cache, package, lambda row: package)


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
