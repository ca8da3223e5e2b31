"""Find the Python interpreter of a web server, which need not be the program that runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..exceptions import S3SyncError


def find_interpreter() -> str:
    """Return the path of an interpreter of this process's version of Python.

    ``sys.executable`` is the server's own program under uWSGI, and may be anything under mod_wsgi, because
    both embed Python. The interpreter next to the libraries of this process is the next guess.

    Raises
    ------
    S3SyncError
        If there is none.
    """
    for path in _candidates():
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return str(path)
    raise S3SyncError(
        f"no Python interpreter was found below {sys.prefix} or {sys.base_prefix}:"
        " use ppc-s3sync on the command line instead"
    )


def _candidates() -> Iterator[Path]:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if sys.executable and Path(sys.executable).name.startswith(("python", "pypy")):
        yield Path(sys.executable)
    # A virtual environment may have been made without a versioned name.
    yield from (Path(sys.prefix, "bin", other) for other in (name, "python3", "python"))
    yield from (
        Path(prefix, "bin", name) for prefix in (sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)
    )
