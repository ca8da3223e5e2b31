"""Where an object in S3 becomes a package, by pypicloud's own rules."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distlib import DistlibException
from pypicloud.storage.s3 import S3Storage
from pypicloud.util import PackageParseError, normalize_name, parse_filename

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredObject:
    """An object as S3 holds it now: who it is, and its metadata."""

    key: str
    etag: str
    version_id: str | None
    last_modified: datetime.datetime
    metadata: Mapping[str, str]


def stored_object(key: str, head: Mapping[str, Any]) -> StoredObject:
    """The object that an answer to HeadObject describes."""
    # An empty name is none: no cache could hold it.
    metadata = {name: value for name, value in head["Metadata"].items() if value}
    return StoredObject(key, head["ETag"], head.get("VersionId"), head["LastModified"], metadata)


def to_package(stored: StoredObject, factory: Any) -> Any | None:
    """The package that an object is; None where it is none.

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


def guess_name(filename: str) -> str | None:
    """The name in a filename, for looking only: a filename can be split wrongly."""
    try:
        # Of a wheel, it comes as distlib has it: My_Pkg.
        return str(normalize_name(parse_filename(filename)[0]))
    except (PackageParseError, DistlibException):
        return None
