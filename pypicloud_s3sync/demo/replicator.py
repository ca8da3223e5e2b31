"""Replicate among buckets as S3 does, by the replication rules that it finds in them.

The replicas of the emulator fire no notifications, which the demo is about, so :mod:`.emulator` has none and
this module copies through S3's API. It polls the versions of each bucket, because a notification of its own
could overlap that of S3 sync.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..deploy.replication.rules import destination_of, has_tags, prefix_of

#: Seconds between two looks at the buckets. Ten a second would take a tenth of a core while a demo stays.
INTERVAL = 0.5


@dataclass(frozen=True)
class Bucket:
    """A bucket and a client of its region, with the versions that need no replication."""

    s3: Any
    name: str
    seen: set[str] = field(default_factory=set)

    def rules(self) -> list[dict[str, Any]]:
        """Return the bucket's enabled replication rules."""
        try:
            found = self.s3.get_bucket_replication(Bucket=self.name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ReplicationConfigurationNotFoundError":
                return []
            raise
        rules = found["ReplicationConfiguration"]["Rules"]
        return [rule for rule in rules if rule["Status"] == "Enabled"]

    def new_versions(self) -> list[dict[str, Any]]:
        """Return the versions and delete markers that have not been seen yet, oldest first."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.name)
        versions = [
            version
            for page in pages
            for version in page.get("Versions", []) + page.get("DeleteMarkers", [])
            if version["VersionId"] not in self.seen
        ]
        # LastModified has a resolution of one second; IsLatest puts the newest version of a key last.
        return sorted(versions, key=lambda version: (version["LastModified"], version["IsLatest"]))

    def see(self, versions: Sequence[Mapping[str, Any]]) -> None:
        """Remember versions that need no replication any more."""
        self.seen.update(version["VersionId"] for version in versions)


class Replicator:
    """Replicates among some buckets in the background, during a ``with`` block.

    Parameters
    ----------
    buckets : sequence of Bucket
        Rules to other buckets are ignored.
    """

    def __init__(self, buckets: Sequence[Bucket]) -> None:
        self._buckets = {bucket.name: bucket for bucket in buckets}
        #: The buckets whose rules have been found. S3 does not replicate what was there before.
        self._replicating: set[str] = set()
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
                self.replicate()
            except (ClientError, BotoCoreError) as error:
                self.error = str(error)

    def replicate(self) -> None:
        """Replicate what is new in each bucket."""
        for source in self._buckets.values():
            rules = source.rules()
            if not rules:
                self._replicating.discard(source.name)
            elif source.name not in self._replicating:
                source.see(source.new_versions())
                self._replicating.add(source.name)
            else:
                for version in source.new_versions():
                    self._replicate_version(source, version, rules)
                    source.see([version])

    def _replicate_version(
        self, source: Bucket, version: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]
    ) -> None:
        for rule in _applying(rules, version["Key"]):
            destination = self._buckets.get(destination_of(rule))
            if destination is None:
                continue
            if "Size" in version:
                replica = _copy(source, destination, version)
            elif rule.get("DeleteMarkerReplication", {}).get("Status") == "Enabled":
                replica = destination.s3.delete_object(Bucket=destination.name, Key=version["Key"])
            else:
                continue
            # S3 does not replicate a replica again.
            destination.see([replica])


def _applying(rules: Sequence[Mapping[str, Any]], key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the rule for each destination of a key: of several, that with the highest priority."""
    matching = [rule for rule in rules if key.startswith(prefix_of(rule)) and not has_tags(rule)]
    by_priority = sorted(matching, key=lambda rule: int(rule.get("Priority", 0)))
    yield from {destination_of(rule): rule for rule in by_priority}.values()


def _copy(source: Bucket, destination: Bucket, version: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a version, and return the answer, which has the id of the copy."""
    copied: dict[str, Any] = destination.s3.copy_object(
        Bucket=destination.name,
        Key=version["Key"],
        CopySource={"Bucket": source.name, "Key": version["Key"], "VersionId": version["VersionId"]},
    )
    return copied
