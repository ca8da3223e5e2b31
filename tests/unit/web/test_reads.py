"""Requests that read AWS do not keep the web server from its other work."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy import Deployment, run_files
from pypicloud_s3sync.devtools.processes import wait_until
from pypicloud_s3sync.exceptions import AwsError, BusyError
from pypicloud_s3sync.web import reads
from pypicloud_s3sync.web.reads import Reads
from support.fakes import make_settings

SETTINGS = make_settings()
OTHER = make_settings(s3sync__memory_size="1024")
NOW = {"state": "on"}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


class Slow:
    """An AWS that answers when the test says so."""

    def __init__(self) -> None:
        self.calls = 0
        self.may_answer = threading.Event()

    def read(self, deployment: Deployment) -> dict[str, Any]:
        self.calls += 1
        self.may_answer.wait(30)
        return NOW


class Request(threading.Thread):
    """A request in a thread of its own, as a web server serves it."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        super().__init__()
        self.answer = answer
        self.result: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.answer()
        except Exception as error:
            self.result = error

    def end(self) -> Any:
        self.join(30)
        return self.result


@pytest.fixture
def slow() -> Iterator[Slow]:
    aws = Slow()
    yield aws
    aws.may_answer.set()


@contextlib.contextmanager
def one_reads(shared: Reads, slow: Slow) -> Iterator[Request]:
    """Yield a request that is waiting for AWS."""
    request = Request(lambda: shared.answer(SETTINGS, "status", slow.read))
    wait_until(lambda: slow.calls == 1, "the first request reads AWS")
    yield request
    slow.may_answer.set()
    assert request.end() == NOW


def is_waiting() -> bool:
    return run_files.is_locked(SETTINGS, ".waiting")


def test_a_request_that_asks_the_same_shares_the_answer(slow: Slow) -> None:
    shared = Reads()
    with one_reads(shared, slow):
        second = Request(lambda: shared.answer(SETTINGS, "status", slow.read))
        wait_until(is_waiting, "the second request waits")
        slow.may_answer.set()
        assert second.end() == NOW
    assert slow.calls == 1


@pytest.mark.parametrize(("settings", "question"), [(SETTINGS, "activity"), (OTHER, "status")])
def test_a_request_that_asks_something_else_reads_after_the_first(
    slow: Slow, settings: Any, question: str
) -> None:
    shared = Reads()
    with one_reads(shared, slow):
        second = Request(lambda: shared.answer(settings, question, slow.read))
        wait_until(is_waiting, "the second request waits")
        assert slow.calls == 1
        slow.may_answer.set()
        assert second.end() == NOW
    assert slow.calls == 2


@pytest.mark.parametrize("same_process", [True, False])
def test_only_one_request_waits_and_all_others_are_refused_immediately(
    slow: Slow, same_process: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "PATIENCE", 20)
    shared = Reads()
    with one_reads(shared, slow):
        second = Request(lambda: shared.answer(SETTINGS, "status", slow.read))
        wait_until(is_waiting, "the second request waits")
        # A worker of its own has answers of its own, but the same files.
        another = shared if same_process else Reads()
        for _ in range(20):
            with pytest.raises(BusyError, match="try again in a moment"):
                another.answer(SETTINGS, "status", slow.read)
        assert second.is_alive(), "the refused requests have outlasted the one that waits"
        slow.may_answer.set()
        assert second.end() == NOW
    assert slow.calls == 1


def test_a_request_does_not_wait_for_long(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "PATIENCE", 0.2)
    shared = Reads()
    with one_reads(shared, slow), pytest.raises(BusyError):
        shared.answer(SETTINGS, "activity", slow.read)


def test_an_error_is_shared_but_not_kept() -> None:
    shared, calls = Reads(), []

    def refuse(deployment: Deployment) -> dict[str, Any]:
        calls.append(deployment)
        raise AwsError("m")

    for _ in range(2):
        with pytest.raises(AwsError):
            shared.answer(SETTINGS, "status", refuse, max_age=60)
    assert len(calls) == 2


def test_an_answer_may_be_as_old_as_the_request_allows() -> None:
    shared, calls = Reads(), []

    def read(deployment: Deployment) -> dict[str, Any]:
        calls.append(deployment)
        return NOW

    for max_age, since, total in ((0, 0, 1), (60, 0, 1), (0, 0, 2), (60, time.time() + 1, 3)):
        shared.answer(SETTINGS, "status", read, max_age=max_age, since=since)
        assert len(calls) == total
