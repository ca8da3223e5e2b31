"""Tell what the objects of a file are, from the answers of S3 and the row that follows from them."""

from __future__ import annotations

from collections.abc import Iterator

from ..sync.pending import PendingFile, listed_keys
from .bucket import identity
from .models import Known
from .scans.base import SHA256
from .spelling import is_spelled


def unspelled(file: PendingFile) -> Iterator[tuple[Known, int]]:
    """Yield what only the metadata of a file's objects says, with the time of each in seconds since 1970.

    Parameters
    ----------
    file : PendingFile
        A file that is done: its objects were read, and its row follows from them.
    """
    filename, wanted = file.filename, file.wanted
    packages = listed_keys(wanted)
    for stored in filter(None, file.objects.values()):
        modified = int(stored.last_modified.timestamp())
        known = Known(stored.key, identity(stored.etag, stored.last_modified))
        if stored.key not in packages:
            yield known, modified
        elif (
            wanted is not None
            and stored.key == packages[0]
            and not is_spelled(filename, stored.key, wanted.name, wanted.version)
        ):
            sha256 = wanted.data.get(SHA256)
            known = known._replace(
                name=wanted.name, version=wanted.version, summary=wanted.summary or "", sha256=sha256
            )
            yield known, modified
