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


def test_a_symbolic_link_in_place_of_the_directory_is_refused(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (temporary / f"pypicloud-s3sync-{os.getuid()}").symlink_to(elsewhere)
    with pytest.raises(ConflictError, match="cannot be opened"):
        run_files.take_lock(SETTINGS)
    assert list(elsewhere.iterdir()) == []


def test_a_symbolic_link_in_place_of_a_file_is_not_followed(temporary: Path) -> None:
    target = temporary / "target"
    target.write_text("foreign")
    run_files.path_for(SETTINGS, ".lock").symlink_to(target)
    with pytest.raises(ConflictError, match="cannot be opened"):
        run_files.take_lock(SETTINGS)


def test_a_directory_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    uid = os.getuid() + 1
    (temporary / f"pypicloud-s3sync-{uid}").mkdir(mode=0o700)
    monkeypatch.setattr("os.getuid", lambda: uid)
    with pytest.raises(ConflictError, match="belongs to another user: remove it, or set TMPDIR"):
        run_files.take_lock(SETTINGS)


def test_a_directory_that_others_can_write_to_is_refused() -> None:
    run_files.path_for(SETTINGS, ".lock").parent.chmod(0o770)
    with pytest.raises(ConflictError, match="can be used by other users"):
        run_files.take_lock(SETTINGS)


def test_a_host_without_a_temporary_directory_is_an_error_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_directory() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", no_directory)
    with pytest.raises(ConflictError, match="set TMPDIR"):
        run_files.take_lock(SETTINGS)
