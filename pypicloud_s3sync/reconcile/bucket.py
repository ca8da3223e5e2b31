"""List a bucket's objects, page by page.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import datetime
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..sync.keys import filename_of
from .listing import Listing
from .models import Count, ListedObject


def list_objects(s3: Any, bucket: str, prefix: str) -> Iterator[Sequence[ListedObject]]:
    """Yield pages of the objects that may be packages, sorted by key.

    Parameters
    ----------
    s3 : boto3 S3 client
    bucket, prefix : str
    """
    for page in _pages(s3, bucket, prefix):
        yield listed_objects(page, prefix)


def listed_objects(page: Iterable[Any], prefix: str) -> list[ListedObject]:
    """Return the objects that may be packages, from the contents of a page as S3 lists them."""
    return [
        # HeadObject answers in whole seconds.
        ListedObject(filename, stored["Key"], int(stored["LastModified"].timestamp()), stored.get("Size", 0))
        for stored in page
        if (filename := filename_of(stored["Key"], prefix)) is not None
    ]


def count_packages(s3: Any, bucket: str, prefix: str, most: int) -> Count:
    """Return how many files of a bucket can be packages; after some pages of 1,000 keys, it stops to count.

    Parameters
    ----------
    s3 : boto3 S3 client
    bucket, prefix : str
    most : int
        The number of pages.
    """
    found: set[str] = set()
    more: dict[str, str] = {}
    for _ in range(most):
        page = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, **more)
        names = (filename_of(stored["Key"], prefix) for stored in page.get("Contents", []))
        found.update(name for name in names if name is not None and _guess_name(name))
        if "NextContinuationToken" not in page:
            return Count(len(found))
        more = {"ContinuationToken": page["NextContinuationToken"]}
    return Count(len(found), exact=False)


def list_identities(s3: Any, bucket: str, prefix: str) -> Iterator[Sequence[tuple[str, str]]]:
    """Yield pages of the keys with the identities of their objects."""
    for page in _pages(s3, bucket, prefix):
        yield [(stored["Key"], identity(stored["ETag"], stored["LastModified"])) for stored in page]


def identity(etag: str, modified: datetime.datetime) -> str:
    """Return a text that tells an object from its earlier versions, from a listing or from HeadObject."""
    return f"{etag} {int(modified.timestamp())}"


def _pages(s3: Any, bucket: str, prefix: str) -> Iterator[Sequence[Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield page.get("Contents", [])


def belongs_to(stored: ListedObject, names: frozenset[str], rows: Listing) -> bool:
    """Return whether an object may belong to some projects, as far as its key and the rows tell."""
    folder = posixpath.basename(posixpath.dirname(stored.key))
    return folder in names or _guess_name(stored.filename) in names or rows.has_row(stored.filename)


def _guess_name(filename: str) -> str | None:
    # Imported here, because it imports distlib, and a bucket may be empty.
    from ..sync.filenames import guess_name

    return guess_name(filename)
