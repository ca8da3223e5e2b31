from __future__ import annotations

import datetime
from typing import Any

import pytest

from pypicloud_s3sync.reconcile.scans import scan_of
from pypicloud_s3sync.regions import wait
from pypicloud_s3sync.regions.wait import Look, State, find_key, is_filename, look_at, usual_keys
from support.backends import Backend, Dynamo, Redis, Sql
from support.damage import drop_name
from support.regions import START, World, change_row, drop_row, overwrite_without_event

backends = pytest.mark.parametrize("backend", [Dynamo, Redis, Sql], ids=lambda backend: backend.__name__)
FILENAME = "pkg-1.0.zip"
#: Where pypicloud puts it.
KEY = "4d4c/pkg/pkg-1.0.zip"
MISSING = Look(State.NOT_IN_BUCKET, KEY, "pkg")
FOUND = Look(State.AVAILABLE, KEY, "pkg")


def look(world: World, filename: str = FILENAME) -> Look:
    world.backend.advance(100)
    keys = list(usual_keys(filename, world.prefix))
    return look_at(world.region, scan_of(world.adapter), filename, keys)


@pytest.fixture(params=[Dynamo, Redis, Sql], ids=lambda backend: backend.__name__)
def world(request: pytest.FixtureRequest) -> World:
    """A region without packages, with each kind of cache."""
    return World(0, request.param)


@pytest.mark.parametrize("key", ["{hash}/pkg/pkg-1.0.zip", "pkg/pkg-1.0.zip", "pkg-1.0.zip"])
@pytest.mark.parametrize("prefix", ["", "packages/"])
def test_a_file_goes_through_the_bucket_to_the_cache(key: str, prefix: str) -> None:
    world = World(0, prefix=prefix)
    usual = next(usual_keys(FILENAME, "")).partition("/")[0]
    key = key.format(hash=usual)
    assert look(world).state is State.NOT_IN_BUCKET
    world.put(key)
    assert look(world) == Look(State.NOT_IN_CACHE, prefix + key, "pkg")
    world.event(key)
    assert look(world) == Look(State.AVAILABLE, prefix + key, "pkg")
    world.remove(key)
    assert look(world).state is State.NOT_IN_BUCKET
    world.event(key)
    assert look(world).state is State.NOT_IN_BUCKET


def test_a_file_under_any_key_is_available_once_its_row_names_the_key(world: World) -> None:
    world.put("elsewhere/pkg-1.0.zip")
    assert look(world).state is State.NOT_IN_BUCKET
    assert find_key(world.region, FILENAME, 10) == "elsewhere/pkg-1.0.zip"
    world.event("elsewhere/pkg-1.0.zip")
    assert look(world) == Look(State.AVAILABLE, "elsewhere/pkg-1.0.zip", "pkg")


def test_a_search_that_takes_too_long_ends(world: World) -> None:
    for number in range(9):
        world.put(f"a/other-{number}.zip")
    times = iter(range(100))
    assert find_key(world.region, FILENAME, 2, lambda: next(times)) is None
    assert next(times) == 4
    assert find_key(world.region, FILENAME, 1000) is None


def test_the_row_of_an_earlier_upload_is_not_enough(world: World) -> None:
    key = next(usual_keys(FILENAME, ""))
    world.put(key, hash_sha256="5a")
    world.event(key)
    assert look(world).state is State.AVAILABLE
    overwrite_without_event(world, key)
    assert look(world).state is State.STALE
    world.event(key)
    assert look(world).state is State.AVAILABLE


def test_without_a_hash_the_time_tells_an_earlier_upload(world: World) -> None:
    key = next(usual_keys(FILENAME, ""))
    world.put(key)
    world.event(key)
    world.put(key, seconds=1)
    assert look(world).state is State.STALE


def test_the_row_of_the_server_that_took_the_upload_may_have_another_time(world: World) -> None:
    key = next(usual_keys(FILENAME, ""))
    world.put(key, hash_sha256="5a")
    world.event(key)
    change_row(world, key, last_modified=START - datetime.timedelta(seconds=2))
    assert look(world).state is State.AVAILABLE


