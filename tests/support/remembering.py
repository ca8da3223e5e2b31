"""A bucket and a cache in this process, and runs that remember what they have read."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from pypicloud_s3sync.reconcile.known_objects import KnownObjects
from pypicloud_s3sync.reconcile.models import Options, Report, Reporter
from pypicloud_s3sync.reconcile.passes import Pass
from pypicloud_s3sync.reconcile.run import listings_differ, reconcile
from pypicloud_s3sync.reconcile.state import State
from support.backends import Backend, Sql
from support.small_world import TIME, World

LATER = TIME + datetime.timedelta(hours=1)
#: Objects of which only the metadata tells what they are.
NO_PACKAGE = {"name": "", "version": "", "summary": ""}
README, OTHER, VERSION = "a/README", "other/pkg-1.0.zip", "a/pkg-2.0.zip"


class Remembered(World):
    """A world whose runs remember what they have read in a file, and whose S3 says what time it is."""

    def __init__(self, directory: Path, backend: type[Backend] = Sql) -> None:
        super().__init__(backend)
        self.path = directory / "cache" / "known.objects"
        self.now = LATER
        paginate, list_objects_v2 = self.bucket.paginate, self.bucket.list_objects_v2

        def dated(page: dict[str, Any]) -> dict[str, Any]:
            date = self.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
            return page | {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}

        self.bucket.paginate = lambda **arguments: map(dated, paginate(**arguments))  # type: ignore
        self.bucket.list_objects_v2 = lambda **arguments: dated(list_objects_v2(**arguments))  # type: ignore

    def put_all(self) -> None:
        """Put a file of each kind, and a package that its key spells."""
        self.put(README, **NO_PACKAGE)
        self.put(OTHER, name="thing", version="9")
        self.put(VERSION, name="pkg", version="other")
        self.put("a/plain-1.0.zip")

    def reconcile(self, reporter: Reporter | None = None, **options: Any) -> Report:
        with KnownObjects(self.path) as known:
            return reconcile(self.syncer(), self.bucket, Options(**options), reporter, known=known)

    def step(self, state: State, seconds: float | None = None) -> State:
        """Reconcile as an invocation of the function does; with little time, it ends after one step."""
        with KnownObjects(self.path, after=state.cursor) as known:
            work = Pass(self.syncer(), self.bucket, state, clock=count().__next__, known=known)
            return work.run(seconds)

    def fan_out(self) -> list[str]:
        return self.fanned_out()[0]

    def fanned_out(self) -> tuple[list[str], Report]:
        """Compare, and return the messages for the function, and the report."""
        sent: list[str] = []

        def send(texts: Sequence[str]) -> Mapping[int, str]:
            sent.extend(texts)
            return {}

        with KnownObjects(self.path) as known:
            report = reconcile(self.syncer(), self.bucket, send=send, known=known)
        return sent, report

    def differ(self) -> bool:
        with KnownObjects(self.path) as known:
            return listings_differ(self.syncer(), self.bucket, known)

    def replace_object(self, key: str, etag: str = "e", **metadata: str) -> None:
        """Put another object, an hour later, of the same size."""
        self.put(key, **metadata)
        found = self.bucket.current(key)
        assert found is not None
        self.bucket.versions[key] = [replace(found, etag=etag, last_modified=self.now)]
        self.now += datetime.timedelta(hours=1)
