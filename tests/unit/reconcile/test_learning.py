"""Remember what a run has read, so that the next runs need not read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypicloud_s3sync.caches.base import Change, Results
from pypicloud_s3sync.reconcile import passes
from pypicloud_s3sync.reconcile.models import Kind
from pypicloud_s3sync.reconcile.state import DONE, State
from support.backends import Backend, Custom, Dynamo, Redis, Sql
from support.damage import put_row
from support.examples import long_examples
from support.remembering import NO_PACKAGE, OTHER, README, VERSION, Remembered
from support.small_world import World


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


def test_the_named_packages_are_read_in_any_case(tmp_path: Path) -> None:
    world = Remembered(tmp_path)
    world.put_all()
    world.reconcile()
    assert world.reconcile(packages=frozenset({"pkg"})).looked_at == 2
    assert (world.reconcile().looked_at, world.heads) == (0, [])


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


names = st.sampled_from(["", "thing", "pkg", "Größe", "x.y"])
versions = st.sampled_from(["", "1.0", "other", "2", "1.0-beta"])
keys = st.sampled_from([f"{folder}/{name}" for folder in "ab" for name in ("README", "pkg-1.0.zip", "x.whl")])


@pytest.mark.parametrize("by_function", [False, True])
@pytest.mark.parametrize("backend", [Dynamo, Redis, Sql], ids=lambda it: it.__name__)
@settings(long_examples(4), derandomize=True)
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
