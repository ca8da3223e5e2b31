"""What the summary of a name is to be when some of its rows change; values in, values out."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

#: A checksum is the sum of its rows' hashes, so that a row can be taken out of it without the others.
MODULUS = 2**64
#: Looks after which the index is believed although it does not add up: by then the pauses between them are
#: well beyond what an index lags behind its table, and somebody else must have changed a row.
PATIENCE = 4


@dataclass(frozen=True)
class Summary:
    """A summary and the checksum of the rows that it stands for.

    Parameters
    ----------
    last_modified : datetime.datetime
    summary : str or None
    checksum : int or None
        None where pypicloud wrote it.
    filename : str or None
        That of its row, among those of the same second; None where that is not known.
    """

    last_modified: datetime.datetime
    summary: str | None
    checksum: int | None
    filename: str | None = None


@dataclass(frozen=True)
class Settled:
    """A name's summary as it is to be.

    Parameters
    ----------
    summary : Summary or None
        None where the name has no rows any more.
    source : row, optional
        The row that it is taken from, where that is none of the ones that change: it has to be there still.
    """

    summary: Summary | None
    source: Any | None = None


@dataclass(frozen=True)
class RowChanges:
    """What happens to rows of one name: those that go, those that come, those that stay as they are."""

    removed: Sequence[Any] = ()
    added: Sequence[Any] = ()
    kept: Sequence[Any] = ()


def checksum(rows: Iterable[Any]) -> int:
    """The sum of the rows' hashes: zero for none."""
    return sum(map(_hash, rows)) % MODULUS


def settle(
    before: Summary | None, changes: RowChanges, indexed: Callable[[], Sequence[Any]], look: int
) -> Settled | None:
    """The summary after the changes; None where the index has to catch up first.

    Parameters
    ----------
    before : Summary or None
        As it was read, consistently.
    changes : RowChanges
    indexed : callable
        The name's rows as its index shows them, which may be late. Called only where they are needed.
    look : int
        How many times it was tried before.
    """
    settled = _without_index(before, changes)
    if settled is not None:
        return settled
    shown = indexed()
    rows = _after(shown, changes)
    newest = _newest(rows)
    if not (_adds_up(before, shown) or _explains(before, newest, changes) or look >= PATIENCE):
        return None
    if newest is None:
        return Settled(None)
    source = None if any(newest is row for row in changes.added) else newest
    return Settled(_summary_of(newest, checksum(rows)), source)


def _without_index(before: Summary | None, changes: RowChanges) -> Settled | None:
    """What the checksum and the changes alone can tell."""
    if before is None:
        if changes.removed or changes.kept:
            return None
        newest = _newest(changes.added)
        return Settled(newest and _summary_of(newest, checksum(changes.added)))
    if before.checksum is None or not (changes.removed or changes.added or changes.kept):
        return None
    total = (before.checksum - checksum(changes.removed) + checksum(changes.added)) % MODULUS
    if total == 0:
        return Settled(None)
    newest = _newest([*changes.added, *changes.kept])
    if newest is not None and _is_newest(newest, before):
        source = None if any(newest is row for row in changes.added) else newest
        return Settled(_summary_of(newest, total), source)
    if all(_is_older(row, before) for row in (*changes.removed, *changes.added)):
        return Settled(replace(before, checksum=total))
    return None


def _after(shown: Sequence[Any], changes: RowChanges) -> list[Any]:
    rows = {row.filename: row for row in shown}
    for row in changes.removed:
        rows.pop(row.filename, None)
    rows.update({row.filename: row for row in (*changes.added, *changes.kept)})
    return list(rows.values())


def _adds_up(before: Summary | None, shown: Sequence[Any]) -> bool:
    return before is not None and before.checksum == checksum(shown)


def _explains(before: Summary | None, newest: Any | None, changes: RowChanges) -> bool:
    """Whether a summary without a checksum cannot be that of a row which the index does not show yet.

    It is no newer than the newest row that is known, or it is that of the row that goes.
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
    """S3 tells seconds, and a release is several files in one: the filename decides between them."""
    return row.last_modified, row.filename


def _is_newest(row: Any, before: Summary) -> bool:
    """Whether a row is newer than the summary's, or takes its place."""
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
    # With the text: an object may be replaced within a second, and the index still show the old one.
    identity = (
        f"{row.filename}\0{row.last_modified.astimezone(datetime.UTC).isoformat()}\0{row.summary or ''}"
    )
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8])
