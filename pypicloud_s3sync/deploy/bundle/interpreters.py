"""Find a Python of the target's version on this host; none is ever downloaded."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@functools.cache
def find_python(version: tuple[int, int]) -> str | None:
    """An interpreter of a version, the running one where it is that.

    Looked for beside this one, where a version manager keeps several, where uv keeps its own, and on PATH,
    where the shims of version managers take long to say that they do not start. uv itself is not asked: it
    takes a third of a second and stops at a first candidate that does not start.

    Parameters
    ----------
    version : (int, int)
        Major and minor.

    Returns
    -------
    str or None
        The path of one that starts.
    """
    if sys.version_info[:2] == version:
        return sys.executable
    return next((path for path in _candidates(version) if _is(path, version)), None)


def _candidates(version: tuple[int, int]) -> Iterator[str]:
    name = "python{}.{}".format(*version)
    on_path = (Path(directory) / name for directory in os.get_exec_path())
    uv_pythons = os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python"
    homes = (Path(sys.base_prefix).resolve().parent, Path(uv_pythons))
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
    """The environment for such a process: nothing of Python's, and one order of sets in each run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONHASHSEED": "0"}
