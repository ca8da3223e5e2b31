"""Let pypicloud's server replace a row in an SQL database only if it has not changed since it was read.

A row that exists is locked until the server's transaction ends, as it would be by the write alone. SQLite
locks nothing for a read: its driver begins a transaction only with the first write, so a row that another
process writes between the read and that write is replaced. The function cannot use an SQLite file.
"""

from __future__ import annotations

from typing import Any

from pypicloud.cache.sql import SQLCache, SQLPackage
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from .key_repairs import Choose
from .sql import columns

CACHE = SQLCache


def fetch_now(cache: Any, filename: str) -> Any | None:
    """Return a row as others have committed it: ``fetch`` returns what the session has read before."""
    row = _query(cache, filename).first()
    # MySQL compares filenames by a collation, so this may be the row of another file.
    return row if row is not None and row.filename == filename else None


def replace(cache: Any, package: Any, choose: Choose) -> bool:
    """Replace the row of a package; return False if another program has inserted it since it was read."""
    session = cache.db
    present = _query(cache, package.filename)
    row = present.first()
    if row is not None:
        # MySQL may lock the gap around a row that does not exist, and two servers would deadlock.
        row = present.with_for_update().first()
    # As in fetch_now, this may be the row of another file.
    is_own = row is not None and row.filename == package.filename
    wanted = choose(row if is_own else None)
    if wanted is None and not is_own:
        return True
    if session.get_bind().dialect.name == "sqlite":
        # Its driver does not roll back to a savepoint.
        _write(session, row, wanted)
        return True
    try:
        with session.begin_nested():
            _write(session, row, wanted)
    except IntegrityError:
        if row is not None or present.first() is None:
            raise
        return False
    return True


def _query(cache: Any, filename: str) -> Any:
    return cache.db.query(SQLPackage).populate_existing().filter_by(filename=filename)


def _write(session: Any, row: Any | None, wanted: Any | None) -> None:
    if wanted is None:
        session.delete(row)
    elif row is None:
        # Not a merge, which would overwrite a row that another program has inserted since.
        session.execute(insert(SQLPackage), [columns(wanted)])
    else:
        session.merge(wanted)
    session.flush()
