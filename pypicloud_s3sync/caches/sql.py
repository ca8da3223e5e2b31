"""Adapt an SQL cache: a short transaction replaces rows, each if it has not changed since it was read.

Without a request, pypicloud never commits, and it can clear only a row that its session has loaded. Names and
summaries are queries over the rows, so nothing else has to be kept consistent.

Many rows are written in one transaction, because each of its statements waits for the database. If one of
them makes it fail, each row gets a transaction of its own.

A transaction that has to wait for a lock gives up after a few seconds: another program may hold it for longer
than the function may run. This is an error of one row. An error of the database as a whole is one that ends
its connection, or does not let a new one begin.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pypicloud.cache.sql import SQLPackage
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from ..exceptions import S3SyncError, UnreachableError
from .base import CacheAdapter, Change, Result, Results, RowKey, Snapshot, same

#: Filenames in one query, well below every database's limit of parameters.
CHUNK = 500
#: Seconds to wait for a lock, and for each further one after a wait that has failed.
LOCK_TIMEOUT, NEXT_LOCK_TIMEOUT = 3, 1
#: The statement that sets this time, by SQLAlchemy's name of the database. PostgreSQL's lasts as long as the
#: transaction, so that a pool of connections like PgBouncer does not keep it.
#: https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
#: https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html#sysvar_innodb_lock_wait_timeout
_MYSQL = "SET SESSION innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
_SET_LOCK_TIMEOUT = {
    "postgresql": "SET LOCAL lock_timeout = '{seconds}s'",
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}
_SET = "s3sync_lock_timeout"
#: Errors after which a transaction is worth retrying, and a lock that did not become free: PostgreSQL's
#: SQLSTATEs and MySQL's numbers.
DEADLOCKS = {"40001", "40P01", 1213}
LOCKED = {"55P03", 1205}


class SqlAdapter(CacheAdapter):
    """Reads and writes rows of ``pypicloud.cache.sql.SQLCache``."""

    def __init__(self, cache: Any) -> None:
        super().__init__(cache)
        self._connection: Any = None
        self._lock_timeout = LOCK_TIMEOUT

    def is_unreachable(self, error: BaseException) -> bool:
        """Return whether the connection is lost, or none could be made."""
        return super().is_unreachable(error) or (
            isinstance(error, DBAPIError) and error.connection_invalidated
        )

    def stop(self) -> None:
        """Let no further write begin, and close the connection: it may wait, and it may hold a lock."""
        super().stop()
        connection = self._connection
        if connection is not None:
            _shut_down(connection)

    def close(self) -> None:
        """Close the connections of the cache."""
        self.cache.db.close()
        self.cache.dbmaker.kw["bind"].dispose()

    def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
        """Return the rows, detached from their session."""
        filenames = [key.filename for key in keys]
        found: dict[str, Any] = {}
        self._lock_timeout = LOCK_TIMEOUT
        try:
            with self._transaction() as session:
                for start in range(0, len(filenames), CHUNK):
                    chunk = filenames[start : start + CHUNK]
                    rows = session.query(SQLPackage).filter(SQLPackage.filename.in_(chunk)).all()
                    found.update({row.filename: row for row in rows})
                session.expunge_all()
        except DBAPIError as error:
            if _code(error) in LOCKED:
                # A plain read does not wait for a row, so the whole table is locked.
                raise UnreachableError(
                    f"the table is locked: the event will be retried ({error.orig})"
                ) from error
            raise
        return {filename: _snapshot(found.get(filename)) for filename in filenames}

    def write(self, changes: Sequence[Change]) -> Results:
        """Commit many rows together, or each separately if that fails, so that a failure affects one row."""
        results: dict[str, Result | Exception] = {}
        self._lock_timeout = LOCK_TIMEOUT
        for start in range(0, len(changes), CHUNK):
            chunk = changes[start : start + CHUNK]
            results |= self._attempt(chunk) or self._write_each(chunk)
        return results

    def _attempt(self, changes: Sequence[Change]) -> Mapping[str, Result]:
        """Write several rows in one transaction; return no result if one of them makes it fail."""
        if len(changes) < 2:
            return {}
        try:
            return self._write_together(changes)
        except Exception as error:
            self._after(error)
            return {}

    def _write_each(self, changes: Sequence[Change]) -> dict[str, Result | Exception]:
        results: dict[str, Result | Exception] = {}
        for change in changes:
            try:
                results |= self._write_together([change])
            except Exception as error:
                self._after(error)
                results[change.filename] = Result.CONFLICT if _is_conflict(error, change) else error
        return results

    def _after(self, error: Exception) -> None:
        """Raise an error of the whole database again; after a lock, wait less for the next one."""
        if self.is_unreachable(error):
            raise error
        if isinstance(error, DBAPIError) and _code(error) in LOCKED:
            self._lock_timeout = NEXT_LOCK_TIMEOUT

    def _write_together(self, changes: Sequence[Change]) -> dict[str, Result]:
        """Write rows in one transaction."""
        # All programs lock rows in the same order, so that none waits for another in a circle.
        changes = sorted(changes, key=lambda change: change.filename)
        with self._transaction() as session:
            rows = self._locked(session, changes)
            _refuse_equal_filenames(changes, rows)
            results = {change.filename: _result(change, rows.get(change.filename)) for change in changes}
            written = [change for change in changes if results[change.filename] is Result.WRITTEN]
            for change in written:
                if change.wanted is None:
                    self.cache.clear(rows[change.filename])
                elif change.filename in rows:
                    # Not the cache's save: on a server it overwrites a row that another program has inserted.
                    session.merge(change.wanted)
            session.flush()
            added = [columns(change.wanted) for change in written if change.filename not in rows]
            if added:
                session.execute(insert(SQLPackage), added)
            self.check_running()
        return results

    def _locked(self, session: Any, changes: Sequence[Change]) -> dict[str, Any]:
        """Return the rows of some filenames, locked if they are expected to exist."""
        rows: dict[str, Any] = {}
        for is_known in (True, False):
            # MySQL locks the gap around a row that does not exist, and two handlers would deadlock.
            names = [it.filename for it in changes if (it.snapshot.row is not None) == is_known]
            if names:
                found = session.query(SQLPackage).filter(SQLPackage.filename.in_(names))
                found = found.order_by(SQLPackage.filename)
                rows |= {row.filename: row for row in (found.with_for_update() if is_known else found)}
        return rows

    def _set_lock_timeout(self, connection: Any) -> None:
        name = connection.dialect.name
        statement = _SET_LOCK_TIMEOUT.get(name, "").format(seconds=self._lock_timeout)
        # MySQL keeps the setting as long as the connection.
        if not statement or connection.info.get(_SET) == statement:
            return
        connection.execute(text(statement))
        if name != "postgresql":
            connection.info[_SET] = statement

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """Commit at the end, or roll back after an error; keep no row for the next transaction."""
        session = self.cache.db
        self.check_running()
        try:
            with session.begin():
                self._connect(session)
                yield session
        finally:
            self._connection = None
            session.expunge_all()
            session.close()

    def _connect(self, session: Any) -> None:
        """Let the transaction begin, with the time that it may wait for a lock."""
        try:
            connection = session.connection()
            self._connection = getattr(connection.connection, "dbapi_connection", None)
            self.check_running()
            self._set_lock_timeout(connection)
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise UnreachableError(
                f"no connection to the database: {type(cause).__name__}: {cause}"
            ) from error


def _snapshot(row: Any | None) -> Snapshot | Exception:
    if row is not None and not isinstance(row.data, dict):
        return S3SyncError(f"the data of the row {row.filename} is damaged: delete the row, then reconcile")
    return Snapshot(row)


def _result(change: Change, row: Any | None) -> Result:
    """Return what is to be done about a row as it is now."""
    if not same(row, change.snapshot.row):
        return Result.CONFLICT
    return Result.UNCHANGED if same(row, change.wanted) else Result.WRITTEN


def columns(package: Any) -> dict[str, Any]:
    """Return the values of a package's row."""
    return {column.key: getattr(package, column.key) for column in SQLPackage.__table__.columns}


