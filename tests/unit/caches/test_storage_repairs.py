from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from pypicloud.models import Package
from pypicloud.storage.s3 import S3Storage

from pypicloud_s3sync.caches import storage_repairs
from support.moto_world import BUCKET, REGION, World


@pytest.fixture
def storage(world: World, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    monkeypatch.setattr(S3Storage, "list", S3Storage.list)
    storage_repairs.apply()
    for number in range(3):
        world.put(f"x/pkg-{number}.0.tar.gz", name="pkg", version=f"{number}.0")
    bucket = boto3.resource("s3", region_name=REGION).Bucket(BUCKET)
    return S3Storage(None, bucket=bucket, bucket_prefix="")


def test_a_file_that_is_deleted_while_the_bucket_is_listed_is_left_out(
    world: World, storage: S3Storage
) -> None:
    listed = storage.list(Package)
    versions = [next(listed).version]
    world.delete("x/pkg-1.0.tar.gz")
    assert [*versions, *(package.version for package in listed)] == ["0.0", "2.0"]


def test_any_other_error_ends_the_listing(
    world: World, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}

    def deny(found: object, factory: object) -> None:
        raise ClientError(answer, "HeadObject")  # type: ignore[arg-type]

    monkeypatch.setattr(storage, "package_from_object", deny)
    with pytest.raises(ClientError, match="403"):
        list(storage.list(Package))
