"""Patch pypicloud's S3 storage so that a rebuild goes on if a file is deleted while it is listed.

pypicloud 1.3.12 reads the metadata of each listed object. If one has been deleted since, the rebuild ends
with a 404, after it has emptied the cache. The repair can go once pypicloud skips such an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError
from pypicloud.models import Package
from pypicloud.storage.s3 import S3Storage


def apply() -> None:
    """Apply the repair."""
    S3Storage.list = _list


def _list(self: Any, factory: Callable[..., Any] = Package) -> Iterator[Any]:
    """Yield the packages in the bucket."""
    for summary in self.bucket.objects.filter(Prefix=self.bucket_prefix):
        package = existing_package(self, summary.Object(), factory)
        if package is not None:
            yield package


def existing_package(storage: Any, found: Any, factory: Callable[..., Any]) -> Any | None:
    """Return the package in an object, or None if there is none or the object does not exist."""
    try:
        return storage.package_from_object(found, factory)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise
