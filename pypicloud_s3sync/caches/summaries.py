"""Compute a project's summary after some of its rows change, without accessing the cache.

A summary knows its newest row and the few that come next, so the newest row can be deleted without reading
the others. It begins to know them when the index agrees with its checksum, and they are used only if they
agree with the rows that change. Otherwise another program may have written a row, and the index decides.
"""

from __future__ import annotations

import datetime
import hashlib
import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

#: A checksum is the sum of its rows' hashes, so that a row can be subtracted without reading the others.
MODULUS = 2**64
#: The attempts after which the index is trusted although it does not match the checksum. An index never lags
#: behind its table for as long as the pauses between them, so another program must have changed a row. All of
#: them must have read the same summary: if it changed meanwhile, the index may still lag behind that change.
PATIENCE = 4
#: The rows that a summary knows beside the newest. Each of them makes the items larger that pypicloud lists.
MAX_OLDER = 3


class KnownRow(NamedTuple):
    """What a summary knows of a row. The order is that of the rows' ages.

    Parameters
    ----------
    last_modified : datetime.datetime
    filename : str
        S3's times are whole seconds, so the filename orders the files of one release.
    hash : int
        The row's part of the checksum.
    """

    last_modified: datetime.datetime
    filename: str
    hash: int


@dataclass(frozen=True)
class Summary:
    """A summary and the checksum of the rows that it covers.

    Parameters
    ----------
    last_modified : datetime.datetime
    summary : str or None
    checksum : int or None
        None if pypicloud wrote the summary.
    filename : str or None
        The newest row's filename, which breaks a tie between rows of the same second; None if not known.
    older : tuple of KnownRow or None
        The rows that come next, the newest first and without a gap; not all of them. None if the index has
        not agreed with the checksum yet: there may be further rows, which the server wrote.
    """

    last_modified: datetime.datetime
    summary: str | None
    checksum: int | None
    filename: str | None = None
    older: tuple[KnownRow, ...] | None = None


@dataclass(frozen=True)
class SummaryUpdate:
    """The summary that a name should have.

    Parameters
    ----------
    summary : Summary or None
        None if the name has no rows any more.
    source : row, optional
        The row that the summary comes from, unless this transaction adds it: it must still exist when the
        summary is written.
    """

    summary: Summary | None
    source: Any | None = None


@dataclass(frozen=True)
class RowChanges:
    """The rows of one name that are removed, added and kept, and the filenames that have no row."""

    removed: Sequence[Any] = ()
    added: Sequence[Any] = ()
    kept: Sequence[Any] = ()
    absent: Sequence[str] = ()

    @property
    def change_checksum(self) -> bool:
        """True if the changes alter the checksum of the rows."""
        return checksum(self.removed) != checksum(self.added)


def checksum(rows: Iterable[Any]) -> int:
    """Return the sum of the rows' hashes; zero for no rows."""
    return sum(map(_hash, rows)) % MODULUS


def update_summary(
    before: Summary | None,
    changes: RowChanges,
    indexed: Callable[[], Sequence[Any]],
    fetch: Callable[[str], Any | None],
    repeats: int,
) -> SummaryUpdate | None:
    """Return the summary after the changes, or None if the index has to catch up first.

    Parameters
    ----------
    before : Summary or None
        The summary, from a consistent read.
    changes : RowChanges
    indexed : callable
        Returns the name's rows from the index, which may lag behind. It is called only if necessary.
    fetch : callable
        Returns the name's row of a filename, from a consistent read. It is called only if necessary.
    repeats : int
        The number of immediately preceding attempts that read the same summary.
    """
    update = _without_index(before, changes, fetch)
    if update is not None and update.summary is not None:
        return update
    shown = indexed()
    rows = _after(shown, changes)
    newest = max(rows, key=_age, default=None)
    if update is not None and newest is None:
        return update
    # A row that the server wrote may be in the index, but not in the checksum: it needs its summary.
    agrees = _matches_checksum(before, shown)
    if not (agrees or _explains(before, newest, changes) or repeats >= PATIENCE):
        return None
    return _update_of(rows, changes, agrees)


