"""The lock of a run, and the progress that other processes read from it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy import run_lock
from pypicloud_s3sync.deploy.models import Progress
from pypicloud_s3sync.exceptions import ConflictError
from support.fakes import make_settings, not_none

SETTINGS = make_settings()
STEP = Progress("create role", "running", "creating the role x")


def ignore(progress: Progress) -> None:
    """Ignore the progress of a run."""


@pytest.fixture(autouse=True)
def lock_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_there_is_no_current_run_before_one_starts(lock_directory: Path) -> None:
    assert run_lock.current(SETTINGS) is None
    assert list(lock_directory.iterdir()) == []


def test_a_run_whose_first_write_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", no_space)
        with pytest.raises(OSError, match="No space left"), run_lock.hold(SETTINGS, "enable", ignore):
            pass
    assert run_lock.current(SETTINGS) is None
    with run_lock.hold(SETTINGS, "enable", ignore):
        pass


def test_the_progress_is_passed_on() -> None:
    reported: list[Progress] = []
    with run_lock.hold(SETTINGS, "enable", reported.append) as report:
        report(STEP)
    assert reported == [STEP]


def test_other_processes_can_read_the_command_and_the_step() -> None:
    with run_lock.hold(SETTINGS, "enable", ignore) as report:
        assert not_none(run_lock.current(SETTINGS))["command"] == "enable"
        report(STEP)
        state = not_none(run_lock.current(SETTINGS))
        assert (state["step"], state["message"]) == ("create role", "creating the role x")
    assert run_lock.current(SETTINGS) is None


def test_a_second_run_is_refused_with_the_step_of_the_first() -> None:
    with run_lock.hold(SETTINGS, "enable", ignore) as report:
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


# The child only locks a file and exits.
@pytest.mark.filterwarnings("ignore:This process.*use of fork:DeprecationWarning")
def test_a_failed_or_killed_run_releases_the_lock(lock_directory: Path) -> None:
    with pytest.raises(KeyboardInterrupt), run_lock.hold(SETTINGS, "enable", ignore):
        raise KeyboardInterrupt
    assert list(lock_directory.iterdir()) == []
    child = os.fork()
    if child == 0:
        with run_lock.hold(SETTINGS, "enable", ignore):
            os._exit(0)
    os.waitpid(child, 0)
    assert run_lock.current(SETTINGS) is None
    with run_lock.hold(SETTINGS, "enable", ignore):
        pass


def test_only_its_owner_can_read_the_file(lock_directory: Path) -> None:
    with run_lock.hold(SETTINGS, "enable", ignore):
        (path,) = lock_directory.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_symbolic_link_in_place_of_the_file_is_not_followed(lock_directory: Path) -> None:
    with run_lock.hold(SETTINGS, "enable", ignore):
        (path,) = lock_directory.iterdir()
    target = lock_directory / "target"
    target.write_text("foreign")
    path.symlink_to(target)
    with pytest.raises(ConflictError, match="cannot be opened"), run_lock.hold(SETTINGS, "enable", ignore):
        pass
    assert target.read_text() == "foreign"


def test_a_file_of_another_user_is_refused(lock_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = run_lock._path(SETTINGS)
    path.touch()
    monkeypatch.setattr(run_lock, "_path", lambda settings: path)
    monkeypatch.setattr("os.getuid", lambda: path.stat().st_uid + 1)
    with (
        pytest.raises(ConflictError, match=f"{path} belongs to another user: remove it"),
        run_lock.hold(SETTINGS, "enable", ignore),
    ):
        pass


def test_a_file_that_is_removed_while_it_is_being_locked_is_not_used_as_the_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The previous run removes its file and releases the lock after this run opened the file."""
    lock = run_lock._lock
    removed: list[bool] = []

    def lock_late(descriptor: int, kind: int, wait: float = 0) -> bool:
        if not removed:
            run_lock._path(SETTINGS).unlink()
            removed.append(True)
        return lock(descriptor, kind, wait)

    monkeypatch.setattr(run_lock, "_lock", lock_late)
    with run_lock.hold(SETTINGS, "enable", ignore):
        assert run_lock.current(SETTINGS) is not None


def test_a_reader_that_holds_the_lock_for_a_moment_does_not_prevent_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock = run_lock._lock
    refused: list[int] = []

    def refuse_once(descriptor: int, kind: int, wait: float = 0) -> bool:
        if not refused:
            refused.append(kind)
            return False
        return lock(descriptor, kind, wait)

    monkeypatch.setattr(run_lock, "_lock", refuse_once)
    with run_lock.hold(SETTINGS, "enable", ignore):
        pass
    assert refused
