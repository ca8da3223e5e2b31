"""Read the state of objects in S3, many in parallel; only a 404 means that an object does not exist."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from .packages import StoredObject, stored_object

if TYPE_CHECKING:
    from .heads import HeadClient

#: Parallel requests.
PARALLEL = 48
#: The smallest number of keys that are worth connections of their own.
MANY = 64

#: An object, None if it does not exist, or the error of the request.
Found = StoredObject | Exception | None
#: Sends HeadObject for a bucket and a key; returns what boto3's ``head_object`` returns.
Head = Callable[[str, str], Mapping[str, Any]]


class Reading(Protocol):
    """An object that is being read, as a future is."""

    def result(self) -> Found:
        """Wait for the object."""


class ObjectReader:
    """Reads a bucket's objects by HeadObject.

    Parameters
    ----------
    s3 : boto3 S3 client
    heads : HeadClient, optional
        Sends HeadObject with less CPU than the client.
    parallel : int, optional
        The number of parallel requests.
    """

    def __init__(self, s3: Any, heads: HeadClient | None = None, parallel: int = PARALLEL) -> None:
        self.s3 = s3
        self.heads = heads
        self.head: Head = self._head if heads is None else heads.head
        self.head_one_of_many: Head = self._head if heads is None else heads.head_one_of_many
        self.pool = ThreadPoolExecutor(parallel)

    def read(self, bucket: str, keys: Sequence[str]) -> list[Found]:
        """Return the object under each key: None if it does not exist, or the error of the request."""
        read = self._read_one(bucket, keys)
        return list(map(read, keys) if len(keys) < 2 else self.pool.map(read, keys))

    def submit(self, bucket: str, keys: Sequence[str]) -> list[Reading]:
        """Begin to read the object under each key; the results are those of :meth:`read`."""
        begun = self.heads.begin(bucket, keys[0]) if self.heads is not None and len(keys) == 1 else None
        if begun is not None:
            read = functools.partial(_read, begun.head, keys[0])
            # The answer to a single request is read by this thread, which costs less than another one.
            return [_Sent(read) if begun.is_sent else self.pool.submit(read)]
        return [self.pool.submit(self._read_one(bucket, keys), key) for key in keys]

    def _read_one(self, bucket: str, keys: Sequence[str]) -> Callable[[str], Found]:
        head = self.head_one_of_many if len(keys) >= MANY else self.head

        return lambda key: _read(lambda: head(bucket, key), key)

    def _head(self, bucket: str, key: str) -> Mapping[str, Any]:
        head: Mapping[str, Any] = self.s3.head_object(Bucket=bucket, Key=key)
        return head


class _Sent:
    """A request that has been sent; its answer is read when it is first needed."""

    def __init__(self, read: Callable[[], Found]) -> None:
        self._read = functools.cache(read)

    def result(self) -> Found:
        return self._read()


def _read(head: Callable[[], Mapping[str, Any]], key: str) -> Found:
    try:
        return stored_object(key, head())
    except ClientError as error:
        return None if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404 else error
    except Exception as error:
        return error
