"""List a bucket's objects, page by page.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import datetime
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ..sync.keys import filename_of
from .listing import Listing
from .models import Count, ListedObject


class Page(NamedTuple):
    """Objects that may be packages, sorted by key, and the time of S3, in seconds since 1970, if known."""

    objects: Sequence[ListedObject]
    time: int | None


def list_objects(s3: Any, bucket: str, prefix: str) -> Iterator[Page]:
    """Yield the pages of a bucket.

    Parameters
    ----------
    s3 : boto3 S3 client
    bucket, prefix : str
    """
    for page in _pages(s3, bucket, prefix):
        yield Page(listed_objects(page.get("Contents", []), prefix), _time(page))


def list_page(s3: Any, bucket: str, prefix: str, after: str, size: int) -> tuple[Page, str]:
    """Return the objects of the next keys after one, and the last of these keys; none if no others follow.

    Parameters
    ----------
    s3 : boto3 S3 client
    bucket, prefix : str
    after : str
        A key; empty for the beginning.
    size : int
        The most keys.
    """
    start = {"StartAfter": after} if after else {}
    page = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=size, **start)
    contents = page.get("Contents", [])
    last = contents[-1]["Key"] if page.get("IsTruncated") else ""
    return Page(listed_objects(contents, prefix), _time(page)), last


def _time(page: Mapping[str, Any]) -> int | None:
    """Return the time at which S3 answered."""
    date = page.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except ValueError:
        return None


def listed_objects(page: Iterable[Any], prefix: str) -> list[ListedObject]:
    """Return the objects that may be packages, from the contents of a page as S3 lists them."""
    return [
        ListedObject(
            filename,
            stored["Key"],
            # HeadObject answers in whole seconds.
            int(stored["LastModified"].timestamp()),
            stored.get("Size", 0),
            identity(stored["ETag"], stored["LastModified"]),
        )
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
        contents = page.get("Contents", [])
        yield [(stored["Key"], identity(stored["ETag"], stored["LastModified"])) for stored in contents]


def identity(etag: str, modified: datetime.datetime) -> str:
    """Return a text that tells an object from its earlier versions, from a listing or from HeadObject."""
    return f"{etag} {int(modified.timestamp())}"


def _pages(s3: Any, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    yield from s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)


def belongs_to(stored: ListedObject, names: frozenset[str], rows: Listing) -> bool:
    """Return whether an object may belong to some projects, as far as its key and the rows tell."""
    folder = posixpath.basename(posixpath.dirname(stored.key))
    return folder in names or _guess_name(stored.filename) in names or rows.has_row(stored.filename)


def _guess_name(filename: str) -> str | None:
    # Imported here, because it imports distlib, and a bucket may be empty.
    from ..sync.filenames import guess_name

    return guess_name(filename)
