from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pypicloud_s3sync import handler
from pypicloud_s3sync.caches.base import CacheAdapter
from pypicloud_s3sync.exceptions import ConfigError, OutOfTimeError, SyncError
from pypicloud_s3sync.sync import invocation, startup
from pypicloud_s3sync.sync.events import Record
from pypicloud_s3sync.sync.pending import Outcome
from support.moto_world import World, notification_of

FIRST, SECOND = "a/one-1.0.tar.gz", "a/two-1.0.tar.gz"
RECORDS = tuple(Record("bucket", key, "ObjectCreated:Put", None, None) for key in (FIRST, SECOND))


class HangingSyncer:
    """A syncer that converges the first key, and then hangs until it is released."""

    def __init__(self) -> None:
        self.adapter = CacheAdapter(None)
        self.doing = "reading the cache"
        self.released = threading.Event()

    def converge(self, bucket: str, keys: Any, report: Any) -> None:
        first, *_ = keys
        report(bucket, first, Outcome("saved", first))
        self.released.wait(10)


def wait_for_abandoned_work() -> None:
    """Wait for the threads of invocations whose time is over."""
    for thread in threading.enumerate():
        if thread.name == "converge":
            thread.join(10)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingSyncer]:
    syncer = HangingSyncer()
    start: Any = lambda: syncer  # noqa: E731 - it gets an attribute
    start.cache_clear = lambda: None
    monkeypatch.setattr(invocation, "syncer", start)
    yield syncer
    syncer.released.set()
    wait_for_abandoned_work()


@pytest.mark.parametrize(
    ("remaining", "expected"), [(60_000, 57.0), (900_000, 897.0), (10_000, 9.0), (1_000, 0.9), (0, 0.0)]
)
def test_some_of_the_time_is_kept_for_the_answer(remaining: int, expected: float) -> None:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: remaining)
    assert invocation.seconds_left(context) == pytest.approx(expected)


def test_a_context_without_a_time_sets_no_limit() -> None:
    assert invocation.seconds_left(None) is None


def test_the_keys_that_are_done_when_the_time_is_over_count_as_done(hanging: HangingSyncer) -> None:
    outcomes = invocation.converge(RECORDS, 0.05)
    assert outcomes["bucket", FIRST] == Outcome("saved", FIRST)
    error = outcomes["bucket", SECOND]
    assert isinstance(error, OutOfTimeError)
    assert "while reading the cache" in str(error)


def test_nothing_is_written_after_the_time_is_over(hanging: HangingSyncer) -> None:
    """Lambda freezes the thread, which may go on minutes later, after the retry of its event."""
    invocation.converge(RECORDS, 0.05)
    with pytest.raises(OutOfTimeError):
        hanging.adapter.check_running()


def test_a_cache_that_is_ready_only_after_the_time_is_over_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready, used = threading.Event(), list[str]()

    def start() -> Any:
        ready.wait(10)
        return SimpleNamespace(converge=lambda bucket, keys, report: used.extend(keys))

    slow: Any = start
    slow.cache_clear = lambda: None
    monkeypatch.setattr(invocation, "syncer", slow)
    outcomes = invocation.converge(RECORDS, 0.05)
    assert "while connecting to the cache" in str(outcomes["bucket", FIRST])
    ready.set()
    wait_for_abandoned_work()
    assert used == []


def test_a_start_that_fails_is_logged_for_each_record_with_the_metric(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYPICLOUD_SETTINGS")
    with pytest.raises(SyncError) as caught:
        handler.handle_s3_event(notification_of(FIRST, SECOND), None)
    assert all(isinstance(error, ConfigError) for error in caught.value.failures.values())
    first, second, metrics = map(json.loads, capsys.readouterr().out.splitlines())
    assert [line["key"] for line in (first, second)] == [FIRST, SECOND]
    assert "run ppc-s3sync enable" in first["error"]
    assert metrics["Failed"] == 2


def test_a_start_that_fails_leaves_every_message_in_the_queue(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = {
        "messageId": "1",
        "eventSource": "aws:sqs",
        "body": json.dumps(notification_of(FIRST)),
    }
    with monkeypatch.context() as without_settings:
        without_settings.delenv("PYPICLOUD_SETTINGS")
        answer = handler.handle_s3_event({"Records": [message]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert handler.handle_s3_event({"Records": [message]}, None) == {"batchItemFailures": []}
    assert startup.syncer.cache_info().currsize == 1
