"""Upload, overwrite and delete a test package, and measure how long the cache takes to show each change.

The package is written by the server's own storage class, below ``storage.prefix``, so that S3, the rules of
replication and the functions of all regions treat it as any other. No list of projects shows it: see
:mod:`pypicloud_s3sync.caches.canary`. Whatever happens, it is deleted in the end. A run that was killed
leaves it to the next one.

A bucket that keeps versions would keep two of the canary's. They are deleted for good, but not the delete
marker if a rule replicates the packages: the marker is what deletes the canary in the other regions, and the
deletion of a version is not replicated:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-marker-replication.html
"""

from __future__ import annotations

import io
import secrets
import signal
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pypicloud.models import Package

from ..caches.base import CacheAdapter, RowKey, Snapshot
from ..caches.canary import NAME
from ..deploy.aws.denials import is_denied
from ..deploy.aws.errors import translated
from ..deploy.cache.local_cache import unreachable
from ..deploy.models import Progress, Reporter
from ..exceptions import AwsError, S3SyncError
from ..reconcile.scans import scan_of
from ..sync.converge import Syncer
from ..sync.objects import ObjectReader
from .models import Finding, failed, ok
from .unread import statement

#: Seconds to wait for each step, and between two looks at the cache.
TIMEOUT, INTERVAL = 120.0, 0.2
#: Seconds to wait until the function has removed the row of an interrupted canary.
TIMEOUT_OF_CLEANUP = 20.0
#: A canary that is older, in seconds, is no longer that of another run.
ABANDONED = 3600
STEPS = ("upload", "overwrite", "delete")
_DONE = {"upload": "uploaded", "overwrite": "overwritten", "delete": "deleted"}


@dataclass(frozen=True)
class Place:
    """Where a canary is sent through.

    Parameters
    ----------
    storage : pypicloud.storage.s3.S3Storage
        The server's storage, which decides the key.
    s3 : boto3 S3 client
    bucket, prefix : str
    adapter : CacheAdapter
        The server's cache.
    replicates : bool
        Whether a rule replicates the packages.
    endpoint_url : str or None
        The URL of an emulator.
    log_group : str
        Where the function logs its errors.
    """

    storage: Any
    s3: Any
    bucket: str
    prefix: str
    adapter: CacheAdapter
    replicates: bool
    endpoint_url: str | None
    log_group: str


class LateError(S3SyncError):
    """The cache does not show a step of the canary in time."""


