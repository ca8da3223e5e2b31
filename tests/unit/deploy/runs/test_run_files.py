"""The private files of a host's runs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy import run_files
from pypicloud_s3sync.exceptions import ConflictError
from support.fakes import make_settings, not_none

SETTINGS = make_settings()


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_only_the_user_can_read_the_files_and_their_directory() -> None:
    os.close(not_none(run_files.take_lock(SETTINGS)))
    path = run_files.path_for(SETTINGS, ".lock")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_each_function_and_each_bucket_has_files_of_its_own() -> None:
    others = [make_settings(s3sync__function_name="other"), make_settings(storage__bucket="other-bucket")]
    assert len({run_files.path_for(settings, ".lock") for settings in [SETTINGS, *others]}) == 3


def test_a_lock_is_held_until_the_last_process_that_has_it_closes_it() -> None:
    descriptor = not_none(run_files.take_lock(SETTINGS))
    inherited = os.dup(descriptor)
    os.close(descriptor)
    assert run_files.is_locked(SETTINGS)
    assert run_files.take_lock(SETTINGS) is None
    os.close(inherited)
    assert not run_files.is_locked(SETTINGS)


def test_looking_at_a_lock_that_nobody_took_creates_no_file() -> None:
    assert not run_files.is_locked(SETTINGS)
    assert not run_files.path_for(SETTINGS, ".lock").exists()


def test_a_reader_that_holds_the_lock_for_a_moment_does_not_prevent_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock = run_files._lock
    refused: list[int] = []

    def refuse_once(descriptor: int, kind: int) -> bool:
        refused.append(kind)
        return len(refused) > 1 and lock(descriptor, kind)

    monkeypatch.setattr(run_files, "_lock", refuse_once)
    os.close(not_none(run_files.take_lock(SETTINGS)))


def test_a_symbolic_link_in_place_of_a_file_is_not_followed(temporary: Path) -> None:
    target = temporary / "target"
    target.write_text("foreign")
    run_files.path_for(SETTINGS, ".lock").symlink_to(target)
    with pytest.raises(ConflictError, match="cannot be opened"):
        run_files.take_lock(SETTINGS)
