"""A Python of the target's version on this host."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle.interpreters import clean_environment, find_python


@pytest.fixture(autouse=True)
def no_cache() -> Iterator[None]:
    find_python.cache_clear()
    yield
    find_python.cache_clear()


def test_the_running_interpreter_is_used_for_its_own_version() -> None:
    assert find_python(sys.version_info[:2]) == sys.executable


def test_an_interpreter_that_does_not_start_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, working = tmp_path / "broken", tmp_path / "working"
    for directory, status in ((broken, 127), (working, 0)):
        directory.mkdir()
        (directory / "python3.99").write_text(f"#!/bin/sh\nexit {status}\n")
        (directory / "python3.99").chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken}:{working}")
    assert find_python((3, 99)) == str(working / "python3.99")


@pytest.mark.parametrize(
    ("variable", "directory"), [("PYENV_ROOT", "versions"), ("UV_PYTHON_INSTALL_DIR", "")]
)
def test_an_interpreter_of_a_version_manager_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, directory: str
) -> None:
    python = tmp_path / directory / "3.99.1" / "bin" / "python3.99"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    monkeypatch.setenv(variable, str(tmp_path))
    assert find_python((3, 99)) == str(python)


def test_no_interpreter_is_found_if_the_host_has_none() -> None:
    assert find_python((3, 98)) is None


def test_the_environment_has_no_settings_of_python_and_a_fixed_hash_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    environment = clean_environment()
    assert "PYTHONPATH" not in environment
    assert environment["PYTHONHASHSEED"] == "0"
    assert environment["PATH"]
