from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pypicloud_s3sync.exceptions import ConflictError
from pypicloud_s3sync.reconcile.known_files import temporary_path
from pypicloud_s3sync.sync.private_directory import private_directory


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_directory_is_the_users_own(temporary: Path) -> None:
    path = private_directory()
    assert path.parent == temporary
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert private_directory() == path


def test_a_symbolic_link_in_place_of_the_directory_is_refused(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (temporary / f"pypicloud-s3sync-{os.getuid()}").symlink_to(elsewhere)
    with pytest.raises(ConflictError, match="cannot be opened"):
        private_directory()


def test_a_directory_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    uid = os.getuid() + 1
    (temporary / f"pypicloud-s3sync-{uid}").mkdir(mode=0o700)
    monkeypatch.setattr("os.getuid", lambda: uid)
    with pytest.raises(ConflictError, match="belongs to another user: remove it, or set TMPDIR"):
        private_directory()


def test_a_directory_that_others_can_write_to_is_refused() -> None:
    private_directory().chmod(0o770)
    with pytest.raises(ConflictError, match="can be used by other users"):
        private_directory()


def test_the_current_directory_is_taken_only_if_it_is_a_temporary_one(
    monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    """Python takes it if no other directory can be written."""
    monkeypatch.chdir(temporary)
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConflictError, match="set TMPDIR"):
        private_directory()
    assert temporary_path("name") is None
    assert list(temporary.iterdir()) == []
    monkeypatch.setenv("TEMP", str(temporary))
    assert private_directory().parent == temporary


def test_a_host_without_a_temporary_directory_is_an_error_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_directory() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", no_directory)
    with pytest.raises(ConflictError, match="set TMPDIR"):
        private_directory()
