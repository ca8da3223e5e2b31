"""List a bucket's objects, page by page.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Any

from ..sync.packages import filename_of, guess_name
from .listing import Listing
from .models import Count, ListedObject


def list_objects(s3: Any, bucket: str, prefix: str) -> Iterator[Sequence[ListedObject]]:
    """Yield pages of the objects that may be packages, sorted by key.

    Parameters
    ----------
    s3 : boto3 S3 client
    bucket, prefix : str
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        yield [
            # HeadObject answers in whole seconds.
            ListedObject(filename, stored["Key"], int(stored["LastModified"].timestamp()))
            for stored in page.get("Contents", [])
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
        found.update(name for name in names if name is not None and guess_name(name))
        if "NextContinuationToken" not in page:
            return Count(len(found))
        more = {"ContinuationToken": page["NextContinuationToken"]}
    return Count(len(found), exact=False)


def belongs_to(stored: ListedObject, names: frozenset[str], rows: Listing) -> bool:
    """Return whether an object may belong to some projects, as far as its key and the rows tell."""
    folder = posixpath.basename(posixpath.dirname(stored.key))
    return folder in names or guess_name(stored.filename) in names or rows.has_row(stored.filename)
