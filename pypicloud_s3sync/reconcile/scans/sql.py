"""List an SQL cache in pages, ordered by filename, each in a short transaction of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pypicloud.cache.sql import SQLPackage
from sqlalchemy import Text, func, literal_column

from ..models import ListedRow
from .base import Scan, data_of_text, listed_row, microseconds

#: The rows in one page.
PAGE = 5000


class SqlScan(Scan):
    """Lists the rows of ``pypicloud.cache.sql.SQLCache``; names and summaries are queries over the rows."""

    def total(self) -> int | None:
        """Return the number of rows."""
        with self.adapter._transaction() as session:
            return int(session.query(func.count()).select_from(SQLPackage).scalar())

    def list_names(self) -> Collection[str]:
        """Return the names of all projects."""
        with self.adapter._transaction() as session:
            return [name for (name,) in session.query(SQLPackage.__table__.c.name).distinct()]

    def rows(self, names: Collection[str] = ()) -> Iterator[Sequence[ListedRow]]:
        """Yield pages of rows: those of some names, or all."""
        table = SQLPackage.__table__.c
        columns = table.filename, table.name, table.version, table.last_modified, table.summary
        # With pypicloud's own type of the column, SQLAlchemy would not cache the query.
        data = literal_column("packages.data", Text).label("data")
        conditions = [table.name.in_(sorted(names))] if names else []
        last: Any = None
        while True:
            start = [] if last is None else [table.filename > last]
            with self.adapter._transaction() as session:
                query = session.query(*columns, data).filter(*conditions, *start)
                found = query.order_by(table.filename).limit(PAGE).all()
            yield [_row(row) for row in found]
            if len(found) < PAGE:
                return
            last = found[-1].filename


def _row(row: Any) -> ListedRow:
    fields = row.filename, row.name, row.version, microseconds(row.last_modified)
    return listed_row(*fields, row.summary, data_of_text(row.data))