class Canary:
    """A package that is sent through once.

    Parameters
    ----------
    place : Place
    report : callable, optional
        Receives the progress.
    timeout : float, optional
        Seconds to wait for each step.
    clock, pause : callable, optional
        Return the time and wait, in seconds.
    """

    def __init__(
        self,
        place: Place,
        report: Reporter = lambda progress: None,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.place, self.report, self.timeout = place, report, timeout
        self.clock, self.pause = clock, pause
        # Several hosts may send one at the same time.
        self.version = f"0.{int(time.time())}.{secrets.randbelow(10**6)}"
        self.filename = f"{NAME}-{self.version}.tar.gz"
        self.key = str(place.storage.get_path(self._package("")))
        self._deleted = True

    def send(self) -> Finding:
        """Send the canary through and remove every trace of it; return how long each step took."""
        seconds: dict[str, float] = {}
        left: list[str] = []
        try:
            try:
                with _interrupted_by_termination():
                    self._remove_abandoned()
                    for step in STEPS:
                        seconds[step] = self._take(step)
            finally:
                with _uninterrupted():
                    left = self._clean_up()
        except LateError as error:
            remedy = f"see the other checks, and the errors in the log group {self.place.log_group}"
            return failed(_joined(str(error), _times(seconds), *left), remedy)
        except AwsError as error:
            remedy = (statement(error) if is_denied(error) else "") or "remove the cause, then run it again"
            return failed(_joined(str(error), *left), remedy)
        except Exception as error:
            if not self.place.adapter.is_unreachable(error):
                raise
            return failed(_joined(str(unreachable(error)), *left), "see the check of the cache")
        return ok(_joined(f"{_times(seconds)} ({self.filename})", *left))

    def _take(self, step: str) -> float:
        """Take a step; return the seconds until the cache showed it."""
        message = f"waiting until the cache shows the canary {_DONE[step]}"
        self.report(Progress(f"canary {step}", "running", message))
        started = self.clock()
        if step == "delete":
            self._delete()
        else:
            self._upload(step)
        wanted = None if step == "delete" else step
        if not self._wait(wanted, self.timeout):
            raise LateError(
                f"s3://{self.place.bucket}/{self.key} was {_DONE[step]}, but the cache did not show it within"
                f" {self.timeout:.0f} s"
            )
        seconds = self.clock() - started
        self.report(Progress(f"canary {step}", "done", f"canary {_DONE[step]} in {seconds:.1f} s"))
        return seconds

    def _package(self, step: str) -> Package:
        return Package(NAME, self.version, self.filename, summary=step)

    def _upload(self, step: str) -> None:
        # It may have been written although the response was lost.
        self._deleted = False
        with self._storage("s3:PutObject"):
            self.place.storage.upload(self._package(step), io.BytesIO(_sdist(self.version, step)))

    def _delete(self) -> None:
        with self._storage("s3:DeleteObject"):
            self.place.storage.delete(self._package(""))
        self._deleted = True

    @contextmanager
    def _storage(self, action: str) -> Iterator[None]:
        """Turn the errors of pypicloud's storage, and of the library that it uploads with, into AwsError."""
        try:
            yield
        except (BotoCoreError, ClientError, ValueError, OSError) as error:
            cause = error if isinstance(error, BotoCoreError | ClientError) else error.__cause__
            if not isinstance(cause, BotoCoreError | ClientError):
                raise
            resource = f"s3://{self.place.bucket}/{self.key}"
            with translated(action, resource, self.place.endpoint_url):
                raise cause from error

    def _wait(self, summary: str | None, timeout: float) -> bool:
        """Wait until the cache has the row with this summary, or no row; return whether it has."""
        deadline = self.clock() + timeout
        while self._summary() != summary:
            if self.clock() > deadline:
                return False
            self.pause(INTERVAL)
        return True

    def _summary(self) -> str | None:
        (found,) = self.place.adapter.read([RowKey(self.filename, NAME)]).values()
        if not isinstance(found, Snapshot):
            raise found
        return None if found.row is None else str(found.row.summary)

    def _clean_up(self) -> list[str]:
        """Delete the canary if that has not been done, its row and its versions; return what stays."""
        self.report(Progress("canary clean-up", "running", "removing every trace of the canary"))
        left = []
        if not self._deleted:
            try:
                self._delete()
            except AwsError as error:
                place = f"s3://{self.place.bucket}/{self.key}"
                return [f"{place} could not be deleted: delete it by hand ({error})"]
        try:
            if not self._wait(None, TIMEOUT_OF_CLEANUP):
                self._converge(self.key)
        except Exception as error:
            left.append(
                f"the row of {self.filename} could not be removed ({type(error).__name__}: {error}):"
                " run ppc-s3sync reconcile"
            )
        left += self._delete_versions(self.key)
        self.report(Progress("canary clean-up", "done", "removed the canary"))
        return left

    def _converge(self, key: str) -> None:
        """Remove the row from here, as the function would."""
        place = self.place
        syncer = Syncer(ObjectReader(place.s3), place.adapter, place.bucket, place.prefix)
        for outcome in syncer.converge(place.bucket, [key]).values():
            if isinstance(outcome, Exception):
                raise outcome

    def _delete_versions(self, key: str) -> list[str]:
        """Delete the versions of a key for good; return what stays, and why."""
        place, resource = self.place, f"s3://{self.place.bucket}/{key}"
        try:
            with translated("s3:ListBucketVersions", resource, place.endpoint_url):
                found = place.s3.list_object_versions(Bucket=place.bucket, Prefix=key)
            # The marker last: without it, a version that is left would be the current one.
            markers = [] if place.replicates else found.get("DeleteMarkers", [])
            for version in (*found.get("Versions", []), *markers):
                if version["Key"] == key and version["VersionId"] != "null":
                    with translated("s3:DeleteObjectVersion", resource, place.endpoint_url):
                        place.s3.delete_object(Bucket=place.bucket, Key=key, VersionId=version["VersionId"])
        except AwsError as error:
            allow = statement(error) if is_denied(error) else ""
            return [f"its noncurrent versions stay in the bucket: {error}{f' ({allow})' if allow else ''}"]
        return []

    def _remove_abandoned(self) -> None:
        """Remove what a run that was killed has left."""
        for page in scan_of(self.place.adapter).rows(frozenset({NAME})):
            for row in page:
                age = time.time() - row.modified / 1e6
                if row.filename == self.filename or row.key is None or age < ABANDONED:
                    continue
                package = Package(row.name, "0", row.filename, path=row.key)
                with self._storage("s3:DeleteObject"):
                    self.place.storage.delete(package)
                self._converge(row.key)
                self._delete_versions(row.key)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _times(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{_DONE[step]} in {passed:.1f} s" for step, passed in seconds.items())


def _sdist(version: str, step: str) -> bytes:
    """Return a valid source distribution without any code."""
    metadata = (
        f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n"
        f"Summary: Sent through by ppc-s3sync doctor --canary ({step})\n"
    )
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"{NAME}-{version}/PKG-INFO")
        member.size = len(metadata)
        archive.addfile(member, io.BytesIO(metadata.encode()))
    return data.getvalue()


@contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """Let SIGTERM, by which a CI server cancels a job, end the block as Ctrl-C does, so that it cleans up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with _handler(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let a second Ctrl-C not stop the clean-up, which takes some seconds."""
    with _handler(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _handler(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    """Handle signals during a block, if this is the main thread: no other one may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
