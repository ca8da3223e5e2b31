"""A bucket in moto, a cache, and a function that handles each change as soon as the storage has made it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import boto3
from pypicloud.storage.s3 import S3Storage

from pypicloud_s3sync.caches.base import Snapshot
from pypicloud_s3sync.doctor.canary import Canary, Place
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from support.backends import Backend, Dynamo
from support.fakes import FakeTime

BUCKET = "amzn-s3-demo-bucket"
PREFIX = "pypi/"


class World:
    """A bucket with its cache, and what was seen of the canary in it.

    Parameters
    ----------
    backend : type
        The class of the cache.
    versioned : bool
        Whether the bucket keeps versions.
    """

    def __init__(self, backend: type[Backend], *, versioned: bool = True) -> None:
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.s3.create_bucket(Bucket=BUCKET)
        if versioned:
            self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.backend = backend(Random(0))
        self.adapter = self.backend.adapter()
        self.time = FakeTime()
        #: What the function does for each change.
        self.react: Callable[[str], None] = self.handle
        #: The summaries of the rows, and the lists of projects, at each moment when the cache was read.
        self.seen: list[str | None] = []
        self.listed: list[Any] = []
        read = self.adapter.read

        def watched(keys: Any) -> Any:
            found = read(keys)
            for snapshot in found.values():
                row = snapshot.row if isinstance(snapshot, Snapshot) else None
                self.seen.append(None if row is None else row.summary)
            self.listed += self.names()
            return found

        self.adapter.read = watched  # type: ignore[method-assign]

    def names(self) -> list[Any]:
        """Return every name that some list of projects shows."""
        if isinstance(self.backend, Dynamo):
            return list(self.backend.client.tables["PackageSummary"])
        cache = self.adapter.cache
        found = cache.search({"name": ["canary"]}, "or") if hasattr(cache, "dbmaker") else []
        listed = [*cache.distinct(), *(summary["name"] for summary in cache.summary()), *found]
        if hasattr(cache, "dbmaker"):
            cache.db.close()
        return listed

    def handle(self, key: str) -> None:
        """Make the cache match the bucket, as the function does."""
        reader = ObjectReader(self.s3)
        outcomes = Syncer(reader, self.backend.adapter(), BUCKET, PREFIX).converge(BUCKET, [key])
        for outcome in outcomes.values():
            assert not isinstance(outcome, Exception), outcome
        self.backend.advance(100)

    def canary(self, *, replicates: bool = False) -> Canary:
        """Return a canary for this world."""
        world = self

        class Storage(S3Storage):  # type: ignore[misc]
            def upload(self, package: Any, datastream: Any) -> None:
                super().upload(package, datastream)
                world.react(self.get_path(package))

            def delete(self, package: Any) -> None:
                super().delete(package)
                world.react(self.get_path(package))

        bucket = boto3.resource("s3", region_name="us-east-1").Bucket(BUCKET)
        storage = Storage(bucket=bucket, bucket_prefix=PREFIX, prepend_hash=True)
        place = Place(
            storage=storage,
            s3=self.s3,
            bucket=BUCKET,
            prefix=PREFIX,
            adapter=self.adapter,
            replicates=replicates,
            endpoint_url=None,
            log_group="/aws/lambda/sync",
        )
        return Canary(place, timeout=10, clock=self.time.clock, pause=self.time.pause)

    def objects(self) -> list[str]:
        """Return the keys of the objects."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [stored["Key"] for stored in listed]

    def versions(self) -> tuple[int, int]:
        """Return the number of versions and of delete markers."""
        found = self.s3.list_object_versions(Bucket=BUCKET)
        return len(found.get("Versions", [])), len(found.get("DeleteMarkers", []))
