"""One run at a time, and what others are told of it."""

import os
import stat

import pytest

from pypicloud_s3sync.deploy import run_lock
from pypicloud_s3sync.deploy.models import Progress
from pypicloud_s3sync.exceptions import ConflictError
from support.fakes import make_settings

SETTINGS = make_settings()
STEP = Progress("create role", "running", "creating the role x")


def ignore(progress):
    """Take the progress of a run to nobody."""


@pytest.fixture(autouse=True)
def own_directory(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_nothing_runs_where_nothing_was_begun(own_directory):
    assert run_lock.current(SETTINGS) is None
    assert list(own_directory.iterdir()) == []


def test_the_progress_is_passed_on():
    told = []
    with run_lock.hold(SETTINGS, "enable", told.append) as report:
        report(STEP)
    assert told == [STEP]


def test_others_are_told_the_command_and_the_step():
    with run_lock.hold(SETTINGS, "enable", ignore) as report:
        assert run_lock.current(SETTINGS)["command"] == "enable"
        report(STEP)
        found = run_lock.current(SETTINGS)
        assert (found["step"], found["message"]) == ("create role", "creating the role x")
    assert run_lock.current(SETTINGS) is None


def test_a_second_run_is_refused_with_what_the_first_one_is_doing():
    with run_lock.hold(SETTINGS, "enable", ignore) as report:
        report(STEP)
        expected = r"enable of sync is under way \(creating the role x\): wait until it has ended"
        with pytest.raises(ConflictError, match=expected), run_lock.hold(SETTINGS, "disable", ignore):
            pass
    with run_lock.hold(SETTINGS, "disable", ignore):
        pass


def test_another_function_or_bucket_is_another_run():
    with run_lock.hold(SETTINGS, "enable", ignore):
        for other in ({"s3sync__function_name": "other"}, {"storage__bucket": "other-bucket"}):
            with run_lock.hold(make_settings(**other), "enable", ignore):
                pass


def test_a_run_that_failed_or_was_killed_leaves_nothing(own_directory):
    with pytest.raises(KeyboardInterrupt), run_lock.hold(SETTINGS, "enable", ignore):
        raise KeyboardInterrupt
    assert list(own_directory.iterdir()) == []
    child = os.fork()
    if child == 0:
        with run_lock.hold(SETTINGS, "enable", ignore):
            os._exit(0)
    os.waitpid(child, 0)
    assert run_lock.current(SETTINGS) is None
    with run_lock.hold(SETTINGS, "enable", ignore):
        pass


def test_the_file_is_for_its_owner_only(own_directory):
    with run_lock.hold(SETTINGS, "enable", ignore):
        (path,) = own_directory.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_that_somebody_put_there_is_not_followed(own_directory):
    with run_lock.hold(SETTINGS, "enable", ignore):
        (path,) = own_directory.iterdir()
    target = own_directory / "target"
    target.write_text("theirs")
    path.symlink_to(target)
    with pytest.raises(ConflictError, match="cannot be opened"), run_lock.hold(SETTINGS, "enable", ignore):
        pass
    assert target.read_text() == "theirs"


def test_a_file_that_was_removed_while_it_was_locked_is_not_taken_for_the_lock(monkeypatch):
    """The run before removes its file and lets go, between our opening it and our locking it."""
    lock, gone = run_lock._lock, []

    def lock_late(descriptor, kind, wait=0):
        if not gone:
            gone.append(run_lock._path(SETTINGS).unlink())
        return lock(descriptor, kind, wait)

    monkeypatch.setattr(run_lock, "_lock", lock_late)
    with run_lock.hold(SETTINGS, "enable", ignore):
        assert run_lock.current(SETTINGS) is not None


def test_who_only_looks_at_that_moment_is_no_other_run(monkeypatch):
    lock, refused = run_lock._lock, []

    def looked_at(descriptor, kind, wait=0):
        if not refused:
            refused.append(kind)
            return False
        return lock(descriptor, kind, wait)

    monkeypatch.setattr(run_lock, "_lock", looked_at)
    with run_lock.hold(SETTINGS, "enable", ignore):
        pass
    assert refused
