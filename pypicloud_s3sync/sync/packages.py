"""Convert objects in S3 to packages, by pypicloud's own rules."""

from __future__ import annotations

import datetime
import logging
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distlib import DistlibException
from pypicloud.models import Package
from pypicloud.util import PackageParseError, normalize_metadata_value, parse_filename

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredObject:
    """An object as S3 holds it now: its identity and its metadata."""

    key: str
    etag: str
    version_id: str | None
    last_modified: datetime.datetime
    metadata: Mapping[str, str]


def stored_object(key: str, head: Mapping[str, Any]) -> StoredObject:
    """Return the object that an answer to HeadObject describes."""
    # Drop empty values: no cache can hold an empty name.
    metadata = {name: value for name, value in head["Metadata"].items() if value}
    return StoredObject(key, head["ETag"], head.get("VersionId"), head["LastModified"], metadata)


def to_package(stored: StoredObject, factory: Any) -> Any | None:
    """Return the package that an object holds, or None if it is not a package.

    This is pypicloud's ``S3Storage.package_from_object``, whose module imports cryptography and smart_open.

    Parameters
    ----------
    stored : StoredObject
    factory : callable
        ``new_package`` of the cache.
    """
    filename = posixpath.basename(stored.key)
    name, version = stored.metadata.get("name"), stored.metadata.get("version")
    if name is None or version is None:
        # Old versions of pypicloud stored no metadata.
        try:
            name, version = parse_filename(filename)
        except (PackageParseError, DistlibException):
            # pypicloud does not catch what distlib raises for a wheel's name.
            LOG.warning("S3 file %s has no package name", stored.key)
            return None
    metadata = Package.read_metadata(stored.metadata)
    return factory(name, version, filename, stored.last_modified, path=stored.key, **metadata)


def keep_text(package: Any, row: Any | None) -> None:
    """Let a package have the texts of its row, if the object's metadata is all that S3 can hold of them.

    pypicloud uploads its metadata in ASCII: a summary ``Größe für Ünïcode`` becomes ``Groe fur Unicode``. The
    row of the server that took the upload has the text itself, which must not be lost.

    Parameters
    ----------
    package : pypicloud.models.Package
        The package in the object; it is changed.
    row : pypicloud.models.Package or None
        The row of its filename.
    """
    if row is None or row.data.get("path", package.data["path"]) != package.data["path"]:
        return
    if in_metadata(row.summary or "") == in_metadata(package.summary or ""):
        package.summary = row.summary
    for name, value in row.data.items():
        if isinstance(value, str) and in_metadata(value) == in_metadata(package.data.get(name, "")):
            package.data[name] = value


def in_metadata(text: str) -> str:
    """Return what the metadata of an object, which is in ASCII, holds of a text."""
    # S3 cuts off the spaces around a header; an emulator, or a storage that is like S3, may not.
    return str(normalize_metadata_value(text)).strip()
