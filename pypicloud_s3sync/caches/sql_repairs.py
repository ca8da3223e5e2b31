"""Patch pypicloud's SQL cache so that several programs can write its table at the same time.

pypicloud 1.3.12 assumes that nobody else writes: :mod:`pypicloud_s3sync.compat` applies these repairs in the
server and in the function. They can go once pypicloud does the same.
"""

from __future__ import annotations

import datetime
from typing import Any

from pypicloud.cache import sql
from sqlalchemy import func
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from .canary import is_canary

_DONE = "_s3sync_repaired"
#: The databases whose names of an SQLAlchemy dialect these are read repeatably by default.
_REPEATABLE_READ = ("mysql", "mariadb")


def apply() -> None:
    """Apply the repairs once."""
    if getattr(sql.SQLCache, _DONE, False):
        return
    setattr(sql.SQLCache, _DONE, True)
    _read_committed(sql.SQLCache)
    sql.SQLCache.save = _save
    sql.SQLCache.summary = _summary
    sql.SQLCache.distinct = _without_canary(sql.SQLCache.distinct)
    sql.SQLCache.search = _search_without_canary(sql.SQLCache.search)
    sql.TZAwareDateTime.process_bind_param = _in_utc


def _read_committed(cache: Any) -> None:
    """Let MySQL read what others have committed, unless ``db.isolation_level`` is set.

    By default, a transaction of MySQL goes on seeing the rows of its beginning. A rebuild then inserts a row
    that another program has inserted since, and fails.
    https://dev.mysql.com/doc/refman/8.4/en/innodb-transaction-isolation-levels.html
    """
    configure = cache.configure.__func__

    def configured(cls: Any, settings: Any) -> Any:
        url = settings.get("db.url")
        if url and make_url(url).get_backend_name() in _REPEATABLE_READ:
            settings.setdefault("db.isolation_level", "READ COMMITTED")
        return configure(cls, settings)

    cache.configure = classmethod(configured)


def _save(self: Any, package: Any) -> None:
    """Save a package; once more if another program inserts or deletes its row at the same time.

    pypicloud looks for the row, and writes it only when its transaction ends. If the row is inserted in
    between, the upload has status 500 although its file is in the bucket. SQLite has a single writer, and its
    driver does not roll back to a savepoint.
    """
    if self.db.get_bind().dialect.name == "sqlite":
        self.db.merge(package)
        return
    try:
        _merge(self.db, package)
    except (IntegrityError, StaleDataError):
        _merge(self.db, package)


def _merge(session: Any, package: Any) -> None:
    with session.begin_nested():
        session.merge(package)
        session.flush()


def _summary(self: Any) -> list[dict[str, Any]]:
    """Return a summary of each name: that of its newest file, and of several the one with the last filename.

    S3's times are whole seconds, so the files of a release often have the same. pypicloud then returns the
    one that the database happens to return first.
    """
    package = sql.SQLPackage
    newest = (
        self.db.query(package.name, func.max(package.last_modified).label("last_modified"))
        .group_by(package.name)
        .subquery()
    )
    rows = self.db.query(package.name, package.last_modified, package.summary, package.filename).filter(
        (package.name == newest.c.name) & (package.last_modified == newest.c.last_modified)
    )
    chosen = {
        name: (modified, summary) for name, modified, summary, _ in sorted(rows, key=lambda row: row[3])
    }
    return [
        {"name": name, "last_modified": modified, "summary": summary}
        for name, (modified, summary) in chosen.items()
        if not is_canary(name)
    ]


def _without_canary(distinct: Any) -> Any:
    """Return ``distinct`` without the package that the doctor sends through: see :mod:`.canary`."""

    def listed(self: Any) -> list[str]:
        return [name for name in distinct(self) if not is_canary(name)]

    return listed


def _search_without_canary(search: Any) -> Any:
    """Return ``search`` without the package that the doctor sends through."""

    def found(self: Any, criteria: Any, query_type: str) -> list[Any]:
        return [package for package in search(self, criteria, query_type) if not is_canary(package.name)]

    return found


def _in_utc(self: Any, value: datetime.datetime | None, dialect: Any) -> datetime.datetime | None:
    """Bind a time in UTC, without its zone, for a column that has none.

    PostgreSQL would convert it to the zone of the session. pypicloud reads it as UTC, so it would be shifted
    by hours, and at the end of summer time an hour comes twice.
    """
    if value is None or value.tzinfo is None:
        return value
    return value.astimezone(datetime.UTC).replace(tzinfo=None)