def _without_index(
    before: Summary | None, changes: RowChanges, fetch: Callable[[str], Any | None]
) -> SummaryUpdate | None:
    """Return the update that follows from the summary and the changes alone, or None if none does."""
    if before is None:
        if changes.removed or changes.kept or not changes.added:
            return None
        return _update_of(changes.added, changes, agrees=False)
    if before.checksum is None or not (changes.removed or changes.added or changes.kept):
        return None
    total = (before.checksum - checksum(changes.removed) + checksum(changes.added)) % MODULUS
    if total == 0:
        return SummaryUpdate(None)
    known = _known_after(before, changes)
    if not known:
        return None
    newest = known[0]
    older = None if before.older is None else tuple(known[1 : MAX_OLDER + 1])
    row = next((row for row in (*changes.added, *changes.kept) if row.filename == newest.filename), None)
    if row is None:
        if newest == _known(before):
            return SummaryUpdate(replace(before, checksum=total, older=older))
        row = fetch(newest.filename)
        if row is None or _known(row) != newest:
            # Another program has changed the row, and not the summary.
            return None
    return SummaryUpdate(_summary_of(row, total, older), _source(row, changes))


def _known_after(before: Summary, changes: RowChanges) -> list[KnownRow] | None:
    """Return the newest rows after the changes, without a gap, or None if the summary is outdated.

    The list may be empty: then only the index knows which row is the newest.
    """
    if before.filename is None:
        return None
    known = {row.filename: row for row in (_known(before), *(before.older or ()))}
    oldest = min(known.values())
    total = sum(row.hash for row in known.values()) % MODULUS
    is_complete = before.older is not None and total == before.checksum

    def expected(row: KnownRow) -> KnownRow | None:
        """Return what the summary has to know of a row that it covers: it, or nothing of an older one."""
        return row if is_complete or row >= oldest else None

    for row in map(_known, (*changes.removed, *changes.kept)):
        if known.get(row.filename) != expected(row):
            return None
    for row in changes.removed:
        known.pop(row.filename, None)
    added = [_known(row) for row in changes.added]
    if any(filename in known for filename in (*(row.filename for row in added), *changes.absent)):
        return None
    return sorted([*known.values(), *filter(expected, added)], reverse=True)


def _after(shown: Sequence[Any], changes: RowChanges) -> list[Any]:
    rows = {row.filename: row for row in shown}
    for filename in (*(row.filename for row in changes.removed), *changes.absent):
        rows.pop(filename, None)
    rows.update({row.filename: row for row in (*changes.added, *changes.kept)})
    return list(rows.values())


def _matches_checksum(before: Summary | None, shown: Sequence[Any]) -> bool:
    return before is not None and before.checksum == checksum(shown)


def _explains(before: Summary | None, newest: Any | None, changes: RowChanges) -> bool:
    """Return whether the changes explain a summary that is missing or has no checksum.

    One is missing if the name has no rows yet, or if the server deleted it while the index hid rows. One
    without a checksum must be no newer than the newest row, or belong to a row that is removed.
    """
    if before is None:
        return bool(changes.added)
    if before.checksum is not None:
        return False
    if any(row.last_modified == before.last_modified for row in changes.removed):
        return True
    return newest is not None and bool(before.last_modified <= newest.last_modified)


def _update_of(rows: Sequence[Any], changes: RowChanges, agrees: bool) -> SummaryUpdate:
    """Return the summary of rows, which are known to be all rows of the name if the index agrees."""
    if not rows:
        return SummaryUpdate(None)
    newest, *older = heapq.nlargest(MAX_OLDER + 1, rows, key=_age)
    summary = _summary_of(newest, checksum(rows), tuple(map(_known, older)) if agrees else None)
    return SummaryUpdate(summary, _source(newest, changes))


def _source(newest: Any, changes: RowChanges) -> Any | None:
    return None if any(newest is row for row in changes.added) else newest


def _age(row: Any) -> tuple[datetime.datetime, str]:
    return row.last_modified, row.filename


def _known(row: Any) -> KnownRow:
    return KnownRow(row.last_modified, row.filename, _hash(row))


def _summary_of(row: Any, total: int, older: tuple[KnownRow, ...] | None) -> Summary:
    return Summary(row.last_modified, row.summary, total, row.filename, older)


def _hash(row: Any) -> int:
    # The text counts too: an object may be replaced within a second, and the index still show the old row.
    identity = (
        f"{row.filename}\0{row.last_modified.astimezone(datetime.UTC).isoformat()}\0{row.summary or ''}"
    )
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8])
