"""Compute a project's summary after some of its rows change, without accessing the cache."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

#: A checksum is the sum of its rows' hashes, so that a row can be subtracted without reading the others.
MODULUS = 2**64
#: The attempts after which the index is trusted although it does not match the checksum. An index never lags
#: behind its table for as long as the pauses between them, so another program must have changed a row. All of
#: them must have read the same summary: if it changed meanwhile, the index may still lag behind that change.
PATIENCE = 4


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
    """

    last_modified: datetime.datetime
    summary: str | None
    checksum: int | None
    filename: str | None = None


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


def checksum(rows: Iterable[Any]) -> int:
    """Return the sum of the rows' hashes; zero for no rows."""
    return sum(map(_hash, rows)) % MODULUS


def update_summary(
    before: Summary | None, changes: RowChanges, indexed: Callable[[], Sequence[Any]], repeats: int
) -> SummaryUpdate | None:
    """Return the summary after the changes, or None if the index has to catch up first.

    Parameters
    ----------
    before : Summary or None
        The summary, from a consistent read.
    changes : RowChanges
    indexed : callable
        Returns the name's rows from the index, which may lag behind. It is called only if necessary.
    repeats : int
        The number of immediately preceding attempts that read the same summary.
    """
    update = _without_index(before, changes)
    if update is not None and update.summary is not None:
        return update
    shown = indexed()
    rows = _after(shown, changes)
    newest = _newest(rows)
    if update is not None and newest is None:
        return update
    # A row that the server wrote may be in the index, but not in the checksum: it needs its summary.
    if not (_matches_checksum(before, shown) or _explains(before, newest, changes) or repeats >= PATIENCE):
        return None
    if newest is None:
        return SummaryUpdate(None)
    source = None if any(newest is row for row in changes.added) else newest
    return SummaryUpdate(_summary_of(newest, checksum(rows)), source)


def _without_index(before: Summary | None, changes: RowChanges) -> SummaryUpdate | None:
    """Return the update that follows from the checksum and the changes alone, or None if none does."""
    if before is None:
        if changes.removed or changes.kept or not changes.added:
            return None
        newest = _newest(changes.added)
        return SummaryUpdate(newest and _summary_of(newest, checksum(changes.added)))
    if before.checksum is None or not (changes.removed or changes.added or changes.kept):
        return None
    total = (before.checksum - checksum(changes.removed) + checksum(changes.added)) % MODULUS
    if total == 0:
        return SummaryUpdate(None)
    newest = _newest([*changes.added, *changes.kept])
    if newest is not None and _is_newest(newest, before):
        source = None if any(newest is row for row in changes.added) else newest
        return SummaryUpdate(_summary_of(newest, total), source)
    if all(_is_older(row, before) for row in (*changes.removed, *changes.added)):
        return SummaryUpdate(replace(before, checksum=total))
    return None


def _after(shown: Sequence[Any], changes: RowChanges) -> list[Any]:
    rows = {row.filename: row for row in shown}
    for filename in (*(row.filename for row in changes.removed), *changes.absent):
        rows.pop(filename, None)
    rows.update({row.filename: row for row in (*changes.added, *changes.kept)})
    return list(rows.values())


def _matches_checksum(before: Summary | None, shown: Sequence[Any]) -> bool:
    return before is not None and before.checksum == checksum(shown)


def _explains(before: Summary | None, newest: Any | None, changes: RowChanges) -> bool:
    """Return whether the known rows explain a summary that has no checksum.

    They do if it is no newer than the newest of them, or if it belongs to a row that is removed.
    """
    if before is None:
        return True
    if before.checksum is not None:
        return False
    if any(row.last_modified == before.last_modified for row in changes.removed):
        return True
    return newest is not None and bool(before.last_modified <= newest.last_modified)


def _newest(rows: Iterable[Any]) -> Any | None:
    return max(rows, key=_age, default=None)


def _age(row: Any) -> tuple[datetime.datetime, str]:
    """Return a sort key. S3's times are whole seconds, so the filename orders the files of one release."""
    return row.last_modified, row.filename


def _is_newest(row: Any, before: Summary) -> bool:
    """Return whether a row is newer than the summary's row, or replaces it."""
    if before.filename is None:
        return bool(row.last_modified > before.last_modified)
    return _age(row) >= (before.last_modified, before.filename)


def _is_older(row: Any, before: Summary) -> bool:
    if before.filename is None:
        return bool(row.last_modified < before.last_modified)
    return _age(row) < (before.last_modified, before.filename)


def _summary_of(row: Any, total: int) -> Summary:
    return Summary(row.last_modified, row.summary, total, row.filename)


def _hash(row: Any) -> int:
    # The text counts too: an object may be replaced within a second, and the index still show the old row.
    identity = (
        f"{row.filename}\0{row.last_modified.astimezone(datetime.UTC).isoformat()}\0{row.summary or ''}"
    )
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8])
