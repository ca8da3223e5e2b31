"""Replicate a bucket as S3's Cross-Region Replication does: copy new versions and delete markers, one way.

The emulator can replicate too, but does not send the notifications at the destination that the demo is about,
so this module copies through S3's API. It polls the versions of the source, because a notification of its own
could overlap that of S3 sync.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

INTERVAL = 0.1


@dataclass(frozen=True)
class Bucket:
    """A bucket and a client of its region."""

    s3: Any
    name: str


class Replicator:
    """Copies from one versioned bucket to another in the background, during a ``with`` block.

    Parameters
    ----------
    source, destination : Bucket
    """

    def __init__(self, source: Bucket, destination: Bucket) -> None:
        self._source = source
        self._destination = destination
        self._replicated: set[str] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replicator", daemon=True)
        #: The last failure, for error messages. The next round tries again.
        self.error = ""

    def __enter__(self) -> Replicator:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(INTERVAL):
            try:
                self._round()
            except (ClientError, BotoCoreError) as error:
                self.error = str(error)

    def _round(self) -> None:
        for version in self._new_versions():
            if "Size" in version:
                self._copy(version)
            else:
                self._destination.s3.delete_object(Bucket=self._destination.name, Key=version["Key"])
            self._replicated.add(version["VersionId"])

    def _new_versions(self) -> list[dict[str, Any]]:
        """Return the versions and delete markers that have not been copied yet, oldest first."""
        pages = self._source.s3.get_paginator("list_object_versions").paginate(Bucket=self._source.name)
        versions = [
            version
            for page in pages
            for version in page.get("Versions", []) + page.get("DeleteMarkers", [])
            if version["VersionId"] not in self._replicated
        ]
        # LastModified has a resolution of one second; IsLatest puts the newest version of a key last.
        return sorted(versions, key=lambda version: (version["LastModified"], version["IsLatest"]))

    def _copy(self, version: dict[str, Any]) -> None:
        self._destination.s3.copy_object(
            Bucket=self._destination.name,
            Key=version["Key"],
            CopySource={
                "Bucket": self._source.name,
                "Key": version["Key"],
                "VersionId": version["VersionId"],
            },
        )
