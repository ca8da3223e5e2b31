"""Find a Python of the target's version on this host, without downloading one."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: The oldest release that may import a bundle, if it is not the first of its version. redis needs
#: async-timeout before 3.11.3, and pip has installed it here only if the running Python is that old. This can
#: go once redis does not need it.
OLDEST = {(3, 11): (3, 11, 3)}


@functools.cache
def find_python(version: tuple[int, int]) -> str | None:
    """Return an interpreter of a version: the running one, if it has that version.

    Otherwise look next to the running interpreter, where a version manager keeps several, then in the
    directories of pyenv and uv, then on PATH. Of several releases, take the newest. PATH comes last because
    the shims of version managers take long to fail. uv is not asked: it takes a third of a second and gives
    up at the first candidate that does not start.

    Parameters
    ----------
    version : (int, int)
        Major and minor version.

    Returns
    -------
    str or None
        The path of an interpreter that starts.
    """
    if sys.version_info[:2] == version:
        return sys.executable
    return next((path for path in _candidates(version) if _is(path, version)), None)


def _candidates(version: tuple[int, int]) -> Iterator[str]:
    name = "python{}.{}".format(*version)
    on_path = (Path(directory) / name for directory in os.get_exec_path())
    # Unlike Path.home, expanduser does not raise if the user has no home directory.
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    uv_pythons = os.environ.get("UV_PYTHON_INSTALL_DIR") or os.path.expanduser("~/.local/share/uv/python")
    homes = (Path(sys.base_prefix).resolve().parent, Path(pyenv, "versions"), Path(uv_pythons))
    managed = (path for home in homes for path in _installed(home, name))
    for candidates in (managed, on_path):
        yield from (str(path) for path in candidates if os.access(path, os.X_OK))


def _installed(home: Path, name: str) -> list[Path]:
    """Return the interpreters in the directory of a version manager, the newest first."""

    def release(path: Path) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", path.parents[1].name)]

    # A directory that may not be read has none: a service may have the home directory of another user.
    with suppress(PermissionError):
        return sorted(home.glob(f"*/bin/{name}"), key=release, reverse=True)
    return []


def _is(path: str, version: tuple[int, int]) -> bool:
    return _exits(path, f"sys.version_info[:2] != {version}")


@functools.cache
def may_import(python: str, version: tuple[int, int]) -> bool:
    """Return whether a bundle can be imported with an interpreter of its version as with Lambda's."""
    if python == sys.executable or version not in OLDEST:
        return True
    return _exits(python, f"sys.version_info < {OLDEST[version]}")


def _exits(path: str, status: str) -> bool:
    """Return whether an interpreter starts, and exits with 0 for a status that is an expression."""
    command = [path, "-I", "-S", "-c", f"import sys; sys.exit({status})"]
    try:
        result = subprocess.run(command, capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def clean_environment() -> dict[str, str]:
    """Return an environment without ``PYTHON*`` variables, and with the same order of sets in each run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONHASHSEED": "0"}
