"""A run that drops a missing key from a row which also lists another key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pypicloud_s3sync.caches.base import Change, Results
from pypicloud_s3sync.reconcile.passes import Pass
from pypicloud_s3sync.reconcile.state import State
from support.backends import Backend, Dynamo, Redis, Sql
from support.histories import BUCKET
from support.remembering import Remembered
from support.small_world import World, counts

DROPPED, KEPT = "a/pkg-1.0.zip", "b/pkg-1.0.zip"


def with_two_keys(world: World) -> World:
    for key in (DROPPED, KEPT):
        world.put(key)
    world.syncer().converge(BUCKET, [DROPPED, KEPT])
    return world


def on_a_host(world: World) -> None:
    world.reconcile()


def in_the_function(world: World) -> None:
    Pass(world.syncer(), world.bucket, State()).run()


@pytest.mark.parametrize("run", [on_a_host, in_the_function])
@pytest.mark.parametrize("number", [1, 2], ids=["before it is announced", "before it is dropped"])
@pytest.mark.parametrize("backend", [Dynamo, Redis, Sql])
def test_a_key_that_comes_back_is_not_lost_with_the_run_that_drops_it(
    backend: type[Backend], number: int, run: Callable[[World], None]
) -> None:
    """The event of its new object finds the row right, and no other run follows."""
    world = with_two_keys(World(backend))
    world.remove(DROPPED)
    write, left = world.adapter.write, [None] * number

    def interrupted_write(changes: Sequence[Change]) -> Results:
        left.pop()
        if left:
            return write(changes)
        world.adapter.write = write  # type: ignore[method-assign]
        world.put(DROPPED)
        world.syncer().converge(BUCKET, [DROPPED])
        write(changes)
        raise KeyboardInterrupt

    world.adapter.write = interrupted_write  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(world)
    world.remove(KEPT)
    world.syncer().converge(BUCKET, [KEPT])
    (row,) = world.backend.rows().values()
    assert row.data == {"path": DROPPED}


@pytest.mark.parametrize("backend", [Dynamo, Redis, Sql])
def test_a_row_without_an_object_that_lists_two_keys_counts_as_one(backend: type[Backend]) -> None:
    world = with_two_keys(World(backend))
    (before,) = world.backend.rows().values()
    for key in (DROPPED, KEPT):
        world.remove(key)
    assert counts(world.reconcile(dry_run=True)) == {"gone": 1}
    report = world.reconcile(max_deletions=lambda rows: 0)
    assert (counts(report), report.kept) == ({"gone": 1}, 1)
    (row,) = world.backend.rows().values()
    assert row.data == before.data
    report = world.reconcile()
    assert (counts(report), report.repaired, world.backend.rows()) == ({"gone": 1}, 1, {})


def test_a_dry_run_that_finds_a_dropped_key_does_not_take_a_new_package_for_none(tmp_path: Path) -> None:
    world = Remembered(tmp_path)
    with_two_keys(world)
    world.remove(DROPPED)
    world.put("c/pkg-1.0.zip")
    world.reconcile(dry_run=True)
    world.reconcile()
    (row,) = world.backend.rows().values()
    assert row.data == {"path": "c/pkg-1.0.zip", "other_paths": [KEPT]}
