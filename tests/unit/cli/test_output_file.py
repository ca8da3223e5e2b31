from __future__ import annotations

import os
import re
import stat
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


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="-o does not name a file"):
        check("")


@pytest.mark.parametrize("existing", [False, True])
def test_a_directory_that_is_not_writable_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    # Root, who may run the tests, may write every directory.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    if existing:
        (tmp_path / "x.zip").touch()
    with pytest.raises(ConfigError, match=r"the directory .* is not writable"):
        check(str(tmp_path / "x.zip"))


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
