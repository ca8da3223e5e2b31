from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.sync.objects import MANY, ObjectReader
from pypicloud_s3sync.sync.packages import StoredObject
from support.moto_world import CallLog, World

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


def test_the_faster_client_reads_only_large_batches() -> None:
    s3, faster = FakeS3(), FakeS3()
    reader = ObjectReader(s3, lambda bucket, key: faster.head_object(bucket, key))
    few = [f"few-{number}" for number in range(MANY - 1)]
    reader.read(BUCKET, few)
    assert (sorted(s3.requests), faster.requests) == (sorted(few), [])
    many = [f"many-{number}" for number in range(MANY)]
    reader.read(BUCKET, many)
    assert (len(s3.requests), sorted(faster.requests)) == (len(few), sorted(many))


def test_boto3_sends_only_the_first_request_of_a_large_batch(world: World, calls: CallLog) -> None:
    keys = [f"x/batch-{number}.0.tar.gz" for number in range(MANY)]
    for key in keys:
        world.put(key, name="batch", version=key.removesuffix(".tar.gz").rpartition("-")[2])
    assert len(world.notify(*keys)["saved"]) == MANY
    assert calls.calls.count("HeadObject") == 1
    for key in keys:
        world.delete(key)
    assert len(world.notify(*keys, name="ObjectRemoved:Delete")["cleared"]) == MANY
    assert calls.calls.count("HeadObject") == 1
    assert world.rows() == {}


def test_boto3_sends_every_request_of_a_small_batch(world: World, calls: CallLog) -> None:
    keys = [f"x/batch-{number}.0.tar.gz" for number in range(MANY - 1)]
    for key in keys:
        world.put(key, name="batch", version=key.removesuffix(".tar.gz").rpartition("-")[2])
    world.notify(*keys)
    assert calls.calls.count("HeadObject") == 2 * len(keys)
