"""A bucket and a cache in this process, in which a test puts and removes objects."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from botocore.exceptions import ClientError

from pypicloud_s3sync.caches.base import CacheAdapter
from pypicloud_s3sync.reconcile.models import Options, Report, Reporter
from pypicloud_s3sync.reconcile.run import reconcile
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from pypicloud_s3sync.sync.packages import StoredObject
from support.backends import Backend, Sql
from support.histories import BUCKET, Bucket

TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class World:
    """A bucket and a cache, and a log of the keys that were looked at."""

    def __init__(self, backend: type[Backend] = Sql, prefix: str = "") -> None:
        self.bucket = Bucket(Random(1))
        self.bucket.versions = {}
        self.backend = backend(Random(1))
        self.adapter: CacheAdapter = self.backend.adapter()
        self.prefix = prefix
        self.heads: list[str] = []
        self.denied: set[str] = set()
        head = self.bucket.head_object

        def logged(Bucket: str, Key: str) -> dict[str, Any]:
            self.heads.append(Key)
            if Key in self.denied:
                answer: Any = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
                raise ClientError(answer, "HeadObject")
            return head(Bucket, Key)

        self.bucket.head_object = logged  # type: ignore[method-assign]

    def put(self, key: str, **metadata: str) -> None:
        name, _, version = key.rpartition("/")[2].removesuffix(".zip").rpartition("-")
        metadata = {"name": name, "version": version, "summary": f"of {key}"} | metadata
        metadata = {name: value for name, value in metadata.items() if value}
        self.bucket.versions[key] = [StoredObject(key, "e", None, TIME, metadata)]

    def remove(self, key: str) -> None:
        self.bucket.versions[key].append(None)

    def reconcile(self, reporter: Reporter | None = None, **options: Any) -> Report:
        return reconcile(self.syncer(), self.bucket, Options(**options), reporter)

    def fan_out(self) -> list[str]:
        """Compare, and return the messages for the function."""
        sent: list[str] = []

        def send(texts: Sequence[str]) -> Mapping[int, str]:
            sent.extend(texts)
            return {}

        reconcile(self.syncer(), self.bucket, send=send)
        return sent

    def syncer(self) -> Syncer:
        """Return a syncer, when the index has caught up; the log begins anew."""
        self.heads.clear()
        self.backend.advance(100)
        return Syncer(ObjectReader(self.bucket), self.adapter, BUCKET, self.prefix, lambda seconds: None)


def filled(count: int, backend: type[Backend] = Sql) -> World:
    """Return a world of some packages whose cache is full."""
    world = World(backend)
    for number in range(count):
        world.put(f"x/pkg-{number}.0.zip")
    world.reconcile()
    return world


def counts(report: Report) -> dict[str, int]:
    """Return the differences that a report counts, by their kind."""
    return {kind.value: count for kind, count in report.differences.items() if count}
