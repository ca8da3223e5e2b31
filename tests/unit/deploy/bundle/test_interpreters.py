"""A Python of the target's version on this host."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle.interpreters import clean_environment, find_python, may_import


def make_python(path: Path) -> Path:
    """Create a program that starts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


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
    python = make_python(tmp_path / directory / "3.99.1" / "bin" / "python3.99")
    monkeypatch.setenv(variable, str(tmp_path))
    assert find_python((3, 99)) == str(python)


def test_the_newest_release_of_a_version_manager_is_found_before_those_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for release in ("3.99.9", "3.99.10", "3.99.1"):
        make_python(tmp_path / "versions" / release / "bin" / "python3.99")
    make_python(tmp_path / "python3.99")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_python((3, 99)) == str(tmp_path / "versions" / "3.99.10" / "bin" / "python3.99")


def test_a_directory_that_may_not_be_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, pattern: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "glob", refuse)
    assert find_python((3, 98)) is None


def pretended(directory: Path, release: str) -> str:
    """Create this interpreter again, which says that it is of another release."""
    python = make_python(directory / "python3.11")
    version_info = f"({release.replace('.', ', ')}, 'final', 0)"
    python.write_text(f"""#!/bin/sh
exec {sys.executable} -c "import sys; sys.version_info = {version_info}; exec(sys.argv[1])" "$4"
""")
    return str(python)


@pytest.mark.parametrize(("release", "may"), [("3.11.2", False), ("3.11.3", True), ("3.11.14", True)])
def test_a_bundle_is_not_imported_with_a_release_on_which_redis_needs_more(
    tmp_path: Path, release: str, may: bool
) -> None:
    assert may_import(pretended(tmp_path, release), (3, 11)) == may


def test_a_bundle_is_imported_with_the_running_interpreter_whatever_its_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", pretended(tmp_path, "3.11.2"))
    assert may_import(sys.executable, (3, 11))


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
