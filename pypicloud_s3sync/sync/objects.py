"""Look at objects in S3, many at a time: only a 404 means that there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from .packages import StoredObject, stored_object

#: Looks at a time, and those from which on the quicker way pays for connections of its own.
PARALLEL, MANY = 48, 64

#: What a look found: None where S3 has no such object.
Look = StoredObject | None
#: HeadObject of a bucket and a key, as boto3 answers it.
Head = Callable[[str, str], Mapping[str, Any]]


class Looks:
    """Looks at a bucket's objects.

    Parameters
    ----------
    s3 : boto3 S3 client
    many : callable, optional
        Heads.head: a quicker HeadObject, for the looks of a batch.
    """

    def __init__(self, s3: Any, many: Head | None = None) -> None:
        self.s3 = s3
        self.many = many or self._head
        self.pool = ThreadPoolExecutor(PARALLEL)

    def at(self, bucket: str, keys: Sequence[str]) -> list[Look | Exception]:
        """What is there under each key, or the error: whatever the client raises, but for a 404."""
        head = self.many if len(keys) >= MANY else self._head

        def look(key: str) -> Look | Exception:
            try:
                return _look(head, bucket, key)
            except Exception as error:
                return error

        return list(map(look, keys) if len(keys) < 2 else self.pool.map(look, keys))

    def _head(self, bucket: str, key: str) -> Mapping[str, Any]:
        head: Mapping[str, Any] = self.s3.head_object(Bucket=bucket, Key=key)
        return head


def _look(head: Head, bucket: str, key: str) -> Look:
    try:
        return stored_object(key, head(bucket, key))
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise
