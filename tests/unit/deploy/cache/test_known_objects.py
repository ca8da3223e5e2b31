from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.cache.known_objects import known_objects_path
from support.fakes import make_settings


def test_each_bucket_and_prefix_has_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = [{}, {"storage__bucket": "other"}, {"storage__prefix": "p/"}]
    paths = [known_objects_path(make_settings(**changed)) for changed in options]
    assert len({*paths}) == 3
    assert {path and path.parent for path in paths} == {tmp_path / "pypicloud_s3sync"}


def test_the_file_is_in_the_home_directory_if_nothing_else_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    path = known_objects_path(make_settings())
    assert path is not None
    assert path.parent == tmp_path / ".cache" / "pypicloud_s3sync"


def readonly(home: Path) -> str:
    home.mkdir(mode=0o500)
    return str(home)


def file_in_place(home: Path) -> str:
    home.write_text("no directory")
    return str(home)


def dangling_link(home: Path) -> str:
    home.symlink_to(home / "nowhere")
    return str(home)


def no_home(home: Path) -> str:
    return "~"


@pytest.mark.parametrize("hinder", [readonly, file_in_place, dangling_link, no_home])
def test_a_user_without_a_cache_directory_has_a_file_of_its_own_below_the_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hinder: Callable[[Path], str]
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = hinder(tmp_path / "home")
    monkeypatch.setattr("os.path.expanduser", lambda path: path.replace("~", home))
    if hinder is readonly:
        # Nothing is read-only for root.
        monkeypatch.setattr("os.access", lambda path, mode: str(path) != home)
    path = known_objects_path(make_settings())
    assert path is not None
    assert path.parent == tmp_path / f"pypicloud-s3sync-{os.getuid()}"


def test_nothing_is_remembered_in_a_directory_of_others_and_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("no directory")
    directory = tmp_path / f"pypicloud-s3sync-{os.getuid()}"
    directory.symlink_to(tmp_path)
    with caplog.at_level(logging.INFO):
        assert known_objects_path(make_settings()) is None
    assert [record.getMessage() for record in caplog.records] == [
        f"what is read of objects is not remembered: {directory} cannot be opened (not a directory):"
        " remove it, or set TMPDIR"
    ]
