"""One run at a time, and what other processes learn about it."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy import run_lock
from pypicloud_s3sync.deploy.models import Progress
from pypicloud_s3sync.exceptions import AwsError, ConflictError
from support.fakes import make_settings, not_none

SETTINGS = make_settings()
STEP = Progress("create role", "running", "creating the role x")


def ignore(progress: Progress) -> None:
    """Ignore the progress of a run."""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_there_is_no_run_before_one_starts() -> None:
    assert run_lock.current(SETTINGS) is None
    assert run_lock.last(SETTINGS) is None


def test_a_run_whose_first_write_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", no_space)
        with pytest.raises(OSError, match="No space left"), run_lock.hold(SETTINGS, "enable", ignore):
            pass
    assert run_lock.current(SETTINGS) is None
    with run_lock.hold(SETTINGS, "enable", ignore):
        pass


def test_the_progress_is_passed_on() -> None:
    reported: list[Progress] = []
    with run_lock.hold(SETTINGS, "enable", reported.append) as (_, report):
        report(STEP)
    assert reported == [STEP]


def test_other_processes_can_read_the_command_and_its_steps() -> None:
    with run_lock.hold(SETTINGS, "enable", ignore) as (_, report):
        assert not_none(run_lock.current(SETTINGS))["command"] == "enable"
        report(STEP)
        (step,) = not_none(run_lock.current(SETTINGS))["steps"]
        assert (step["step"], step["state"], step["message"]) == (STEP.step, STEP.state, STEP.message)
        assert run_lock.last(SETTINGS) is None
    assert run_lock.current(SETTINGS) is None


def test_other_processes_can_read_how_a_run_ended() -> None:
    with run_lock.hold(SETTINGS, "enable", ignore) as (run, report):
        report(STEP)
        run.message = "S3 sync is on."
    last = not_none(run_lock.last(SETTINGS))
    assert (last["result"], last["message"], last["command"]) == ("ok", "S3 sync is on.", "enable")
    assert last["since"] <= last["ended"] <= time.time()
    assert len(last["steps"]) == 1


def test_an_error_is_the_result_of_a_run_with_the_policy_that_allows_the_call() -> None:
    error = AwsError("m", "AccessDenied", "iam:GetRole", "arn:aws:iam::1:role/r")
    with pytest.raises(AwsError), run_lock.hold(SETTINGS, "enable", ignore):
        raise error
    last = not_none(run_lock.last(SETTINGS))
    assert (last["result"], last["message"]) == ("failed", "m")
    assert last["policy"]["Statement"][0]["Action"] == "iam:GetRole"


def test_the_record_has_no_secret_of_the_settings() -> None:
    settings = make_settings(
        pypi__db="redis",
        db__url="redis://:hunter2-of-url@cache.example",
        storage__aws_access_key_id="AKIA-of-ini",
        storage__aws_secret_access_key="secret-of-ini",
        storage__aws_session_token="token-of-ini",
    )
    message = "Value 'hunter2-of-url' secret-of-ini token-of-ini"

    def run() -> None:
        with run_lock.hold(settings, "enable", ignore) as (_, report):
            report(Progress("create function", "failed", message))
            raise AwsError(message)

    with pytest.raises(AwsError):
        run()
    record = str(run_lock.last(settings))
    assert record.count("********") == 6
    assert "-of-" not in record


def test_an_unexpected_error_is_not_quoted() -> None:
    with pytest.raises(ZeroDivisionError), run_lock.hold(SETTINGS, "enable", ignore):
        raise ZeroDivisionError("hunter2")
    last = not_none(run_lock.last(SETTINGS))
    assert last["result"] == "failed"
    assert "see the server's log" in last["message"]


# The child only locks a file and exits.
@pytest.mark.filterwarnings("ignore:This process.*use of fork:DeprecationWarning")
def test_a_run_whose_process_died_was_stopped_and_the_next_one_can_begin() -> None:
    child = os.fork()
    if child == 0:
        with run_lock.hold(SETTINGS, "enable", ignore) as (_, report):
            report(STEP)
            os._exit(0)
    os.waitpid(child, 0)
    assert run_lock.current(SETTINGS) is None
    last = not_none(run_lock.last(SETTINGS))
    assert (last["result"], last["steps"][0]["state"]) == ("stopped", "running")
    assert "run it again, and it continues" in last["message"]
    assert last["ended"] <= time.time()
    with run_lock.hold(SETTINGS, "enable", ignore):
        pass
    assert not_none(run_lock.last(SETTINGS))["result"] == "ok"


def test_an_interrupted_run_was_stopped() -> None:
    with pytest.raises(KeyboardInterrupt), run_lock.hold(SETTINGS, "enable", ignore):
        raise KeyboardInterrupt
    assert not_none(run_lock.last(SETTINGS))["result"] == "stopped"


def test_the_end_of_a_run_is_shown_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_lock.hold(SETTINGS, "enable", ignore):
        pass
    now = time.time()
    for minutes, shown in ((59, True), (61, False)):
        monkeypatch.setattr("time.time", lambda minutes=minutes: now + 60 * minutes)
        assert (run_lock.last(SETTINGS) is not None) == shown


def test_a_second_run_is_refused_with_the_step_of_the_first() -> None:
    with run_lock.hold(SETTINGS, "enable", ignore) as (_, report):
        report(STEP)
        expected = r"enable of sync is already running \(creating the role x\): wait until it ends"
        with pytest.raises(ConflictError, match=expected), run_lock.hold(SETTINGS, "disable", ignore):
            pass
    with run_lock.hold(SETTINGS, "disable", ignore):
        pass


def test_a_run_for_another_function_or_bucket_is_not_refused() -> None:
    with run_lock.hold(SETTINGS, "enable", ignore):
        for changes in ({"s3sync__function_name": "other"}, {"storage__bucket": "other-bucket"}):
            with run_lock.hold(make_settings(**changes), "enable", ignore):
                pass


def test_a_run_that_was_begun_elsewhere_is_continued() -> None:
    """The web server begins a run, and another process performs it."""
    begun = run_lock.begin(SETTINGS, "enable")
    lock, record = map(os.dup, begun.descriptors)
    begun.release()
    assert not_none(run_lock.current(SETTINGS))["steps"] == []
    with run_lock.hold(SETTINGS, "enable", ignore, run_lock.Run.inherited(lock, record)) as (_, report):
        report(STEP)
        assert len(not_none(run_lock.current(SETTINGS))["steps"]) == 1
    assert not_none(run_lock.last(SETTINGS))["result"] == "ok"
