"""A SQL cache: one short transaction for each row, which is replaced only where it is as it was read.

Without a request, pypicloud never commits, and it can only clear a row that its session has loaded. Names and
summaries are queries over the rows there, so there is nothing else to keep right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pypicloud.cache.sql import SQLPackage
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from .base import CacheIndex, Change, Result, Results, Seen, Subject, same

#: Filenames in one query: well below every database's limit of parameters.
CHUNK = 500


class SqlIndex(CacheIndex):
    """Rows of ``pypicloud.cache.sql.SQLCache``."""

    unreachable = (OSError, OperationalError, InterfaceError)

    def read(self, subjects: Sequence[Subject]) -> Mapping[str, Seen | Exception]:
        """The rows, detached from their session."""
        filenames = [subject.filename for subject in subjects]
        found: dict[str, Any] = {}
        with self._transaction() as session:
            for start in range(0, len(filenames), CHUNK):
                chunk = filenames[start : start + CHUNK]
                rows = session.query(SQLPackage).filter(SQLPackage.filename.in_(chunk)).all()
                found.update({row.filename: row for row in rows})
            session.expunge_all()
        return {filename: Seen(found.get(filename)) for filename in filenames}

    def write(self, changes: Sequence[Change]) -> Results:
        """Commit each row by itself: one that fails takes no other with it."""
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
                if not same(row, change.seen.row):
                    return Result.LOST
                if same(row, change.wanted):
                    return Result.UNCHANGED
                if change.wanted is None:
                    self.cache.clear(row)
                else:
                    self.cache.save(change.wanted)
        except IntegrityError:
            if change.seen.row is not None:
                raise
            # Another handler has put the row since: not for NULLs, of which a package has none.
            return Result.LOST
        return Result.WRITTEN

    def _locked(self, session: Any, change: Change) -> Any | None:
        query = session.query(SQLPackage).filter_by(filename=change.filename)
        # To lock a row that is not there, MySQL locks the gap around it, and two handlers deadlock.
        return (query if change.seen.row is None else query.with_for_update()).first()

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Commit at the end, roll back on an error, and keep nothing between two."""
        session = self.cache.db
        try:
            with session.begin():
                yield session
        finally:
            session.expunge_all()
            session.close()
