"""Read the objects of the next batch from S3 while the rows of the current one are written.

What was read is older than the row that it is compared with, as it may be for any handler. The second look
after the write finds what has changed since.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..sync.objects import Found, ObjectReader, Reading


class ReadAhead(ObjectReader):
    """Reads objects, of which the first answer may have been requested before.

    Parameters
    ----------
    reader : ObjectReader
        Its client and its pool are used.
    """

    def __init__(self, reader: ObjectReader) -> None:
        super().__init__(reader.s3, reader.heads)
        self.pool = reader.pool
        self._requested: dict[str, Reading] = {}

    def request(self, bucket: str, keys: Sequence[str]) -> None:
        """Begin to read the objects under some keys."""
        self._requested |= zip(keys, super().submit(bucket, keys), strict=True)

    def read(self, bucket: str, keys: Sequence[str]) -> list[Found]:
        """Return the object under each key: the answer to an earlier request, once, or to a new one."""
        return [future.result() for future in self.submit(bucket, keys)]

    def submit(self, bucket: str, keys: Sequence[str]) -> list[Reading]:
        """Begin to read the objects that were not requested before."""
        requested = [self._requested.pop(key, None) for key in keys]
        rest = [key for key, future in zip(keys, requested, strict=True) if future is None]
        begun = iter(super().submit(bucket, rest))
        return [next(begun) if future is None else future for future in requested]
