"""The interpreter of a web server that embeds Python."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.web.interpreter import find_interpreter

NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"


def make_program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return str(path)


@pytest.fixture
def prefixes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the environment and the installation below it be empty directories."""
    for name in ("prefix", "exec_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path / "environment"))
    for name in ("base_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path / "base"))
    return tmp_path


def test_a_server_that_python_runs_has_its_own_interpreter() -> None:
    assert find_interpreter() == sys.executable


@pytest.mark.parametrize("executable", ["uwsgi", "httpd", "apache2", ""])
@pytest.mark.parametrize("place", [f"environment/bin/{NAME}", "environment/bin/python", f"base/bin/{NAME}"])
def test_a_server_that_embeds_python_has_the_one_beside_its_libraries(
    monkeypatch: pytest.MonkeyPatch, prefixes: Path, executable: str, place: str
) -> None:
    program = make_program(prefixes / "environment/bin" / executable) if executable else ""
    monkeypatch.setattr(sys, "executable", program)
    interpreter = make_program(prefixes / place)
    assert find_interpreter() == interpreter


def test_an_interpreter_of_another_version_is_not_used(
    monkeypatch: pytest.MonkeyPatch, prefixes: Path
) -> None:
    monkeypatch.setattr(sys, "executable", None)
    make_program(prefixes / "base/bin/python2.7")
    make_program(prefixes / "base/bin/python3")
    with pytest.raises(S3SyncError, match=f"no Python interpreter was found below {sys.prefix}"):
        find_interpreter()
