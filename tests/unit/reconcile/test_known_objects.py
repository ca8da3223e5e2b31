from __future__ import annotations

import datetime
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pypicloud_s3sync.caches.base import Change, Results
from pypicloud_s3sync.reconcile import known_objects, passes
from pypicloud_s3sync.reconcile.bucket import Page
from pypicloud_s3sync.reconcile.known_objects import SETTLED, KnownObjects
from pypicloud_s3sync.reconcile.models import Kind, Known, ListedObject, Options, Report, Reporter
from pypicloud_s3sync.reconcile.passes import Pass
from pypicloud_s3sync.reconcile.run import listings_differ, reconcile
from pypicloud_s3sync.reconcile.state import DONE, State
from support.backends import Backend, Custom, Dynamo, Redis, Sql
from support.damage import put_row
from support.fakes import not_none
from support.small_world import TIME, World

LATER = TIME + datetime.timedelta(hours=1)
#: Objects of which only the metadata tells what they are.
NO_PACKAGE = {"name": "", "version": "", "summary": ""}
README, OTHER, VERSION = "a/README", "other/pkg-1.0.zip", "a/pkg-2.0.zip"


class Remembered(World):
    """A world whose runs remember what they have read in a file, and whose S3 says what time it is."""

    def __init__(self, directory: Path, backend: type[Backend] = Sql) -> None:
        super().__init__(backend)
        self.path = directory / "cache" / "known.objects"
        self.now = LATER
        paginate, list_objects_v2 = self.bucket.paginate, self.bucket.list_objects_v2

        def dated(page: dict[str, Any]) -> dict[str, Any]:
            date = self.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
            return page | {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}

        self.bucket.paginate = lambda **arguments: map(dated, paginate(**arguments))  # type: ignore
        self.bucket.list_objects_v2 = lambda **arguments: dated(list_objects_v2(**arguments))  # type: ignore

    def put_all(self) -> None:
        """Put a file of each kind, and a package that its key spells."""
        self.put(README, **NO_PACKAGE)
        self.put(OTHER, name="thing", version="9")
        self.put(VERSION, name="pkg", version="other")
        self.put("a/plain-1.0.zip")

    def reconcile(self, reporter: Reporter | None = None, **options: Any) -> Report:
        with KnownObjects(self.path) as known:
            return reconcile(self.syncer(), self.bucket, Options(**options), reporter, known=known)

    def step(self, state: State, seconds: float | None = None) -> State:
        """Reconcile as an invocation of the function does; with little time, it ends after one step."""
        with KnownObjects(self.path, after=state.cursor) as known:
            work = Pass(self.syncer(), self.bucket, state, clock=count().__next__, known=known)
            return work.run(seconds)

    def fan_out(self) -> list[str]:
        return self.fanned_out()[0]

    def fanned_out(self) -> tuple[list[str], Report]:
        """Compare, and return the messages for the function, and the report."""
        sent: list[str] = []

        def send(texts: Sequence[str]) -> Mapping[int, str]:
            sent.extend(texts)
            return {}

        with KnownObjects(self.path) as known:
            report = reconcile(self.syncer(), self.bucket, send=send, known=known)
        return sent, report

    def differ(self) -> bool:
        with KnownObjects(self.path) as known:
            return listings_differ(self.syncer(), self.bucket, known)

    def replace_object(self, key: str, etag: str = "e", **metadata: str) -> None:
        """Put another object, an hour later, of the same size."""
        self.put(key, **metadata)
        found = self.bucket.current(key)
        assert found is not None
        self.bucket.versions[key] = [replace(found, etag=etag, last_modified=self.now)]
        self.now += datetime.timedelta(hours=1)


@pytest.fixture(params=[Dynamo, Redis, Sql, Custom], ids=lambda it: it.__name__)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Remembered:
    world = Remembered(tmp_path, request.param)
    world.put_all()
    return world


def test_an_unchanged_bucket_costs_no_head_and_no_message(world: Remembered) -> None:
    first = world.reconcile()
    assert (first.added, sorted(set(world.heads))) == (3, sorted(world.bucket.versions))
    again = world.reconcile()
    assert (again.in_sync, again.looked_at, world.heads) == (True, 0, [])
    assert (world.reconcile(dry_run=True).looked_at, world.heads) == (0, [])
    assert (world.fan_out(), world.heads, world.differ()) == ([], [], False)


def test_the_function_reads_an_unchanged_object_once(world: Remembered) -> None:
    first = world.step(State())
    assert (first.phase, first.added, set(world.heads)) == (DONE, 3, set(world.bucket.versions))
    again = world.step(State())
    assert (again.agreeing, again.added, again.repaired, world.heads) == (3, 0, 0, [])
    world.replace_object(README, "f", name="readme", version="1")
    world.replace_object(VERSION, "f", name="pkg", version="later")
    changed = world.step(State())
    assert (changed.added, changed.repaired, set(world.heads)) == (1, 1, {README, VERSION})
    assert (world.step(State()).agreeing, world.heads) == (4, [])
    # A host finds the same differences, and knows what the function has read.
    assert (world.reconcile().looked_at, world.heads) == (0, [])


