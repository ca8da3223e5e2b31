"""The canary: it is seen in the cache and in no list, and nothing is left of it however it ends."""

from __future__ import annotations

import datetime
import io
import os
import re
import signal
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws
from pypicloud.models import Package

from pypicloud_s3sync.caches.canary import NAME
from pypicloud_s3sync.doctor.canary import STEPS, _sdist
from support.adapters import set_row
from support.backends import Dynamo, Redis, Sql
from support.canaries import BUCKET, PREFIX, World
from support.fakes import refusal


@pytest.fixture(autouse=True)
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


@pytest.fixture(params=[Dynamo, Redis, Sql])
def world(request: pytest.FixtureRequest) -> World:
    """A bucket that keeps versions, with each kind of cache."""
    return World(request.param)


def nothing_is_left(world: World) -> bool:
    return not world.objects() and not world.backend.filenames() and not world.names()


def test_it_is_seen_after_each_step_and_never_listed(world: World) -> None:
    found = world.canary().send()
    assert found.state == "ok"
    assert re.fullmatch(
        rf"uploaded in 0\.0 s, overwritten in 0\.0 s, deleted in 0\.0 s \({NAME}-0\.\d+\.\d+\.tar\.gz\)",
        found.evidence,
    )
    assert list(dict.fromkeys(world.seen)) == ["upload", "overwrite", None]
    assert world.listed == []
    assert nothing_is_left(world)
    assert world.versions() == (0, 0)


def test_its_delete_marker_stays_in_a_bucket_that_replicates(world: World) -> None:
    assert world.canary(replicates=True).send().state == "ok"
    assert world.versions() == (0, 1), "the marker deletes the canary in the other regions"
    assert nothing_is_left(world)


def test_a_bucket_without_versions_is_left_empty() -> None:
    world = World(Redis, versioned=False)
    assert world.canary().send().state == "ok"
    assert world.versions() == (0, 0)


def test_it_lies_where_the_server_would_put_it() -> None:
    canary = World(Redis).canary()
    assert re.fullmatch(rf"{PREFIX}[0-9a-f]{{4}}/{NAME}/{NAME}-0\.\d+\.\d+\.tar\.gz", canary.key)


def test_it_is_a_valid_source_distribution() -> None:
    with tarfile.open(fileobj=io.BytesIO(_sdist("0.1", "upload"))) as archive:
        (member,) = archive.getmembers()
        assert member.name == f"{NAME}-0.1/PKG-INFO"
        metadata = archive.extractfile(member)
        assert metadata is not None
        assert f"Name: {NAME}\nVersion: 0.1\n" in metadata.read().decode()


def interrupt() -> None:
    raise KeyboardInterrupt


def ended_after(world: World, step: int, end: Callable[[], None]) -> None:
    """Send a canary that is interrupted after a step."""
    steps = iter(range(9))

    def react(key: str) -> None:
        world.handle(key)
        if next(steps) == step:
            end()

    world.react = react
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        world.canary().send()
    assert nothing_is_left(world)
    assert world.versions() == (0, 0)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_an_interrupted_one_is_removed_from_bucket_and_cache(world: World, step: int) -> None:
    ended_after(world, step, interrupt)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_one_whose_process_is_ended_by_a_signal_is_removed(number: signal.Signals) -> None:
    ended_after(World(Redis), 1, lambda: os.kill(os.getpid(), number))


def test_a_second_ctrl_c_does_not_stop_the_clean_up() -> None:
    world = World(Redis)

    def react(key: str) -> None:
        world.handle(key)
        os.kill(os.getpid(), signal.SIGINT)

    world.react = react
    with pytest.raises(KeyboardInterrupt):
        world.canary().send()
    assert nothing_is_left(world)


@pytest.mark.parametrize(("handled", "missing"), [(0, "uploaded"), (1, "overwritten"), (2, "deleted")])
def test_a_step_that_the_cache_does_not_show_fails_and_the_row_is_removed_from_here(
    world: World, handled: int, missing: str
) -> None:
    steps = iter(range(9))
    world.react = lambda key: world.handle(key) if next(steps) < handled else None
    found = world.canary().send()
    assert found.state == "failed"
    assert f"was {missing}, but the cache did not show it within 10 s" in found.evidence
    assert "/aws/lambda/sync" in found.remedy
    assert nothing_is_left(world)
    assert world.versions() == (0, 0)


def refuse(client: Any, operation: str) -> None:
    """Let AWS deny an operation."""

    def fail(**_: Any) -> None:
        raise refusal("AccessDenied", "no", 403)

    client.meta.events.register(f"before-call.s3.{operation}", fail)


def test_an_upload_that_is_denied_is_reported_with_the_right_that_is_missing() -> None:
    world = World(Redis)
    canary = world.canary()
    refuse(canary.place.storage.bucket.meta.client, "CreateMultipartUpload")
    refuse(canary.place.storage.bucket.meta.client, "PutObject")
    found = canary.send()
    assert (found.state, '"Action": "s3:PutObject"' in found.remedy) == ("failed", True), found
    assert nothing_is_left(world)


def test_one_that_cannot_be_deleted_is_named() -> None:
    world = World(Redis)
    canary = world.canary()
    refuse(canary.place.storage.bucket.meta.client, "DeleteObjects")
    found = canary.send()
    assert (found.state, '"Action": "s3:DeleteObject"' in found.remedy) == ("failed", True), found
    assert f"s3://{BUCKET}/{canary.key} could not be deleted: delete it by hand" in found.evidence


def test_versions_that_cannot_be_deleted_are_named() -> None:
    world = World(Redis)
    refuse(world.s3, "DeleteObject")
    found = world.canary().send()
    assert (found.state, "its noncurrent versions stay in the bucket" in found.evidence) == ("ok", True)
    assert '"Action": "s3:DeleteObjectVersion"' in found.evidence
    assert nothing_is_left(world)


def test_a_cache_that_stops_answering_is_reported() -> None:
    world = World(Redis)

    def fail(keys: Any) -> Any:
        raise ConnectionError("gone")

    def react(key: str) -> None:
        world.adapter.read = fail  # type: ignore[method-assign]

    world.react = react
    found = world.canary().send()
    assert (found.state, "ConnectionError: gone" in found.evidence) == ("failed", True)
    assert "could not be removed" in found.evidence
    assert world.objects() == []


def test_an_error_of_another_kind_is_raised_after_the_clean_up() -> None:
    world = World(Redis)

    def react(key: str) -> None:
        world.handle(key)
        if world.objects():
            raise ZeroDivisionError

    world.react = react
    with pytest.raises(ZeroDivisionError):
        world.canary().send()
    assert nothing_is_left(world)


@pytest.mark.parametrize(("hours", "removed"), [(2, True), (0, False)])
def test_what_a_killed_run_left_is_removed_later(world: World, hours: int, removed: bool) -> None:
    filename = f"{NAME}-0.1.2.tar.gz"
    key = f"{PREFIX}{NAME}/{filename}"
    world.s3.put_object(Bucket=BUCKET, Key=key, Body=b"", Metadata={"name": NAME, "version": "0.1.2"})
    modified = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)
    package = world.adapter.cache.new_package(NAME, "0.1.2", filename, modified, path=key)
    assert isinstance(package, Package)
    set_row(world.backend.adapter(), filename, package)
    world.backend.advance(100)
    assert world.names() == []
    assert world.canary().send().state == "ok"
    assert (world.objects() == []) is removed, "another host may be sending a canary at the moment"
    assert (not world.backend.filenames()) is removed
