"""Read S3 again after the cache was written: by one listing of the bucket for all objects.

A handler reads each object again after it has written its row (:mod:`..sync.converge`). For a large part of a
bucket, a listing answers the same question with a thousandth of the requests. If a reconciliation is killed
before that, the next one finds a row that is outdated, because its time is not that of the listed object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..sync.packages import StoredObject
from ..sync.pending import PendingFile
from .bucket import identity, list_identities
from .listing import Listing
from .models import Difference

#: The fewest files for which a listing is worthwhile, and the objects of a bucket for each of them.
FEWEST, OBJECTS = 500, 10


def is_worthwhile(files: int, objects: int) -> bool:
    """Return whether a listing of all objects is faster than a HeadObject for each of some files.

    A page of a thousand objects takes as long as about a hundred parallel HeadObject requests.
    """
    return files >= FEWEST and files * OBJECTS >= objects


class SecondLook:
    """Notes which objects the written rows are of, and tells later which of them have changed.

    Parameters
    ----------
    listing : Listing
        Keeps the notes.
    """

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def note(self, bucket: str, written: Iterable[PendingFile]) -> None:
        """Take files whose row has been written, as :attr:`.Syncer.second_look`; they count as done."""
        for file in written:
            file.done = True
            self._listing.add_written(
                (key, file.filename, _identity(stored)) for key, stored in file.objects.items()
            )

    def changed(self, s3: Any, bucket: str, prefix: str) -> Sequence[Difference]:
        """Return the files of which an object has changed since it was read."""
        for page in list_identities(s3, bucket, prefix):
            self._listing.confirm(page)
        return self._listing.unconfirmed()


def _identity(stored: StoredObject | None) -> str | None:
    # A listing has no version ID. Without it, only an object of the same second and content looks the same.
    return None if stored is None else identity(stored.etag, stored.last_modified)
