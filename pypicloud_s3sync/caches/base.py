"""Read and write any of pypicloud's caches; replace a row only if it has not changed since it was read."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..exceptions import OutOfTimeError, UnreachableError


class Result(enum.Enum):
    """The result of a change."""

    #: The cache already held what was wanted.
    UNCHANGED = "unchanged"
    WRITTEN = "written"
    #: The row has changed since it was read, or its summary cannot be determined yet: read again and retry.
    CONFLICT = "conflict"


@dataclass(frozen=True)
class RowKey:
    """Identifies a row to read.

    Parameters
    ----------
    filename : str
    name : str or None
        The name that its package probably has.
    other_names : tuple of str
        Further names that may follow from the filename. A handler or a server that was interrupted may have
        left something behind under one of them.
    is_gone : bool
        Whether no object has this filename, so that only the filename tells its name.
    every_file : bool
        Whether everything that the name lists is to be compared with its rows. An event answers only for its
        own file.
    """

    filename: str
    name: str | None
    other_names: tuple[str, ...] = ()
    is_gone: bool = False
    every_file: bool = False

    @property
    def possible_names(self) -> tuple[str, ...]:
        """Every name under which a row that does not exist may have left something behind."""
        return tuple(name for name in (self.name, *self.other_names) if name) if self.is_gone else ()


@dataclass(frozen=True)
class Snapshot:
    """A row at the time when it was read.

    Parameters
    ----------
    row : pypicloud.models.Package or None
        None if there is no such row.
    raw : object
        What the adapter needs in order to write only if nothing has changed since.
    """

    row: Any | None
    raw: Any = None


@dataclass(frozen=True)
class Change:
    """A replacement or a deletion of a row, for which the row must still equal its snapshot.

    Parameters
    ----------
    key : RowKey
        The key by which the row was read.
    snapshot : Snapshot
    wanted : pypicloud.models.Package or None
        The row that the cache should have; None for no row.
    repeats : int
        The number of immediately preceding attempts that read exactly this snapshot.
    final : pypicloud.models.Package or None
        The row that a syncer wants in the end: ``wanted`` is the same, or only announces it.
    """

    key: RowKey
    snapshot: Snapshot
    wanted: Any | None
    repeats: int = 0
    final: Any | None = None

    @property
    def filename(self) -> str:
        """The row's filename."""
        return self.key.filename


#: The result of each change, by filename. An exception concerns only its own change.
Results = Mapping[str, Result | Exception]


def same(row: Any | None, other: Any | None) -> bool:
    """Return whether two packages make the same row; pypicloud's own ``==`` compares filenames only."""
    if row is None or other is None:
        return row is other
    return _content(row) == _content(other)


def _content(row: Any) -> tuple[Any, ...]:
    return row.filename, row.name, row.version, row.last_modified, row.summary or None, dict(row.data)


class CacheAdapter:
    """Reads and writes a cache through the public methods of ``pypicloud.cache.ICache``.

    Those methods cannot write conditionally. With a custom cache class, the cache is therefore sure to be
    right only if one handler at a time works on a filename. Otherwise it depends on the second read of S3
    after every write.

    Parameters
    ----------
    cache : pypicloud.cache.ICache
    """

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self._stopped = False

    def is_unreachable(self, error: BaseException) -> bool:
        """Return whether an error is one of the whole database: to try each row alone would not help."""
        return isinstance(error, OSError | UnreachableError)

    def stop(self) -> None:
        """Let no further write begin; called from another thread than the one that may be writing.

        Lambda freezes a function that has answered. A write that went on when the function is thawed would
        come after the retry of its event, and nobody would look at its object again.
        """
        self._stopped = True

    def close(self) -> None:
        """Close the connections of the cache, which is not used again."""

    def check_running(self) -> None:
        """Raise OutOfTimeError after :meth:`stop`; called immediately before each write."""
        if self._stopped:
            raise OutOfTimeError("the function's time is over: the event will be retried")

    def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
        """Return the current rows, by filename."""
        return {key.filename: Snapshot(self.cache.fetch(key.filename)) for key in keys}

    def write(self, changes: Sequence[Change]) -> Results:
        """Make the changes; return the result of each."""
        return {change.filename: self._write(change) for change in changes}

    def _write(self, change: Change) -> Result:
        if same(change.snapshot.row, change.wanted):
            return Result.UNCHANGED
        self.check_running()
        if change.wanted is None:
            self.cache.clear(change.snapshot.row)
        else:
            self.cache.save(change.wanted)
        return Result.WRITTEN
