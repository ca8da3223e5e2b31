"""Keep the listings of bucket and cache in a temporary database on disk, from which they are read sorted.

SQLite deletes the file when it opens it, so nothing is left behind if the process is killed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from types import TracebackType
from typing import Any

from .models import Difference, Kind, Known, ListedName, ListedObject, ListedRow

#: Kibibytes of memory for the database's pages, and again for each of the sorts, of which two are read at the
#: same time; the rest is on disk. With four times as much, a million objects take as long.
CACHE = 4000
_TABLES = """
CREATE TABLE objects (filename TEXT, key TEXT, modified INTEGER, size INTEGER);
CREATE TABLE known (
    key TEXT PRIMARY KEY, identity TEXT, name TEXT, version TEXT, summary TEXT, sha256 TEXT
) WITHOUT ROWID;
CREATE TABLE rows (
    filename TEXT, name TEXT, modified INTEGER, key TEXT, other_keys TEXT, plausible INTEGER, summary INTEGER,
    version TEXT, sha256 TEXT
);
CREATE TABLE names (
    name TEXT PRIMARY KEY, modified INTEGER, summary INTEGER, files INTEGER, complete INTEGER
) WITHOUT ROWID;
CREATE TABLE differences (
    id INTEGER PRIMARY KEY, kind TEXT, filename TEXT, keys TEXT, grouped TEXT, tries INTEGER
);
CREATE TABLE written (key TEXT PRIMARY KEY, filename TEXT, identity TEXT, listed INTEGER) WITHOUT ROWID;
CREATE TABLE touched (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_ADD_DIFFERENCE = "INSERT INTO differences (kind, filename, keys, grouped, tries) VALUES (?, ?, ?, ?, ?)"


def temporary_database(tables: str) -> sqlite3.Connection:
    """Return a private database in a temporary file, with the tables that a script creates."""
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA temp_store = FILE")
    database.executescript(tables)
    return database


class Listing:
    """The listings, during a ``with`` block.

    Parameters
    ----------
    cache : int
        Kibibytes of memory for the database's pages, and for each sorted listing.
    """

    def __init__(self, cache: int = CACHE) -> None:
        self._database = temporary_database(_TABLES)
        self._database.execute(f"PRAGMA cache_size = -{cache}")

    def __enter__(self) -> Listing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add_objects(self, objects: Iterable[ListedObject]) -> None:
        """Add a page of the bucket's objects."""
        self._write_all("INSERT INTO objects VALUES (?, ?, ?, ?)", (stored[:4] for stored in objects))

    def add_known(self, known: Iterable[Known]) -> None:
        """Add what the metadata of some objects says."""
        self._write_all("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?)", known)

    def add_rows(self, rows: Iterable[ListedRow]) -> None:
        """Add a page of the cache's rows."""
        packed = ((*row[:4], json.dumps(row.other_keys) if row.other_keys else "", *row[5:]) for row in rows)
        self._write_all("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", packed)

    def add_names(self, names: Iterable[ListedName]) -> None:
        """Add a page of the cache's names with their summaries."""
        self._write_all("INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?, ?)", names)

    def _write_all(self, statement: str, values: Iterable[tuple[object, ...]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(statement, values)
        self._database.execute("COMMIT")

    def has_name(self, name: str) -> bool:
        """Return whether a name is listed."""
        return self._database.execute("SELECT 1 FROM names WHERE name = ?", [name]).fetchone() is not None

    def has_row(self, filename: str) -> bool:
        """Return whether a row is listed; it needs :meth:`index_rows`."""
        query = "SELECT 1 FROM rows WHERE filename = ?"
        return self._database.execute(query, [filename]).fetchone() is not None

    def index_rows(self) -> None:
        """Make :meth:`has_row` fast."""
        self._database.execute("CREATE INDEX IF NOT EXISTS row_filenames ON rows (filename)")

    def objects(self) -> Iterator[ListedObject]:
        """Yield the objects, sorted by filename."""
        query = "SELECT * FROM objects LEFT JOIN known USING (key) ORDER BY filename"
        yield from map(_object, self._database.execute(query))

    def rows(self) -> Iterator[ListedRow]:
        """Yield the rows, sorted by filename."""
        yield from map(_row, self._database.execute("SELECT * FROM rows ORDER BY filename"))

    def rows_by_name(self) -> Iterator[ListedRow]:
        """Yield the rows, sorted by name and filename."""
        yield from map(_row, self._database.execute("SELECT * FROM rows ORDER BY name, filename"))

    def names(self) -> Iterator[ListedName]:
        """Yield the names, sorted."""
        query = "SELECT * FROM names ORDER BY name"
        for name, modified, summary, files, complete in self._database.execute(query):
            yield ListedName(name, modified, summary, files, bool(complete))

    def filenames_of(self, name: str) -> list[str]:
        """Return the filenames of a name's rows, each once."""
        query = "SELECT DISTINCT filename FROM rows WHERE name = ? ORDER BY filename"
        return [filename for (filename,) in self._database.execute(query, [name])]

    def newest_of(self, name: str) -> ListedRow | None:
        """Return the newest row of a name, or None if it has no rows."""
        query = "SELECT * FROM rows WHERE name = ? ORDER BY modified DESC, filename DESC LIMIT 1"
        return next(map(_row, self._database.execute(query, [name])), None)

    def index_names(self) -> None:
        """Make :meth:`filenames_of` and :meth:`newest_of` fast."""
        self._database.execute("CREATE INDEX IF NOT EXISTS row_names ON rows (name)")

    def add_differences(self, differences: Iterable[Difference]) -> None:
        """Keep the differences, to be taken by :meth:`take`."""
        self._write_all(_ADD_DIFFERENCE, (_packed(difference) for difference in differences))
        self._database.execute(
            "CREATE INDEX IF NOT EXISTS by_group ON differences (tries, grouped, filename)"
        )

    def count(self, kind: Kind | None = None) -> int:
        """Return the number of differences that are left, of one kind or all."""
        query = "SELECT count(*) FROM differences WHERE :kind IS NULL OR kind = :kind"
        return int(self._database.execute(query, {"kind": kind}).fetchone()[0])

    def take(self, count: int) -> list[tuple[Difference, int]]:
        """Remove and return some differences: those that were tried least, project by project.

        Returns
        -------
        list of tuple
            Each difference with the number of times that it has been put back.
        """
        query = "SELECT * FROM differences ORDER BY tries, grouped, filename LIMIT ?"
        taken = self._database.execute(query, [count]).fetchall()
        self._write_all("DELETE FROM differences WHERE id = ?", ((row[0],) for row in taken))
        return [
            (Difference(Kind(kind), filename, tuple(json.loads(keys)), group), tries)
            for _, kind, filename, keys, group, tries in taken
        ]

    def put_back(self, difference: Difference, tries: int) -> None:
        """Return a difference that has been taken, to be tried again after the others."""
        self._database.execute(_ADD_DIFFERENCE, _packed(difference, tries))

    def add_written(self, objects: Iterable[tuple[str, str, str | None]]) -> None:
        """Note the objects that rows were written for: key, filename and identity; None if there is none."""
        self._write_all("INSERT OR REPLACE INTO written VALUES (?, ?, ?, 0)", objects)

    def confirm(self, objects: Sequence[tuple[str, str]]) -> None:
        """Compare a page of the bucket's keys and identities with those that rows were written for."""
        self._database.execute("BEGIN")
        self._database.executemany("DELETE FROM written WHERE key = ? AND identity = ?", objects)
        self._database.executemany(
            "UPDATE written SET listed = 1 WHERE key = ?", ((key,) for key, _ in objects)
        )
        self._database.execute("COMMIT")

    def unconfirmed(self) -> list[Difference]:
        """Return the files with an object that was not listed as it was when its row was written."""
        query = "SELECT filename, key FROM written WHERE identity IS NOT NULL OR listed ORDER BY filename"
        rows = groupby(self._database.execute(query), lambda row: str(row[0]))
        return [
            Difference(Kind.STALE, filename, tuple(key for _, key in found), filename)
            for filename, found in rows
        ]

    def touch(self, names: Iterable[str]) -> None:
        """Note the names of rows that differ."""
        self._database.executemany("INSERT OR IGNORE INTO touched VALUES (?)", ((name,) for name in names))

    def is_touched(self, name: str) -> bool:
        """Return whether a row of a name differs."""
        query = "SELECT 1 FROM touched WHERE name = ?"
        return self._database.execute(query, [name]).fetchone() is not None


def _packed(difference: Difference, tries: int = 0) -> tuple[object, ...]:
    return difference.kind.value, difference.filename, json.dumps(difference.keys), difference.group, tries


def _object(values: Sequence[Any]) -> ListedObject:
    filename, key, modified, size, identity, *known = values
    if identity is None:
        return ListedObject(filename, key, modified, size)
    return ListedObject(filename, key, modified, size, known=Known(key, identity, *known))


def _row(values: Sequence[Any]) -> ListedRow:
    filename, name, modified, key, others, plausible, *rest = values
    keys = tuple(json.loads(others)) if others else ()
    return ListedRow(filename, name, modified, key, keys, bool(plausible), *rest)
