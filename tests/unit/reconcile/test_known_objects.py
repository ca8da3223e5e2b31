"""The file of what runs have read."""

from __future__ import annotations

import datetime
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pypicloud_s3sync.reconcile import known_objects
from pypicloud_s3sync.reconcile.bucket import Page
from pypicloud_s3sync.reconcile.known_objects import SETTLED, KnownObjects
from pypicloud_s3sync.reconcile.models import Known, ListedObject
from support.fakes import not_none
from support.remembering import NO_PACKAGE, OTHER, README, VERSION, Remembered
from support.small_world import TIME


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


def of(numbers: range) -> list[tuple[Known, int]]:
    return [(Known(f"{number:04}", "identity"), 1) for number in numbers]


def page_of(numbers: range) -> Page:
    return Page([ListedObject(known.key, known.key, 1, 1, known.identity) for known, _ in of(numbers)], 1000)


@pytest.mark.parametrize(
    ("hinder", "message"),
    [
        ("PRAGMA max_page_count = 1", "database or disk is full"),
        ("PRAGMA query_only = 1", "attempt to write a readonly database"),
    ],
)
def test_what_a_file_that_cannot_be_written_has_is_used_to_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, hinder: str, message: str
) -> None:
    path, read, unread = tmp_path / "known", range(1000), range(1000, 3000)
    with KnownObjects(path) as known:
        known.of_page(page_of(read))
        known.add(of(read))
    caplog.set_level(logging.INFO, known_objects.__name__)
    for _ in range(2):
        caplog.clear()
        with KnownObjects(path) as known:
            # SQLite takes at least the present number of pages.
            not_none(known._database).execute(hinder)
            assert len(known.of_page(page_of(range(500)))) == 500
            known.add(of(unread))
            assert len(known.of_page(page_of(range(500, 3000)))) == 500
            known.add(of(unread))
        assert [record.getMessage() for record in caplog.records] == [
            f"what is read of objects is not remembered in {path}: {message}"
        ]
