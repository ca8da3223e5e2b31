"""Find the processes that a test has left, by a temporary directory that only they have."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks for leaked processes in Linux's /proc")


def processes_below(directory: Path) -> list[str]:
    """Return the command lines of the running processes whose TMPDIR is in or below a directory."""
    wanted = f"\0TMPDIR={directory}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in b"\0" + (process / "environ").read_bytes() and int(process.name) != os.getpid():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def nothing_left(directory: Path) -> bool:
    """Return whether no process with this TMPDIR is left, and no file in it."""
    return not processes_below(directory) and not list(directory.iterdir())
