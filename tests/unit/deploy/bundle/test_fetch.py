"""Fetching wheels works for users without a home directory, such as service accounts."""

from __future__ import annotations

import os
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle import Target
from pypicloud_s3sync.deploy.bundle.closure import Part
from pypicloud_s3sync.deploy.bundle.fetch import fetch
from pypicloud_s3sync.exceptions import BundleError

TARGET = Target("python3.12", "arm64")
PART = Part("acme-wheel", "1.0", metadata.distribution("pypicloud"), "acme-wheel==1.0")


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a wheel, which takes the place of the index."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    info = "acme_wheel-1.0.dist-info"
    with zipfile.ZipFile(directory / "acme_wheel-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("acme_wheel.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: acme-wheel\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"acme_wheel.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(directory))
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    return directory


def fetched(directory: Path) -> bool:
    found = fetch([PART], TARGET, directory / "fetched")
    return found["acme-wheel"].version == "1.0" and (directory / "fetched" / "acme_wheel.py").is_file()


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
@pytest.mark.parametrize("kind", ["nonexistent", "read-only", "a file"])
def test_uv_gets_a_temporary_cache_if_its_own_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, kind: str
) -> None:
    # Root may write to any directory that is not in /proc.
    home = {"nonexistent": "/proc/nonexistent", "read-only": "/proc", "a file": str(tmp_path / "file")}[kind]
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(variable, home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    assert fetched(tmp_path)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_user_without_any_home_directory_gets_a_temporary_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert fetched(tmp_path)
    assert not (tmp_path / "~").exists()


def test_the_cache_of_a_user_who_can_write_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetched(tmp_path)
    assert any((tmp_path / ".cache" / "uv").iterdir())


def test_a_host_without_uv_is_an_error_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise FileNotFoundError("Could not find the uv binary")

    monkeypatch.setattr("uv.find_uv_bin", missing)
    with pytest.raises(BundleError, match=r"uv cannot fetch acme-wheel==1\.0: Could not find the uv binary"):
        fetched(tmp_path)
