"""Find a Python of the target's version on this host, without downloading one."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@functools.cache
def find_python(version: tuple[int, int]) -> str | None:
    """Return an interpreter of a version: the running one, if it has that version.

    Otherwise look next to the running interpreter, where a version manager keeps several, then in the
    directories of pyenv and uv, then on PATH. PATH comes last because the shims of version managers take
    long to fail. uv is not asked: it takes a third of a second and gives up at the first candidate that does
    not start.

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
    managed = (path for home in homes for path in sorted(home.glob(f"*/bin/{name}")))
    for candidates in (managed, on_path):
        yield from (str(path) for path in candidates if os.access(path, os.X_OK))


def _is(path: str, version: tuple[int, int]) -> bool:
    check = f"import sys; sys.exit(sys.version_info[:2] != {version})"
    try:
        result = subprocess.run([path, "-I", "-S", "-c", check], capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def clean_environment() -> dict[str, str]:
    """Return an environment without ``PYTHON*`` variables, and with the same order of sets in each run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONHASHSEED": "0"}
