"""Adapt an SQL cache: a short transaction replaces each row, if it has not changed since it was read.

Without a request, pypicloud never commits, and it can clear only a row that its session has loaded. Names and
summaries are queries over the rows, so nothing else has to be kept consistent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pypicloud.cache.sql import SQLPackage
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from .base import CacheAdapter, Change, Result, Results, RowKey, Snapshot, same

#: Filenames in one query, well below every database's limit of parameters.
CHUNK = 500


class SqlAdapter(CacheAdapter):
    """Reads and writes rows of ``pypicloud.cache.sql.SQLCache``."""

    unreachable = (OSError, OperationalError, InterfaceError)

    def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
        """Return the rows, detached from their session."""
        filenames = [key.filename for key in keys]
        found: dict[str, Any] = {}
        with self._transaction() as session:
            for start in range(0, len(filenames), CHUNK):
                chunk = filenames[start : start + CHUNK]
                rows = session.query(SQLPackage).filter(SQLPackage.filename.in_(chunk)).all()
                found.update({row.filename: row for row in rows})
            session.expunge_all()
        return {filename: Snapshot(found.get(filename)) for filename in filenames}

    def write(self, changes: Sequence[Change]) -> Results:
        """Commit each row separately, so that a failure affects no other row."""
        results: dict[str, Result | Exception] = {}
        for change in changes:
            try:
                results[change.filename] = self._write(change)
            except self.unreachable:
                raise
            except Exception as error:
                results[change.filename] = error
        return results

    def _write(self, change: Change) -> Result:
        try:
            with self._transaction() as session:
                row = self._locked(session, change)
                if not same(row, change.snapshot.row):
                    return Result.CONFLICT
                if same(row, change.wanted):
                    return Result.UNCHANGED
                if change.wanted is None:
                    self.cache.clear(row)
                else:
                    self.cache.save(change.wanted)
        except IntegrityError:
            if change.snapshot.row is not None:
                raise
            # Another handler has inserted the row. No other constraint can fail: a package has no NULLs.
            return Result.CONFLICT
        return Result.WRITTEN

    def _locked(self, session: Any, change: Change) -> Any | None:
        query = session.query(SQLPackage).filter_by(filename=change.filename)
        # MySQL locks the gap around a row that does not exist, and two handlers would deadlock.
        return (query if change.snapshot.row is None else query.with_for_update()).first()

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Commit at the end, or roll back after an error; keep no row for the next transaction."""
        session = self.cache.db
        try:
            with session.begin():
                yield session
        finally:
            session.expunge_all()
            session.close()
