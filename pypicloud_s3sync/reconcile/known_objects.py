"""Remember what the metadata of objects says whose key does not say it, so that it is read only once.

Of two kinds of objects, only a HeadObject tells whether the cache is right: objects that are not packages,
and packages with a name or a version that their key does not spell. What it said is kept in a file on this
host or, in the function, in its execution environment. It is true for as long as the object has the same
identity, so the file can only save requests: what a row should be, and whether it is deleted, is never
decided on it. Without the file, or without a part of it, the objects are read again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from .. import __version__
from .bucket import Page
from .models import Known

LOG = logging.getLogger(__name__)
#: Seconds that an object must be older than the listing. S3 shows whole seconds, so an object that is changed
#: again within its second looks the same.
SETTLED = 2
#: Entries that are read or deleted at once.
BATCH = 1000
#: Seconds to wait for another process that writes the file.
PATIENCE = 1.0
#: The distributions that decide, beside this one, what a package is, and which name and version it has.
RULES = ("pypicloud", "distlib")
_TABLE = """
CREATE TABLE IF NOT EXISTS known (
    key TEXT PRIMARY KEY, identity TEXT, name TEXT, version TEXT, summary TEXT, sha256 TEXT, rules TEXT
) WITHOUT ROWID
"""
_SELECT = "SELECT key, identity, name, version, summary, sha256, rules FROM known"
#: What SQLite reports about the file's place, or about another process; any other error is a damaged file.
_OUTSIDE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOLFS,
}
#: What SQLite reports if the file can be read, but not written.
_UNWRITABLE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL}

T = TypeVar("T")


class KnownObjects:
    """The file of what earlier runs have read of a bucket's objects, open during a ``with`` block.

    Parameters
    ----------
    path : Path, optional
        The file, which is created if there is something to keep, and so is its directory unless it exists.
        Without a file, nothing is kept.
    after : str
        The key after which the pages begin.
    """

    def __init__(self, path: Path | None = None, after: str = "") -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._has_failed = self._is_read_only = False
        self._rules, self._last = "", after
        self._time: int | None = None

    def __enter__(self) -> KnownObjects:
        if self._path is not None and os.path.lexists(self._path):
            self._attempt(self._open)
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _open(self) -> None:
        """Open the file, and create it if it does not exist."""
        if self._path is None:
            return
        self._rules = " ".join([__version__, *(f"{name}={metadata.version(name)}" for name in RULES)])
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database = sqlite3.connect(
            self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        self._database.execute(_TABLE)
        # A damage shows now, and not after half of a listing.
        self._database.execute(f"{_SELECT} LIMIT 1").fetchall()

    def _close(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
        self._database = None

    def _attempt(self, call: Callable[[], T]) -> T | None:
        """Return what a call returns; if the file fails, return None, and go on without it."""
        try:
            return call()
        except (OSError, sqlite3.Error, UnicodeError, metadata.PackageNotFoundError) as error:
            self._close()
            if _is_damage(error):
                # The next write creates another one.
                LOG.info("%s is damaged, and begun anew: %s", self._path, error)
                self._has_failed = not self._remove()
            else:
                self._log(error)
                self._has_failed = True
            return None

    def _log(self, error: Exception) -> None:
        LOG.info("what is read of objects is not remembered in %s: %s", self._path, error)

    def _remove(self) -> bool:
        """Remove the file; return whether that was possible."""
        for path in (f"{self._path}-journal", str(self._path)):
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True

    def of_page(self, page: Page) -> list[Known]:
        """Return what is known of the objects of a page, and forget others up to its last key.

        The pages of a bucket are in the order of their keys, so these others no longer exist.
        """
        if self._time is None:
            self._time = page.time
        if not page.objects:
            return []
        identities = {stored.key: stored.identity for stored in page.objects}
        return self._attempt(lambda: self._compared(identities, page.objects[-1].key)) or []

    def end(self) -> None:
        """Forget the objects after the last page."""
        self._attempt(lambda: self._compared({}, None))

    def _compared(self, identities: dict[str, str], last: str | None) -> list[Known]:
        found: list[Known] = []
        for entries in self._entries(last):
            current = [known for known, rules in entries if rules == self._rules]
            current = [known for known in current if identities.get(known.key) == known.identity]
            found += current
            kept = {known.key for known in current}
            obsolete = [(known.key,) for known, _ in entries if known.key not in kept]
            self._write("DELETE FROM known WHERE key = ?", obsolete)
        return found

    def _entries(self, last: str | None) -> Iterator[list[tuple[Known, str]]]:
        """Yield the entries up to a key."""
        query = f"{_SELECT} WHERE key > ? AND (? IS NULL OR key <= ?) ORDER BY key LIMIT ?"
        while self._database is not None:
            rows = self._database.execute(query, [self._last, last, last, BATCH]).fetchall()
            yield [(Known(*row[:-1]), row[-1]) for row in rows]
            if len(rows) < BATCH:
                break
            self._last = rows[-1][0]
        self._last = self._last if last is None else last

    def add(self, found: Iterable[tuple[Known, int]]) -> None:
        """Remember what was read of some objects, each with the time of its last change."""
        if self._time is None:
            return
        latest = self._time - SETTLED
        settled = [known for known, modified in found if modified <= latest]
        if settled and self._database is None and not self._has_failed:
            self._attempt(self._open)
        statement = "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?, ?)"
        self._attempt(lambda: self._write(statement, [(*known, self._rules) for known in settled]))

    def _write(self, statement: str, values: Sequence[tuple[object, ...]]) -> None:
        """Write, unless the disk is full or the file may only be read; what it has is used nevertheless."""
        if self._database is None or self._is_read_only or not values:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(statement, values)
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _UNWRITABLE:
                raise
            self._log(error)
            self._is_read_only = True
            # SQLite itself may have done so.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")


def _is_damage(error: Exception) -> bool:
    if isinstance(error, (OSError, metadata.PackageNotFoundError)):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF not in _OUTSIDE
