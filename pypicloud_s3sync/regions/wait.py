"""Wait until a region can serve a file: its object, its row, and its project's list of files agree."""

from __future__ import annotations

import enum
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..caches.base import RowKey, Snapshot
from ..reconcile.bucket import list_objects
from ..reconcile.scans.base import Scan
from ..sync.filenames import guess_name, possible_names
from ..sync.packages import StoredObject, to_package
from ..sync.pending import listed_keys
from .differences import says
from .models import Region
from .survey import described

#: Seconds between two looks: the first pause, how much longer each one is than the one before, the longest.
FIRST, FACTOR, LONGEST = 0.5, 1.5, 5.0


class State(enum.StrEnum):
    """Whether a region can serve a file; if not, what lacks it."""

    AVAILABLE = "available"
    #: No object: it was not uploaded, or not replicated.
    NOT_IN_BUCKET = "not_in_bucket"
    #: An object, but no row.
    NOT_IN_CACHE = "not_in_cache"
    #: A row that does not match the object, for example of an earlier upload.
    STALE = "stale"
    #: A row that the cache does not list among the files of its project.
    NOT_LISTED = "not_listed"


@dataclass(frozen=True)
class Look:
    """What was seen of a file.

    Parameters
    ----------
    state : State
    key : str
        The key of its object; if there is none, the key under which pypicloud would upload it.
    name : str
        The name of its project.
    """

    state: State
    key: str
    name: str


def is_filename(text: str) -> bool:
    """Return whether a text can be the filename of a package, which pypicloud can upload."""
    return "/" not in text and "\\" not in text and bool(guess_name(text))


def wait(
    look: Callable[[], Look],
    timeout: float,
    report: Callable[[Look], None],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Look:
    """Look until the file is available, or the time is over; return the last look.

    Parameters
    ----------
    look : callable
        Returns what there is to see of the file.
    timeout : float
        Seconds.
    report : callable
        Receives each look.
    clock, pause : callable, optional
        Return the time, and wait, in seconds.

    Raises
    ------
    Exception
        The error of the first look. A later one may pass, so it is raised only if the time is over.
    """
    deadline, seconds, looked = clock() + timeout, FIRST, False
    while True:
        left = deadline - clock()
        try:
            seen = look()
            looked = True
            report(seen)
            if seen.state is State.AVAILABLE or left <= 0:
                return seen
        except Exception:
            if not looked or left <= 0:
                raise
        # The last look is at the deadline.
        pause(max(0.0, min(seconds, deadline - clock())))
        seconds = min(LONGEST, FACTOR * seconds)


def look_at(region: Region, scan: Scan, filename: str, keys: Sequence[str]) -> Look:
    """Return what a region has of a file at this moment.

    Parameters
    ----------
    region : Region
    scan : Scan
        Lists the region's cache.
    filename : str
    keys : sequence of str
        The keys at which its object may be, besides those that its row names.

    Raises
    ------
    Exception
        The error of S3 or of the cache if one of them could not be read.
    """
    adapter, name = region.syncer.adapter, str(guess_name(filename))
    snapshot: Any = adapter.read([RowKey(filename, name)])[filename]
    if not isinstance(snapshot, Snapshot):
        raise snapshot
    row = snapshot.row
    stored = _objects(region, listed_keys(row)) or _objects(region, keys)
    if row is None or not stored:
        state = State.NOT_IN_CACHE if stored else State.NOT_IN_BUCKET
        return Look(state, stored[0].key if stored else keys[0], name)
    serving = _served(row, stored)
    if serving is None:
        return Look(State.STALE, stored[0].key, row.name)
    listed = _is_listed(scan, filename, row.name)
    return Look(State.AVAILABLE if listed else State.NOT_LISTED, serving.key, row.name)


def usual_keys(filename: str, prefix: str) -> Iterator[str]:
    """Yield the keys under which pypicloud may have uploaded a file: its ``calculate_path``."""
    start = hashlib.md5(filename.encode(), usedforsecurity=False).hexdigest()[:4]
    for name in dict.fromkeys([guess_name(filename), *possible_names(filename)]):
        # With storage.prepend_hash, and without it.
        yield f"{prefix}{start}/{name}/{filename}"
        yield f"{prefix}{name}/{filename}"
    yield f"{prefix}{filename}"


def find_key(
    region: Region, filename: str, seconds: float, clock: Callable[[], float] = time.monotonic
) -> str | None:
    """Return the key of a file that is not at its usual keys; None if it is not found in some seconds."""
    deadline = clock() + seconds
    for page in list_objects(region.s3, region.bucket, region.prefix):
        found = next((stored.key for stored in page.objects if stored.filename == filename), None)
        if found is not None or clock() > deadline:
            return found
    return None


def _objects(region: Region, keys: Sequence[str]) -> list[StoredObject]:
    """Return the objects that exist under some keys, the newest first."""
    found = region.syncer.reader.read(region.bucket, keys) if keys else []
    for answer in found:
        if isinstance(answer, Exception):
            raise answer
    stored = [answer for answer in found if isinstance(answer, StoredObject)]
    return sorted(stored, key=lambda it: (it.last_modified, it.key), reverse=True)


def _served(row: Any, stored: Iterable[StoredObject]) -> StoredObject | None:
    """Return the object that the server serves for a row, if the row says what that object says.

    pip compares the hash in the row with the file. The row of the server that took the upload has its own
    time, so the times count only if there is no hash.
    """
    path = row.data.get("path")
    found = next((it for it in stored if path in (None, it.key)), None)
    package = None if found is None else to_package(found, type(row))
    if package is None:
        return None
    of_row, of_object = described(row), described(package)
    if not says(of_row, of_object):
        return None
    is_known = of_row.sha256 is not None and of_object.sha256 is not None
    return found if is_known or row.last_modified >= package.last_modified else None


def _is_listed(scan: Scan, filename: str, name: str) -> bool:
    """Return whether the cache lists a file among those of its project, and the project itself."""
    if not any(row.filename == filename for page in scan.rows([name]) for row in page):
        return False
    if not scan.has_names:
        return True
    listed = [it for page in scan.names([name]) for it in page]
    return any(it.complete and it.modified is not None for it in listed)
