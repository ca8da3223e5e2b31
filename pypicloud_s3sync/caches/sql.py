"""Adapt an SQL cache: a short transaction replaces each row, if it has not changed since it was read.

Without a request, pypicloud never commits, and it can clear only a row that its session has loaded. Names and
summaries are queries over the rows, so nothing else has to be kept consistent.

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
from sqlalchemy import text
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
        return {filename: Snapshot(found.get(filename)) for filename in filenames}

    def write(self, changes: Sequence[Change]) -> Results:
        """Commit each row separately, so that a failure affects no other row."""
        results: dict[str, Result | Exception] = {}
        self._lock_timeout = LOCK_TIMEOUT
        for change in changes:
            try:
                results[change.filename] = self._write(change)
            except Exception as error:
                if self.is_unreachable(error):
                    raise
                if isinstance(error, DBAPIError) and _code(error) in LOCKED:
                    self._lock_timeout = NEXT_LOCK_TIMEOUT
                results[change.filename] = error
        return results

    def _write(self, change: Change) -> Result:
        try:
            with self._transaction() as session:
                row = self._locked(session, change)
                if row is not None and row.filename != change.filename:
                    return _equal_filename(row, change)
                if not same(row, change.snapshot.row):
                    return Result.CONFLICT
                if same(row, change.wanted):
                    return Result.UNCHANGED
                if change.wanted is None:
                    self.cache.clear(row)
                else:
                    # Not the cache's save: on a server it overwrites a row that another program has inserted.
                    session.merge(change.wanted)
                session.flush()
                self.check_running()
        except IntegrityError:
            if change.snapshot.row is not None:
                raise
            # Another handler has inserted the row. No other constraint can fail: a package has no NULLs.
            return Result.CONFLICT
        except DBAPIError as error:
            if _code(error) in DEADLOCKS:
                return Result.CONFLICT
            raise
        return Result.WRITTEN

    def _locked(self, session: Any, change: Change) -> Any | None:
        query = session.query(SQLPackage).filter_by(filename=change.filename)
        # MySQL locks the gap around a row that does not exist, and two handlers would deadlock.
        return (query if change.snapshot.row is None else query.with_for_update()).first()

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


def _equal_filename(row: Any, change: Change) -> Result:
    """Return that nothing is to be done for a row of another file, or raise an error.

    MySQL compares filenames by a collation, for which ``Foo`` and ``foo`` may be equal.
    """
    if change.wanted is None:
        return Result.UNCHANGED
    raise S3SyncError(
        f"the database treats the filenames {change.filename!r} and {row.filename!r} as equal, so it can"
        " store only one of them: delete the other file, or give the column packages.filename a binary"
        " collation"
    )


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
