"""An event costs the same in a project of many files as in one of a few."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from pypicloud_s3sync.caches.base import Change, RowKey
from pypicloud_s3sync.caches.summaries import MAX_OLDER
from support.adapters import read, set_row
from support.backends import Backend, Dynamo, Redis, RedisCluster

pytestmark = pytest.mark.untraced

#: More than DynamoDB takes in one request.
FEW, MANY = 10, 150
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Project:
    """A project whose files have filenames, times and texts of the same length each.

    Attributes
    ----------
    traffic : list of int
        The size of each answer of the database.
    """

    def __init__(self, backend: type[Backend], files: int) -> None:
        database = backend(Random(0))
        self.adapter: Any = database.adapter()
        self.files, self.traffic = files, list[int]()
        rows = [self.package(number) for number in range(files)]
        keys = [RowKey(row.filename, row.name) for row in rows]
        snapshots = read(self.adapter, keys)
        changes = [Change(key, snapshots[key.filename], row) for key, row in zip(keys, rows, strict=True)]
        self.adapter.write(changes)
        database.advance(100)
        # From now on, a summary of DynamoDB knows the rows that come next.
        delete_the_newest(self)
        create_again(self)

    def package(self, number: int, text: str = "text") -> Any:
        filename = f"pkg-1.{number:05}.tar.gz"
        modified = START + datetime.timedelta(seconds=number)
        new_package = self.adapter.cache.new_package
        return new_package("pkg", f"1.{number:05}", filename, modified, text, path=f"x/{filename}")

    def count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Count from now on."""

        def counting(call: Callable[..., Any]) -> Callable[..., Any]:
            def called(*arguments: Any, **options: Any) -> Any:
                answer = call(*arguments, **options)
                self.traffic.append(len(json.dumps(answer, default=sorted)))
                return answer

            return called

        if hasattr(self.adapter, "commands"):
            monkeypatch.setattr(self.adapter.commands, "call", counting(self.adapter.commands.call))
            return
        for name in ("batch_get_item", "query", "transact_write_items"):
            monkeypatch.setattr(self.adapter.client, name, counting(getattr(self.adapter.client, name)))

    def save(self, number: int, text: str = "text") -> None:
        row = self.package(number, text)
        set_row(self.adapter, row.filename, row)

    def delete(self, number: int) -> None:
        set_row(self.adapter, self.package(number).filename, None)


def create(project: Project) -> None:
    project.save(project.files)


def create_again(project: Project) -> None:
    project.save(project.files - 1)


def create_an_older_file(project: Project) -> None:
    project.delete(1)
    project.save(1)


def overwrite_the_newest(project: Project) -> None:
    project.save(project.files - 1, "next")


def delete_the_newest(project: Project) -> None:
    project.delete(project.files - 1)


def delete_the_newest_files(project: Project) -> None:
    for number in range(MAX_OLDER):
        project.delete(project.files - 1 - number)


def delete_and_create_in_turn(project: Project) -> None:
    for _ in range(MAX_OLDER + 2):
        delete_the_newest(project)
        create_again(project)


def delete_an_older_file(project: Project) -> None:
    project.delete(1)


EVENTS = (
    *(create, create_again, create_an_older_file, overwrite_the_newest, delete_the_newest),
    *(delete_the_newest_files, delete_and_create_in_turn, delete_an_older_file),
)


#: A cluster cannot sort the rows of several servers.
CASES: tuple[tuple[type[Backend], Callable[[Project], None]], ...] = (
    *((backend, event) for backend in (Dynamo, Redis) for event in EVENTS),
    (RedisCluster, create),
)


@pytest.mark.parametrize(("backend", "event"), CASES, ids=lambda value: value.__name__)
def test_an_event_takes_the_same_calls_and_bytes_whatever_the_size_of_the_project(
    backend: type[Backend], event: Callable[[Project], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = []
    for files in (FEW, MANY):
        project = Project(backend, files)
        project.count(monkeypatch)
        event(project)
        traffic.append(project.traffic)
    few, many = traffic
    assert len(many) == len(few)
    # The numbers in the answers may have a few more digits.
    assert sum(many) <= sum(few) + 40


@pytest.mark.parametrize(
    ("backend", "evaluated"),
    [
        (Redis, 0),
        # A row and a summary each: see RedisCommands.swap.
        (RedisCluster, 2),
    ],
)
def test_new_files_of_many_projects_are_listed_together(
    backend: type[Backend], evaluated: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (count_of_first_files(backend, projects, monkeypatch) for projects in (2, 40))
    assert many - few == evaluated * (40 - 2)


def count_of_first_files(backend: type[Backend], projects: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the number of calls that write the first file of each of some projects."""
    adapter: Any = backend(Random(0)).adapter()
    names = [f"pkg{number}" for number in range(projects)]
    rows = [adapter.cache.new_package(name, "1.0", f"{name}-1.0.zip", START, path="x") for name in names]
    keys = [RowKey(row.filename, row.name) for row in rows]
    snapshots = read(adapter, keys)
    calls: list[int] = []
    call = adapter.commands.call

    def counting(send: Callable[[], Any]) -> Any:
        calls.append(1)
        return call(send)

    monkeypatch.setattr(adapter.commands, "call", counting)
    adapter.write([Change(key, snapshots[key.filename], row) for key, row in zip(keys, rows, strict=True)])
    assert sorted(adapter.cache.distinct()) == sorted(names)
    return len(calls)


def test_a_cluster_reads_no_more_than_three_fields_of_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(RedisCluster, MANY)
    project.count(monkeypatch)
    delete_the_newest(project)
    assert len(project.traffic) < 16
    # Twice, as the rows are read again after the summary has been written.
    assert sum(project.traffic) < 2 * 80 * MANY
