from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.sync import startup
from pypicloud_s3sync.sync.heads import Begun, HeadClient
from pypicloud_s3sync.sync.objects import MANY, ObjectReader
from pypicloud_s3sync.sync.packages import StoredObject
from support.moto_world import CallLog, World

pytestmark = pytest.mark.untraced

TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
BUCKET = "amzn-s3-demo-bucket"


class FakeS3:
    """Answers HeadObject with an object that has the key in its metadata, or with a prepared error."""

    def __init__(self, **errors: Exception) -> None:
        self.errors = errors
        self.requests: list[str] = []

    def head_object(self, Bucket: str, Key: str) -> Mapping[str, Any]:
        assert Bucket == BUCKET
        self.requests.append(Key)
        if Key in self.errors:
            raise self.errors[Key]
        return {"ETag": "etag", "LastModified": TIME, "Metadata": {"name": Key}}


def answer(status: int) -> ClientError:
    response: Any = {"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "HeadObject")


def stored(key: str) -> StoredObject:
    return StoredObject(key, "etag", None, TIME, {"name": key})


@pytest.mark.parametrize("count", [0, 1, 2, MANY - 1, MANY, MANY + 1])
def test_objects_are_returned_in_the_order_of_their_keys(count: int) -> None:
    keys = [f"key-{number}" for number in range(count)]
    assert ObjectReader(FakeS3()).read(BUCKET, keys) == [stored(key) for key in keys]


def test_a_404_means_that_an_object_does_not_exist() -> None:
    reader = ObjectReader(FakeS3(gone=answer(404)))
    assert reader.read(BUCKET, ["a", "gone", "b"]) == [stored("a"), None, stored("b")]


@pytest.mark.parametrize(
    "error", [answer(400), answer(403), answer(500), answer(503), TimeoutError("S3 is slow")], ids=repr
)
def test_any_other_error_is_returned_for_its_key_alone(error: Exception) -> None:
    reader = ObjectReader(FakeS3(failing=error))
    assert reader.read(BUCKET, ["failing"]) == [error]
    assert reader.read(BUCKET, ["a", "failing", "b"]) == [stored("a"), error, stored("b")]


class Heads:
    """Answers HeadObject for a few keys and for many by two clients, which count the requests."""

    def __init__(self, **errors: Exception) -> None:
        self.few, self.many = FakeS3(**errors), FakeS3()
        self.sent, self.unsent = {"sent", "failing", "gone"}, {"unsent"}

    def head(self, bucket: str, key: str) -> Mapping[str, Any]:
        return self.few.head_object(bucket, key)

    def head_one_of_many(self, bucket: str, key: str) -> Mapping[str, Any]:
        return self.many.head_object(bucket, key)

    def begin(self, bucket: str, key: str) -> Begun | None:
        is_sent = key in self.sent
        return Begun(lambda: self.head(bucket, key), is_sent) if is_sent or key in self.unsent else None


def test_only_large_batches_have_connections_of_their_own() -> None:
    s3, heads = FakeS3(), Heads()
    reader = ObjectReader(s3, cast(HeadClient, heads))
    few = [f"few-{number}" for number in range(MANY - 1)]
    reader.read(BUCKET, few)
    assert (sorted(heads.few.requests), heads.many.requests) == (sorted(few), [])
    many = [f"many-{number}" for number in range(MANY)]
    reader.read(BUCKET, many)
    assert (len(heads.few.requests), sorted(heads.many.requests)) == (len(few), sorted(many))
    assert s3.requests == []


def test_no_thread_waits_for_a_single_object_whose_request_is_sent() -> None:
    heads = Heads()
    reader = ObjectReader(FakeS3(), cast(HeadClient, heads))
    reader.pool.shutdown()
    (reading,) = reader.submit(BUCKET, ["sent"])
    assert heads.few.requests == [], "it waits for the answer"
    assert [reading.result(), reading.result()] == [stored("sent")] * 2
    assert heads.few.requests == ["sent"]


@pytest.mark.parametrize("key", ["sent", "unsent", "unknown", "gone", "failing"])
def test_a_single_object_is_the_same_if_it_is_submitted(key: str) -> None:
    heads = Heads(gone=answer(404), failing=answer(403))
    reader = ObjectReader(FakeS3(), cast(HeadClient, heads))
    (reading,) = reader.submit(BUCKET, [key])
    assert [reading.result()] == reader.read(BUCKET, [key])


@pytest.fixture
def by_boto3(world: World) -> Iterator[list[str]]:
    """Log the operations that the warm handler's client of S3 sends."""
    operations: list[str] = []

    def log(model: Any, **_: Any) -> None:
        operations.append(model.name)

    events = startup.syncer().reader.s3.meta.events
    events.register("before-call", log)
    yield operations
    events.unregister("before-call", log)


@pytest.mark.parametrize("count", [1, MANY])
def test_boto3_sends_only_the_first_request(
    world: World, calls: CallLog, by_boto3: list[str], count: int
) -> None:
    keys = [f"x/batch-{number}.0.tar.gz" for number in range(count)]
    for key in keys:
        world.put(key, name="batch", version=key.removesuffix(".tar.gz").rpartition("-")[2])
    assert len(world.notify(*keys)["saved"]) == count
    assert (calls.calls.count("HeadObject"), by_boto3) == (2 * count, ["HeadObject"])
    for key in keys:
        world.delete(key)
    assert len(world.notify(*keys, name="ObjectRemoved:Delete")["cleared"]) == count
    assert (calls.calls.count("HeadObject"), by_boto3) == (4 * count, ["HeadObject"])
    assert world.rows() == {}
