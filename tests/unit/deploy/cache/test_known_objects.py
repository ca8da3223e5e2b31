from __future__ import annotations

import logging
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


def test_without_a_home_directory_there_is_no_file_and_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with caplog.at_level(logging.INFO):
        assert known_objects_path(make_settings()) is None
    assert [record.getMessage() for record in caplog.records] == [
        "what is read of objects is not remembered without a home directory: set XDG_CACHE_HOME"
    ]