def test_an_invocation_forgets_nothing_that_an_earlier_one_has_listed(
    world: Remembered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "SHORT_PAGE", 1)
    for _ in range(2):
        state, read = State(), list[str]()
        while state.phase != DONE:
            state = world.step(state, 1)
            read += world.heads
    assert read == []
    world.remove(README)
    world.remove(OTHER)
    state = State()
    while state.phase != DONE:
        state = world.step(state, 1)
    with sqlite3.connect(world.path) as database:
        assert list(database.execute("SELECT key FROM known")) == [(VERSION,)]


def test_what_a_dry_run_or_a_fan_out_has_read_is_remembered(world: Remembered) -> None:
    messages, report = world.fanned_out()
    assert (len(messages), report.queued, sum(report.differences.values())) == (3, 3, 3)
    assert report.looked_at == 1, "only of what is no package by its name, a listing cannot tell"
    World.reconcile(world)
    assert (world.fan_out(), set(world.heads)) == ([], {OTHER, VERSION})
    assert (world.reconcile().looked_at, world.heads) == (0, [])
    world.path.unlink()
    assert (world.reconcile(dry_run=True).in_sync, len(world.heads)) == (True, 3)
    assert (world.reconcile().looked_at, world.heads) == (0, [])


def test_what_cannot_be_read_here_is_left_to_the_function(tmp_path: Path) -> None:
    world = Remembered(tmp_path)
    world.put_all()
    world.denied = {README}
    messages, report = world.fanned_out()
    assert (len(messages), report.queued, report.failures) == (4, 4, 0)


@pytest.mark.parametrize("field", ["name", "version", "summary"])
def test_a_damaged_row_is_found_again(world: Remembered, field: str) -> None:
    world.reconcile()
    row = world.backend.rows()["pkg-1.0.zip"]
    damaged = {"name": row.name, "version": row.version, "summary": row.summary} | {field: "1.0"}
    cache = world.adapter.cache
    wrong = cache.new_package(
        damaged["name"], damaged["version"], row.filename, row.last_modified, damaged["summary"], **row.data
    )
    put_row(world.backend, wrong)
    assert world.differ()
    assert len(world.fan_out()) == 1
    report = world.reconcile()
    assert (report.differences[Kind.STALE], report.repaired, OTHER in world.heads) == (1, 1, True)
    found = world.backend.rows()["pkg-1.0.zip"]
    assert (found.name, found.version) == ("thing", "9")
    assert (world.reconcile().looked_at, world.heads) == (0, [])


def test_an_object_that_was_replaced_is_read_again(world: Remembered) -> None:
    world.reconcile()
    world.replace_object(README, "f", name="readme", version="1")
    world.replace_object(OTHER, "f", name="thing", version="10")
    # Its metadata was changed, by a copy onto itself.
    world.replace_object(VERSION, name="pkg", version="later")
    report = world.reconcile()
    assert (report.added, report.repaired, len(set(world.heads))) == (1, 3, 3)
    rows = world.backend.rows()
    assert {name: rows[name].version for name in ("README", "pkg-1.0.zip", "pkg-2.0.zip")} == {
        "README": "1",
        "pkg-1.0.zip": "10",
        "pkg-2.0.zip": "later",
    }
    assert (world.reconcile().looked_at, world.heads) == (0, [])
    world.replace_object(README, **NO_PACKAGE)
    assert world.reconcile().differences[Kind.GONE] == 1
    assert (world.reconcile().looked_at, world.heads) == (0, [])


def test_an_object_without_a_package_beside_one_with_the_same_filename_is_read_once(
    world: Remembered,
) -> None:
    world.put("b/README", name="readme", version="1")
    assert world.reconcile().added == 4
    assert (world.reconcile().looked_at, world.heads) == (0, [])
    world.remove("b/README")
    assert world.reconcile().differences[Kind.GONE] == 1
    assert (world.reconcile().looked_at, world.heads, len(world.backend.rows())) == (0, [], 3)


def test_an_object_that_is_too_young_is_not_remembered(tmp_path: Path) -> None:
    world = Remembered(tmp_path)
    world.put(README, **NO_PACKAGE)
    world.now = TIME + datetime.timedelta(seconds=SETTLED - 1)
    world.reconcile()
    # It was changed within its second.
    world.put(README, name="readme", version="1")
    assert world.reconcile().added == 1