def test_a_row_of_another_key_is_stale(world: World) -> None:
    key = next(usual_keys(FILENAME, ""))
    world.put(key)
    world.event(key)
    change_row(world, key, path="gone/pkg-1.0.zip")
    assert look(world).state is State.STALE


def test_a_row_that_was_lost_is_missing(world: World) -> None:
    key = next(usual_keys(FILENAME, ""))
    world.put(key)
    world.event(key)
    drop_row(world, key)
    assert look(world).state is State.NOT_IN_CACHE


@pytest.mark.parametrize("backend", [Dynamo, Redis], ids=lambda backend: backend.__name__)
def test_a_row_that_the_cache_does_not_list_is_not_enough(backend: type[Backend]) -> None:
    world = World(0, backend)
    key = next(usual_keys(FILENAME, ""))
    world.put(key)
    world.event(key)
    drop_name(world.backend, "pkg")
    assert look(world) == Look(State.NOT_LISTED, key, "pkg")


def test_a_file_that_redis_does_not_list_for_its_project_is_not_enough() -> None:
    world = World(0, Redis)
    key = next(usual_keys(FILENAME, ""))
    world.put(key)
    world.event(key)
    assert isinstance(world.backend, Redis)
    world.backend.db.srem(world.adapter.cache.redis_filename_set("pkg"), FILENAME)
    assert look(world).state is State.NOT_LISTED


def test_the_name_of_a_filename_that_can_be_split_in_several_ways_is_found(world: World) -> None:
    world.put("my-3d/my-3d-1.0.tar.gz", name="my-3d", version="1.0")
    assert look(world, "my-3d-1.0.tar.gz").state is State.NOT_IN_CACHE
    world.event("my-3d/my-3d-1.0.tar.gz")
    assert look(world, "my-3d-1.0.tar.gz") == Look(State.AVAILABLE, "my-3d/my-3d-1.0.tar.gz", "my-3d")


@pytest.mark.parametrize(
    "filename",
    ["acme-1.0.zip", "acme-1.0.tar.gz", "My_Pkg-1.0-py3-none-any.whl", "my-3d-1.0.tgz", "a-1.0-py3.9.egg"],
)
def test_the_filename_of_a_package(filename: str) -> None:
    assert is_filename(filename)


@pytest.mark.parametrize(
    "filename",
    [
        "",
        "acme",
        "acme-1.0",
        "README.md",
        "x.whl",
        "dist/acme-1.0.zip",
        "a\\acme-1.0.zip",
        "..",
        "/",
        "acme/",
    ],
)
def test_another_text_is_not_the_filename_of_a_package(filename: str) -> None:
    assert not is_filename(filename)


# Waiting


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def run(answers: list[Any], timeout: float) -> tuple[Look, Time, list[Look]]:
    """Wait with an answer for each look; the last one is repeated."""
    time, reported = Time(), list[Look]()

    def look() -> Look:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        found: Look = answer
        return found

    return wait.wait(look, timeout, reported.append, time.clock, time.pause), time, reported


def test_it_returns_as_soon_as_the_file_is_available() -> None:
    last, time, reported = run([MISSING, MISSING, FOUND], 300)
    assert (last, time.pauses) == (FOUND, [0.5, 0.75])
    assert reported == [MISSING, MISSING, FOUND]


def test_a_file_that_is_there_costs_no_pause() -> None:
    assert run([FOUND], 0)[1].pauses == []


def test_it_looks_less_and_less_often_and_last_at_the_end_of_the_time() -> None:
    last, time, reported = run([MISSING], 300)
    assert (last, time.now) == (MISSING, 300)
    assert max(time.pauses) == 5
    assert 50 < len(reported) < 70


def test_without_time_it_looks_once() -> None:
    last, time, reported = run([MISSING, FOUND], 0)
    assert (last, time.now, len(reported)) == (MISSING, 0, 1)


def test_an_error_of_the_first_look_is_raised_immediately() -> None:
    with pytest.raises(ConnectionError):
        run([ConnectionError("wrong settings")], 300)


def test_a_later_error_may_pass() -> None:
    assert run([MISSING, ConnectionError("fails over"), FOUND], 300)[0] == FOUND


def test_an_error_at_the_end_of_the_time_is_raised() -> None:
    with pytest.raises(ConnectionError):
        run([MISSING, ConnectionError("gone")], 3)
