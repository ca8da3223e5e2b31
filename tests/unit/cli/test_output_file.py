from __future__ import annotations

import os
import re
import stat
import tempfile
import threading
from pathlib import Path

import pytest

from pypicloud_s3sync.cli.output_file import check, write
from pypicloud_s3sync.exceptions import ConfigError


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/x.zip", "there is no directory .*/missing"),
        ("file/x.zip", "there is no directory .*/file"),
        ("directory", "it is a directory"),
        ("directory/", "it is a directory"),
        (".", "it is a directory"),
        ("read-only.zip", "the file is read-only"),
        ("dangling", "there is no directory .*/missing"),
        ("x" * 300, "[Tt]he name is too long|File name too long"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_refused_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    (tmp_path / "read-only.zip").touch(mode=0o444)
    (tmp_path / "dangling").symlink_to(tmp_path / "missing" / "x.zip")
    with pytest.raises(ConfigError) as caught:
        check(f"{tmp_path}/{name}")
    pattern = rf"cannot write {re.escape(str(tmp_path))}/{re.escape(name)} \(({reason})\): choose another"
    assert re.match(pattern, str(caught.value)), str(caught.value)


@pytest.mark.parametrize("directory", ["/proc", "/proc/self", "/sys"])
def test_a_file_system_that_takes_no_files_is_refused_even_for_root(directory: str) -> None:
    with pytest.raises(ConfigError, match=r"no file can be created in /(proc|sys)[/\d]*: .*\): choose"):
        check(f"{directory}/x.zip")


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("error", [OSError(30, "Read-only file system"), OSError(13, "Permission denied")])
def test_a_directory_in_which_no_file_can_be_created_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool, error: OSError
) -> None:
    def fail(**arguments: object) -> None:
        raise error

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    if existing:
        (tmp_path / "x.zip").touch()
    with pytest.raises(ConfigError, match=rf"no file can be created in {tmp_path}: {error.strerror}"):
        check(str(tmp_path / "x.zip"))


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "immutable.zip"
    path.touch()

    def fail(*arguments: object) -> int:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(ConfigError, match=r"cannot write .*immutable\.zip \(Operation not permitted\)"):
        check(str(path))


def test_a_mount_point_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, mounts = tmp_path / "a file.zip", tmp_path / "mountinfo"
    path.touch()
    mounts.write_text(
        "22 28 0:21 / /proc rw - proc proc rw\n"
        f"36 35 98:0 /mnt1 {str(path).replace(' ', chr(92) + '040')} rw master:1 - ext3 /dev/root rw\n"
    )
    monkeypatch.setattr("pypicloud_s3sync.cli.output_file._MOUNTS", mounts)
    with pytest.raises(ConfigError, match="it is a mount point"):
        check(str(path))
    assert check(str(tmp_path / "other.zip"))


def test_the_file_of_another_user_in_a_sticky_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.zip"
    path.touch()
    tmp_path.chmod(0o1777)
    assert check(str(path)) == path
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ConfigError, match="only the owner of the file may replace it in"):
        check(str(path))


def test_standard_output_is_refused_and_a_file_of_that_name_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match=r"cannot write - \(a terminal cannot show it\): choose another file"
    ):
        check("-")
    assert check("./-") == tmp_path / "-"


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    check(str(tmp_path / "x.zip"))
    assert names(tmp_path) == []


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    name = str(tmp_path / "x.zip")
    write(name, check(name), b"new")
    usual = tmp_path / "usual"
    usual.touch()
    assert (tmp_path / "x.zip").read_bytes() == b"new"
    assert (tmp_path / "x.zip").stat().st_mode == usual.stat().st_mode


def test_an_existing_file_is_replaced_and_keeps_its_permissions_and_its_links(tmp_path: Path) -> None:
    path, link = tmp_path / "x.zip", tmp_path / "link.zip"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to("x.zip")
    write(str(link), check(str(link)), b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o640)
    assert link.is_symlink()
    assert names(tmp_path) == ["link.zip", "x.zip"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_a_failure_keeps_the_existing_file_and_leaves_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"old")

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises((ConfigError, KeyboardInterrupt)) as caught:
        write("x.zip", path, b"new")
    if isinstance(error, OSError):
        assert (
            str(caught.value) == "cannot write x.zip (No space left on device): choose another file with -o"
        )
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.zip"]


def test_a_pipe_is_written_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(str(pipe), check(str(pipe)), b"new")
    reader.join()
    assert read == [b"new"]
    assert pipe.is_fifo()