def test_a_bucket_of_plain_packages_has_no_file(tmp_path: Path) -> None:
    world = Remembered(tmp_path)
    world.put("a/plain-1.0.zip")
    assert world.reconcile().added == 1
    assert not world.path.parent.exists()


def test_without_the_time_of_s3_nothing_is_remembered(tmp_path: Path) -> None:
    with KnownObjects(tmp_path / "known") as known:
        assert known.of_page(Page([ListedObject("README", README, 1, 1, "identity")], None)) == []
        known.add([(Known(README, "identity"), 1)])
        assert known.of_page(Page([ListedObject("README", README, 1, 1, "identity")], 9)) == []


def test_objects_that_no_longer_exist_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_objects, "BATCH", 2)
    world = Remembered(tmp_path)
    for number in range(9):
        world.put(f"a/README.{number}", **NO_PACKAGE)
    world.reconcile()
    for number in (0, 1, 4, 7, 8):
        world.remove(f"a/README.{number}")
    assert (world.reconcile().looked_at, world.heads) == (0, [])
    with sqlite3.connect(world.path) as database:
        found = [key for (key,) in database.execute("SELECT key FROM known ORDER BY key")]
    assert found == [f"a/README.{number}" for number in (2, 3, 5, 6)]


def test_the_named_packages_are_read_in_any_case(tmp_path: Path) -> None:
    world = Remembered(tmp_path)
    world.put_all()
    world.reconcile()
    assert world.reconcile(packages=frozenset({"pkg"})).looked_at == 2
    assert (world.reconcile().looked_at, world.heads) == (0, [])


def corrupt(path: Path) -> None:
    path.write_bytes(b"nothing of SQLite's" * 1000)


def garble(path: Path) -> None:
    """Overwrite everything but the first page."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_table(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE known (key, etag)")


def other_version(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE known SET rules = 'another version', name = 'wrong'")


@pytest.mark.parametrize("damage", [corrupt, garble, truncate, empty, other_table, other_version])
def test_a_damaged_file_or_one_of_another_version_is_begun_anew(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    world = Remembered(tmp_path)
    world.put_all()
    world.reconcile()
    damage(world.path)
    # If a damage shows in the middle of a run, the next one begins anew.
    assert world.reconcile().in_sync
    assert set(world.heads) == {README, OTHER, VERSION}
    world.reconcile()
    assert (world.reconcile().looked_at, world.heads) == (0, [])


def readonly_home(path: Path) -> None:
    path.parent.parent.chmod(0o500)


def file_in_place(path: Path) -> None:
    path.parent.write_text("no directory")


def directory_in_place(path: Path) -> None:
    path.mkdir(parents=True)


def locked(path: Path) -> None:
    path.parent.mkdir()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    LOCKS.append(database)


def not_installed(path: Path) -> None:
    """Run from a checkout or a zip, of which Python knows no version."""


LOCKS: list[sqlite3.Connection] = []


@pytest.mark.parametrize("hinder", [readonly_home, file_in_place, directory_in_place, locked, not_installed])
def test_a_run_works_without_the_file_and_says_so_once(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    hinder: Callable[[Path], None],
) -> None:
    monkeypatch.setattr(known_objects, "PATIENCE", 0.01)
    world = Remembered(tmp_path / "home")
    world.path.parent.parent.mkdir()
    world.put_all()
    hinder(world.path)
    if hinder is readonly_home and os.geteuid() == 0:
        # Nothing is read-only for root.
        monkeypatch.setattr(Path, "mkdir", refuse)
    if hinder is not_installed:
        monkeypatch.setattr(known_objects, "RULES", ("a-distribution-that-is-not-installed",))
    with caplog.at_level(logging.INFO, known_objects.__name__):
        assert world.reconcile().in_sync
    lines = [record.getMessage() for record in caplog.records if record.name == known_objects.__name__]
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"what is read of objects is not remembered in {world.path}: ")
    assert (world.reconcile().in_sync, len(world.heads)) == (True, 3)
    while LOCKS:
        LOCKS.pop().close()


def refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


KILLED = """
import os, sys
from pathlib import Path
from pypicloud_s3sync.reconcile.bucket import Page
from pypicloud_s3sync.reconcile.known_objects import KnownObjects
from pypicloud_s3sync.reconcile.models import Known

