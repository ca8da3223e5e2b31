"""Let pypicloud's server replace a row in an SQL database only if it has not changed since it was read.

A row that exists is locked until the server's transaction ends, as it would be by the write alone. SQLite
locks no rows: it has a single writer.
"""

from __future__ import annotations

from typing import Any

from pypicloud.cache.sql import SQLCache, SQLPackage
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from .key_repairs import REPLACE, Choose
from .sql import columns


def apply() -> None:
    """Add the method."""
    setattr(SQLCache, REPLACE, _replace)


def _replace(self: Any, package: Any, choose: Choose) -> bool:
    """Replace the row of a package as others have committed it: the session may have read an older one."""
    session = self.db
    present = session.query(SQLPackage).populate_existing().filter_by(filename=package.filename)
    row = present.first()
    if row is not None:
        # MySQL may lock the gap around a row that does not exist, and two servers would deadlock.
        row = present.with_for_update().first()
    # MySQL compares filenames by a collation, so this may be the row of another file.
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
        if row is not None:
            raise
        return False
    return True


def _write(session: Any, row: Any | None, wanted: Any | None) -> None:
    if wanted is None:
        session.delete(row)
    elif row is None:
        # Not a merge, which would overwrite a row that another program has inserted since.
        session.execute(insert(SQLPackage), [columns(wanted)])
    else:
        session.merge(wanted)
    session.flush()