def _refuse_equal_filenames(changes: Sequence[Change], rows: Mapping[str, Any]) -> None:
    """Raise an error if a row to be added has the filename of another file.

    MySQL compares filenames by a collation, for which ``Foo`` and ``foo`` may be equal.
    """
    others = sorted(rows.keys() - {change.filename for change in changes})
    added = [it.filename for it in changes if it.wanted is not None and it.filename not in rows]
    if others and added:
        raise S3SyncError(
            f"the database treats the filenames {added[0]!r} and {others[0]!r} as equal, so it can"
            " store only one of them: delete the other file, or give the column packages.filename a binary"
            " collation"
        )


def _is_conflict(error: Exception, change: Change) -> bool:
    """Return whether another program has written the row of a change at the same time."""
    if isinstance(error, IntegrityError):
        # It has inserted the row. No other constraint can fail: a package has no NULLs.
        return change.snapshot.row is None
    return isinstance(error, DBAPIError) and _code(error) in DEADLOCKS


def _code(error: DBAPIError) -> Any:
    """Return PostgreSQL's SQLSTATE or MySQL's number of an error."""
    sqlstate = getattr(error.orig, "pgcode", None) or getattr(error.orig, "sqlstate", None)
    return sqlstate or next(iter(getattr(error.orig, "args", ())), None)


def _shut_down(connection: Any) -> None:
    """End a driver's connection, even while another thread waits for its response."""
    # psycopg2 waits in C code, which only the end of its socket interrupts. pymysql has a socket of its own.
    # The connection may be closed already, and other drivers may not show their socket.
    with suppress(Exception):
        descriptor = getattr(connection, "_sock", connection).fileno()
        with socket.socket(fileno=os.dup(descriptor)) as end:
            end.shutdown(socket.SHUT_RDWR)
