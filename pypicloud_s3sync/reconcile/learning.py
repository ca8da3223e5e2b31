"""Tell what the objects of a file are, from the answers of S3 and the row that follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..sync.packages import StoredObject
from ..sync.pending import listed_keys
from .bucket import identity
from .models import Known
from .scans.base import SHA256
from .spelling import is_spelled


def unspelled(
    filename: str, objects: Sequence[StoredObject], wanted: Any | None
) -> Iterator[tuple[Known, int]]:
    """Yield what only the metadata of some objects says, with the time of each in seconds since 1970.

    Parameters
    ----------
    filename : str
    objects : sequence of StoredObject
        The objects of the file that were read.
    wanted : pypicloud.models.Package or None
        The row of the file that follows from its objects; None for no row.
    """
    packages = listed_keys(wanted)
    for stored in objects:
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