known = KnownObjects(Path(sys.argv[1])).__enter__()
known.of_page(Page([], 1000))
known.add([(Known("first", "identity"), 1)])
# Pages are written before the transaction ends.
known._database.execute("PRAGMA cache_size = 1")
known._database.execute("BEGIN")
known._database.execute("DELETE FROM known")
known._database.executemany(
    "INSERT INTO known VALUES (?, 'half', 'wrong', '', '', NULL, '')", ((str(n),) for n in range(5000))
)
os.kill(os.getpid(), 9)
"""


def test_a_run_that_is_killed_in_a_write_leaves_what_was_written_before(tmp_path: Path) -> None:
    path = tmp_path / "known"
    assert subprocess.run([sys.executable, "-c", KILLED, path]).returncode == -9
    assert path.with_name("known-journal").exists()
    with KnownObjects(path) as known:
        page = Page([ListedObject("first", "first", 1, 1, "identity")], 1000)
        assert known.of_page(page) == [Known("first", "identity")]


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("backend", [Dynamo, Redis, Sql], ids=lambda it: it.__name__)
def test_a_run_that_ends_before_or_after_it_writes_rows_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: type[Backend], is_written: bool
) -> None:
    world = Remembered(tmp_path, backend)
    world.put_all()
    world.reconcile()
    world.replace_object(README, "f", name="readme", version="1")
    world.replace_object(OTHER, "f", **NO_PACKAGE)
    write = world.adapter.write

    def end(changes: Sequence[Change]) -> Results:
        if is_written:
            write(changes)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(world.adapter, "write", end)
        with pytest.raises(KeyboardInterrupt):
            world.reconcile()
    world.reconcile()
    assert {row.version for row in world.backend.rows().values()} == {"1", "other", "1.0"}
    assert (world.reconcile().looked_at, world.heads) == (0, [])


def test_runs_at_the_same_time_share_what_they_read(tmp_path: Path) -> None:
    path, page = tmp_path / "known", Page([], 1000)
    with KnownObjects(path) as one, KnownObjects(path) as other:
        for known, key in ((one, "a"), (other, "b")):
            known.of_page(page)
            known.add([(Known(key, "identity"), 1)])
    with KnownObjects(path) as known:
        listed = [ListedObject(key, key, 1, 1, "identity") for key in "ab"]
        assert [found.key for found in known.of_page(Page(listed, 1000))] == ["a", "b"]


ADDING = """
import sys
from pathlib import Path
from pypicloud_s3sync.reconcile import known_objects
from pypicloud_s3sync.reconcile.bucket import Page
from pypicloud_s3sync.reconcile.known_objects import KnownObjects
from pypicloud_s3sync.reconcile.models import Known

known_objects.PATIENCE = 60
with KnownObjects(Path(sys.argv[1])) as known:
    known.of_page(Page([], 1000))
    print(flush=True)
    sys.stdin.read()
    for number in range(20):
        known.add([(Known(f"{sys.argv[2]}/{number:02}", "identity"), 1)])
"""


def test_processes_that_write_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path, pipe = tmp_path / "known", subprocess.PIPE
    processes = [
        subprocess.Popen([sys.executable, "-c", ADDING, path, name], stdin=pipe, stdout=pipe)
        for name in "abc"
    ]
    for process in processes:
        not_none(process.stdout).readline()
    # All of them begin now, with the creation of the file.
    for process in processes:
        not_none(process.stdin).close()
    assert [process.wait() for process in processes] == [0, 0, 0]
    for process in processes:
        not_none(process.stdout).close()
    keys = [f"{name}/{number:02}" for name in "abc" for number in range(20)]
    listed = [ListedObject(key, key, 1, 1, "identity") for key in keys]
    with KnownObjects(path) as known:
        assert [found.key for found in known.of_page(Page(listed, 1000))] == keys


names = st.sampled_from(["", "thing", "pkg", "Größe", "x.y"])
versions = st.sampled_from(["", "1.0", "other", "2", "1.0-beta"])
keys = st.sampled_from([f"{folder}/{name}" for folder in "ab" for name in ("README", "pkg-1.0.zip", "x.whl")])


@pytest.mark.parametrize("by_function", [False, True])
@pytest.mark.parametrize("backend", [Dynamo, Redis, Sql], ids=lambda it: it.__name__)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
    print_blob=True,
    derandomize=True,
)
@given(steps=st.lists(st.lists(st.tuples(keys, names, versions, st.booleans()), max_size=5), max_size=4))
def test_runs_that_remember_leave_what_runs_without_memory_leave(
    backend: type[Backend],
    by_function: bool,
    steps: list[list[tuple[str, str, str, bool]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world = Remembered(tmp_path_factory.mktemp("world"), backend)
    for changes in steps:
        for number, (key, name, version, is_removed) in enumerate(changes):
            world.replace_object(key, f"e{number}", name=name, version=version)
            if is_removed:
                world.remove(key)
        if by_function:
            world.step(State())
        else:
            world.reconcile(max_deletions=lambda rows: 100)
        remembered = world.backend.state()
        forgetful = World.reconcile(world, max_deletions=lambda rows: 100)
        assert (forgetful.repaired, world.backend.state()) == (0, remembered)
        again = world.reconcile()
        assert (again.in_sync, again.looked_at, world.heads, world.fan_out()) == (True, 0, [], [])
        if by_function:
            world.step(State())
            assert world.heads == []
