"""pypicloud's caches as the sync reads and writes them: a row is replaced only while it is as it was read."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class Result(enum.Enum):
    """What became of a change."""

    #: The cache said so already.
    UNCHANGED = "unchanged"
    WRITTEN = "written"
    #: The row is no longer as it was read, or what is beside it cannot be told yet: look again.
    LOST = "lost"


@dataclass(frozen=True)
class Subject:
    """A filename to read the row of, and the name that it probably has."""

    filename: str
    name: str | None


@dataclass(frozen=True)
class Seen:
    """A row as it was read, None where there is none, and what its cache read beside it."""

    row: Any | None
    beside: Any = None


@dataclass(frozen=True)
class Change:
    """Make the cache hold ``wanted`` under a filename, or nothing, where it still holds what was seen.

    Parameters
    ----------
    subject : Subject
        As it was read.
    seen : Seen
    wanted : pypicloud.models.Package or None
    look : int
        How many times it was tried before.
    """

    subject: Subject
    seen: Seen
    wanted: Any | None
    look: int = 0

    @property
    def filename(self) -> str:
        """The row's identity."""
        return self.subject.filename


#: What became of each change, by its filename: a failure is that change's alone.
Results = Mapping[str, Result | Exception]


def same(row: Any | None, other: Any | None) -> bool:
    """Whether two packages are one row; pypicloud's own ``==`` compares filenames only."""
    if row is None or other is None:
        return row is other
    return _content(row) == _content(other)


def _content(row: Any) -> tuple[Any, ...]:
    return row.filename, row.name, row.version, row.last_modified, row.summary or None, dict(row.data)


class CacheIndex:
    """Any cache of pypicloud's, by the public methods of ``pypicloud.cache.ICache``.

    Those cannot say "only while it is as it was read": a class of somebody's own is right where one handler
    at a time works on a filename, and after the look that follows every write.

    Parameters
    ----------
    cache : pypicloud.cache.ICache
    """

    #: Errors that are of the database and not of a single row: trying each row alone would not help.
    unreachable: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def read(self, subjects: Sequence[Subject]) -> Mapping[str, Seen | Exception]:
        """The rows as they are now, by filename."""
        return {subject.filename: Seen(self.cache.fetch(subject.filename)) for subject in subjects}

    def write(self, changes: Sequence[Change]) -> Results:
        """Make each change."""
        return {change.filename: self._write(change) for change in changes}

    def _write(self, change: Change) -> Result:
        if same(change.seen.row, change.wanted):
            return Result.UNCHANGED
        if change.wanted is None:
            self.cache.clear(change.seen.row)
        else:
            self.cache.save(change.wanted)
        return Result.WRITTEN
