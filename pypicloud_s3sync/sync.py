"""Make the cache say what S3 holds, one key at a time.

S3 delivers events at least once, late and in any order, so :meth:`Syncer.converge` believes none of them:
it looks at the key in S3, makes the cache say what it saw, and looks again. The second look is what makes
it safe beside other handlers of the same key: whoever writes the cache last has looked at S3 after that
write, and any later change in S3 brings an event of its own. S3 has been strongly consistent since 2020:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
"""

from __future__ import annotations

import datetime
import logging
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from distlib import DistlibException
from pypicloud.storage.s3 import S3Storage

from .caches import CacheIndex, Clearance
from .exceptions import S3SyncError

LOG = logging.getLogger(__name__)
#: How often an object may change under our eyes before its event is left to Lambda's own retry.
ATTEMPTS = 5


@dataclass(frozen=True)
class StoredObject:
    """An object as S3 holds it now: who it is, and its metadata."""

    key: str
    etag: str
    version_id: str | None
    last_modified: datetime.datetime
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What became of one key.

    Parameters
    ----------
    action : str
        ``saved``, ``cleared`` or ``ignored``.
    name : str
        The filename that was saved or cleared, the key that was ignored.
    """

    action: str
    name: str


class Syncer:
    """Converges a cache on a bucket.

    Parameters
    ----------
    s3 : boto3 S3 client
    index : CacheIndex
        The cache, as it is read and written here.
    bucket : str or None
        The only bucket whose keys are looked at; None for any, as for a function that was built by hand.
    prefix : str
        ``storage.prefix``: keys elsewhere are none of ours.
    """

    def __init__(self, s3: Any, index: CacheIndex, bucket: str | None, prefix: str = "") -> None:
        self.s3 = s3
        self.index = index
        self.bucket = bucket
        self.prefix = prefix

    def converge(self, bucket: str, key: str) -> Outcome:
        """Make the cache say what S3 holds under a key.

        Raises
        ------
        S3SyncError
            The object kept changing; its last change brings an event of its own.
        Exception
            Whatever S3 or the cache raise: nothing but a 404 of S3 means that the object is absent.
        """
        if self.bucket not in (None, bucket) or not key.startswith(self.prefix) or key.endswith("/"):
            return Outcome("ignored", key)
        seen = self._look(bucket, key)
        for _ in range(ATTEMPTS):
            outcome, written = self._write(key, seen)
            if not written:
                return outcome
            now = self._look(bucket, key)
            if now == seen:
                return outcome
            seen = now
        raise S3SyncError(
            f"s3://{bucket}/{key} changed at each of {ATTEMPTS} looks: it is left to the next event"
        )

    def _look(self, bucket: str, key: str) -> StoredObject | None:
        try:
            head = self.s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        # An empty name is none: no cache could hold it.
        metadata = {name: value for name, value in head["Metadata"].items() if value}
        return StoredObject(key, head["ETag"], head.get("VersionId"), head["LastModified"], metadata)

    def _write(self, key: str, seen: StoredObject | None) -> tuple[Outcome, bool]:
        """Make the cache say ``seen``; also whether that wrote anything."""
        package = None if seen is None else to_package(seen, self.index.cache.new_package)
        if package is not None:
            self.index.save(package)
            return Outcome("saved", package.filename), True
        filename = posixpath.basename(key)
        clearance = self.index.clear(filename, key)
        if seen is not None or clearance is Clearance.ANOTHER_KEY:
            return Outcome("ignored", key), clearance is Clearance.CLEARED
        return Outcome("cleared", filename), clearance is Clearance.CLEARED


def to_package(stored: StoredObject, factory: Any) -> Any | None:
    """The package that an object is, by pypicloud's own rules; None where it is none.

    Parameters
    ----------
    stored : StoredObject
    factory : callable
        ``new_package`` of the cache.
    """
    try:
        return S3Storage.package_from_object(stored, factory)
    except DistlibException:
        # pypicloud catches its own PackageParseError, but not what distlib says of a wheel's name.
        LOG.warning("S3 file %s has no package name", stored.key)
        return None
