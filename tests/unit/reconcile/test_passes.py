from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.exceptions import EventError
from pypicloud_s3sync.reconcile import passes
from pypicloud_s3sync.reconcile.passes import Pass
from pypicloud_s3sync.reconcile.state import DONE, State
from support.backends import Backend, Dynamo, Redis, Sql
from support.small_world import World

backends = pytest.mark.parametrize("backend", [Dynamo, Redis, Sql], ids=lambda backend: backend.__name__)


def work_on(world: World, state: State | None = None, **more: Any) -> Pass:
    return Pass(world.syncer(), world.bucket, state or State(), **more)


def rows_of(state: State) -> tuple[int, ...]:
    return state.objects, state.added, state.repaired, state.deleted


@backends
def test_an_empty_cache_is_filled_and_then_costs_no_head(backend: type[Backend]) -> None:
    world = World(backend)
    for number in range(7):
        world.put(f"x/pkg{number % 3}/pkg{number % 3}-{number}.0.zip")
    assert rows_of(work_on(world).run()) == (7, 7, 0, 0)
    state = work_on(world).run()
    assert (rows_of(state), state.phase, world.heads) == ((7, 0, 0, 0), DONE, [])
    # DynamoDB's own number, which may be hours old, is not used.
    assert state.rows == 7


@backends
def test_rows_are_looked_at_only_if_there_are_more_than_objects(backend: type[Backend]) -> None:
    world = World(backend)
    for number in range(6):
        world.put(f"x/pkg{number}-1.0.zip")
    work_on(world).run()
    world.remove("x/pkg2-1.0.zip")
    state = work_on(world).run()
    assert (rows_of(state), state.phase) == ((5, 0, 0, 1), DONE)
    assert world.backend.filenames() == {f"pkg{number}-1.0.zip" for number in (0, 1, 3, 4, 5)}


@backends
def test_a_row_that_is_wrong_is_repaired(backend: type[Backend]) -> None:
    world = World(backend)
    world.put("x/pkg-1.0.zip")
    work_on(world).run()
    world.put("y/pkg-1.0.zip")
    state = work_on(world).run()
    assert rows_of(state)[1:] == (0, 1, 0)
    assert work_on(world).run().agreeing == 1


@backends
def test_what_was_looked_at_for_nothing_is_not_counted_as_repaired(
    backend: type[Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "PAGE", 1)
    world = World(backend)
    world.put("x/pkg-1.0.zip")
    world.put("y/pkg-1.0.zip")
    world.put("z/strange.zip", name="other", version="7")
    assert rows_of(work_on(world).run()) == (3, 2, 1, 0)
    state = work_on(world).run()
    assert (rows_of(state), state.agreeing) == ((3, 0, 0, 0), 2)
    assert set(world.heads) == {"x/pkg-1.0.zip", "y/pkg-1.0.zip", "z/strange.zip"}


def test_a_function_that_may_not_scan_its_tables_adds_and_repairs_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its role may do so only with a schedule; ``enable`` lets it reconcile without one."""

    def deny(**arguments: Any) -> None:
        answer: Any = {"Error": {"Code": "AccessDeniedException"}}
        raise ClientError(answer, "Scan")

    world = World(Dynamo)
    world.put("x/pkg-1.0.zip")
    work = work_on(world)
    monkeypatch.setattr(work._scan.adapter.client, "scan", deny)
    state = work.run()
    assert (rows_of(state), state.phase, state.rows) == ((1, 1, 0, 0), DONE, 1)


def test_it_goes_on_where_the_last_invocation_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each invocation has time for one step only, and its state is all that the next one knows."""
    monkeypatch.setattr(passes, "SHORT_PAGE", 2)
    world = World(Sql)
    for number in range(7):
        world.put(f"x/pkg{number}-1.0.zip")
    state, invocations = State(), 0
    while state.phase != DONE:
        state = work_on(world, State.of(state.document()), clock=count().__next__).run(1)
        invocations += 1
        assert invocations < 10
    assert (invocations, rows_of(state)) == (4, (7, 7, 0, 0))
    # The second pass is continued in the same way.
    for number in range(4):
        world.remove(f"x/pkg{number}-1.0.zip")
    state = State()
    while state.phase != DONE:
        state = work_on(world, State.of(state.document()), clock=count().__next__).run(1)
    assert (state.objects, state.deleted) == (3, 4)
    assert len(world.backend.filenames()) == 3


def test_too_many_rows_without_an_object_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "a_tenth", lambda rows: 1)
    world = World(Sql)
    for number in range(4):
        world.put(f"x/pkg{number}-1.0.zip")
    work_on(world).run()
    for number in range(2):
        world.remove(f"x/pkg{number}-1.0.zip")
    state = work_on(world).run()
    assert (state.phase, state.kept, state.deleted) == (DONE, 2, 0)
    assert len(world.backend.filenames()) == 4


def test_a_key_that_fails_does_not_stop_the_others() -> None:
    world = World(Sql)
    for number in range(3):
        world.put(f"x/pkg{number}-1.0.zip")
    world.denied.add("x/pkg1-1.0.zip")
    work = work_on(world)
    assert rows_of(work.run()) == (3, 2, 0, 0)
    assert list(work.failed) == ["x/pkg1-1.0.zip"]
    assert work.state.failed == 1


def test_an_invocation_ends_or_hands_over_before_it_keeps_many_failures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passes, "PAGE", 2)
    monkeypatch.setattr(passes, "MOST_FAILED", 3)
    world = World(Sql)
    for number in range(10):
        world.put(f"x/pkg{number}-1.0.zip")
    world.denied = set(world.bucket.versions)
    state, ended = State(), list[int]()
    while state.phase != DONE:
        work = work_on(world, state)
        state = work.run()
        ended.append(len(work.failed))
    assert (ended, state.failed, state.objects) == ([4, 4, 2], 10, 10)

    taken: list[str] = []

    def take(failed: dict[str, str]) -> None:
        taken.extend(failed)
        failed.clear()

    work = work_on(world, hand_over=take)
    assert work.run().phase == DONE
    assert sorted([*taken, *work.failed]) == sorted(world.denied)


@pytest.mark.parametrize(
    "document", [{"phase": "x"}, {"cursor": 7}, {"objects": "7"}, {"objects": True}, {"x": 1}]
)
def test_a_document_that_is_no_state_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(EventError, match="request to reconcile"):
        State.of(document)
