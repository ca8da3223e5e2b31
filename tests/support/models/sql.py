"""A model of an SQL database: one table."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from pypicloud_s3sync.caches.base import CacheAdapter, Change, Result, RowKey, Snapshot, same
from pypicloud_s3sync.caches.sql import SqlAdapter
from support.states import State, row_of, state_of

from .base import Ask, Model, Request, Work, text


class Sql(Model):
    """A table. A transaction of a row is one step, because it locks its row; so is one of the server.

    A state is a sorted tuple of the rows' contents.
    """

    def adapter(self, ask: Ask) -> CacheAdapter:
        return _AskingSqlAdapter(ask)

    def answer(self, request: Request, database: Any) -> tuple[Hashable, Hashable]:
        rows = {row[0]: row for row in database}
        if request[0] == "select":
            filenames: Any = request[1]
            return tuple(rows.get(filename) for filename in filenames), database
        _, filename, before, after = request
        if rows.get(filename) != before:
            return Result.CONFLICT, database
        return Result.WRITTEN, _table(rows, filename, after)

    def serve(self, work: Work, step: int, database: Any) -> tuple[Hashable, int]:
        rows = {row[0]: row for row in database}
        row = rows.get(work.filename)
        wanted = work.choose(None if row is None else _loaded(row), _package)
        return _table(rows, work.filename, None if wanted is None else _row(wanted)), 0

    def state(self, database: Any) -> State:
        return state_of({row[0]: row_of(_loaded(row)) for row in database})


def _table(rows: dict[Any, Any], filename: Any, row: Any) -> Hashable:
    left = {key: value for key, value in rows.items() if key != filename}
    return tuple(sorted((left | ({} if row is None else {filename: row})).values()))


def _package(*arguments: Any, **options: Any) -> Any:
    from pypicloud.models import Package

    return Package(*arguments, **options)


def _row(package: Any) -> Hashable:
    return (
        package.filename,
        package.name,
        package.version,
        package.last_modified,
        package.summary,
        text(package.data),
    )


def _loaded(row: Any) -> Any:
    filename, name, version, modified, summary, data = row
    return _package(name, version, filename, modified, summary, **json.loads(data))


class _AskingSqlAdapter(SqlAdapter):
    """The SQL adapter whose transactions ask the model."""

    def __init__(self, ask: Ask) -> None:
        super().__init__(SimpleNamespace(new_package=_package))
        self.ask = ask

    def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
        filenames = tuple(key.filename for key in keys)
        rows = self.ask("select", filenames)
        return {
            filename: Snapshot(None if row is None else _loaded(row))
            for filename, row in zip(filenames, rows, strict=True)
        }

    def _write_together(self, changes: Sequence[Change]) -> dict[str, Result]:
        # A transaction of several rows is one order in which a transaction of each row can happen.
        return {change.filename: self._replace(change) for change in changes}

    def _replace(self, change: Change) -> Result:
        row, wanted = change.snapshot.row, change.wanted
        if same(row, wanted):
            return Result.UNCHANGED
        before, after = (None if package is None else _row(package) for package in (row, wanted))
        answer: Result = self.ask("replace", change.filename, before, after)
        return answer
