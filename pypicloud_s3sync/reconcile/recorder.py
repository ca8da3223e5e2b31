"""Pass a syncer's reads and writes on to a cache, and record what differed and what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..caches.base import CacheAdapter, Change, Result, Results, RowKey, Snapshot, same
from .models import Kind


class Recorder(CacheAdapter):
    """An adapter that passes everything on, except what must not be written.

    Parameters
    ----------
    adapter : CacheAdapter
    dry_run : bool
        Write nothing.
    max_deletions : int
        Keep further rows.
    """

    def __init__(self, adapter: CacheAdapter, *, dry_run: bool, max_deletions: int) -> None:
        super().__init__(adapter.cache)
        self._adapter = adapter
        self._dry_run = dry_run
        self._deletions_left = max_deletions
        self._deleted: set[str] = set()
        #: How the row differed from the objects when it was first read, by filename; None if it did not.
        self.kinds: dict[str, Kind | None] = {}
        #: The package that a row should be, by filename; None for no row.
        self.wanted: dict[str, Any | None] = {}
        #: The filenames whose row was written, and those whose row may not be deleted.
        self.written: set[str] = set()
        self.kept: set[str] = set()
        #: The names of the rows that differed.
        self.names: set[str] = set()

    def is_unreachable(self, error: BaseException) -> bool:
        """Return whether an error is one of the whole database."""
        return self._adapter.is_unreachable(error)

    def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
        """Return the current rows, by filename."""
        return self._adapter.read(keys)

    def write(self, changes: Sequence[Change]) -> Results:
        """Make the changes that are allowed; return the result of each."""
        results: dict[str, Result | Exception] = {}
        allowed = []
        for change in changes:
            kind = _kind(change)
            self.kinds.setdefault(change.filename, kind)
            self.wanted[change.filename] = change.final
            self.names |= {row.name for row in (change.snapshot.row, change.final) if kind and row}
            if self._dry_run or (kind is Kind.GONE and not self._may_delete(change.filename)):
                results[change.filename] = Result.UNCHANGED
            else:
                allowed.append(change)
        if allowed:
            results |= self._adapter.write(allowed)
        self.written |= {name for name, result in results.items() if result is Result.WRITTEN}
        return results

    def _may_delete(self, filename: str) -> bool:
        if filename in self._deleted:
            # Another attempt, after a conflict.
            return True
        if self._deletions_left <= 0:
            self.kept.add(filename)
            return False
        self._deletions_left -= 1
        self._deleted.add(filename)
        return True

    def forget(self) -> None:
        """Forget what was recorded, before the next batch."""
        for recorded in (self.kinds, self.wanted, self.written, self.kept, self.names, self._deleted):
            recorded.clear()


def _kind(change: Change) -> Kind | None:
    row: Any = change.snapshot.row
    if same(row, change.final):
        return None
    if row is None:
        return Kind.MISSING
    return Kind.GONE if change.final is None else Kind.STALE
