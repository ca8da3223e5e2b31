"""Byte-compile a bundle's files for the target's Python.

The script ``scripts/compile_files.py``, which that Python runs, chooses the format of the ``.pyc`` files.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from ...exceptions import BundleError
from .collect import Files
from .interpreters import clean_environment
from .models import Target

_SCRIPT = Path(__file__).parent / "scripts" / "compile_files.py"

#: The directory into which Lambda unpacks a function, and so the one that tracebacks name.
_ROOT = "/var/task"

#: A constant, not the number of processors: the bytes that a process writes depend on what it compiled before
#: (marshal marks strings that are used twice), so each process must get the same files on every host.
_PROCESSES = 4


def compile_files(files: Files, target: Target, python: str, directory: Path) -> Files:
    """Compile each ``.py`` file and return the ``.pyc`` files by the names that Python looks for in the zip.

    Parameters
    ----------
    files : dict
        The bundle's files.
    target : Target
    python : str
        An interpreter of the target's version.
    directory : Path
        The directory to write the compiled files to.

    Returns
    -------
    dict
        The compiled files. A source that is not valid in the target's Python has none.

    Raises
    ------
    BundleError
        If the interpreter fails.
    """
    sources = {name: path for name, path in sorted(files.items()) if name.endswith(".py")}
    outputs = {name: directory / _cached_name(name, target) for name in sources}
    lines = [_request(path, name, outputs[name]) for name, path in sources.items()]
    # Adjacent files go to different processes, so that no process gets all of the large ones.
    _run(python, ["".join(lines[first::_PROCESSES]) for first in range(min(_PROCESSES, len(lines)))])
    return {_cached_name(name, target): path for name, path in outputs.items() if path.exists()}


def _request(source: Path, name: str, output: Path) -> str:
    # A file name may contain anything but "/" and NUL, and JSON escapes it.
    return json.dumps([str(source), f"{_ROOT}/{name}", str(output)]) + "\n"


def _cached_name(name: str, target: Target) -> str:
    source = PurePosixPath(name)
    return str(source.parent / "__pycache__" / "{}.cpython-{}{}.pyc".format(source.stem, *target.python))


def _run(python: str, shares: list[str]) -> None:
    # Without the columns of each instruction, which only underline a part of a line in a traceback, bytecode
    # is a quarter smaller, on disk and in memory.
    command = [python, "-s", "-S", "-P", "-B", "-W", "ignore", "-X", "no_debug_ranges", str(_SCRIPT)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    env=clean_environment(),
                    encoding="utf-8",
                )
            )
            for _ in shares
        ]
        for process, share in zip(processes, shares, strict=True):
            assert process.stdin is not None  # noqa: S101
            process.stdin.write(share)
            process.stdin.close()
        for process in processes:
            assert process.stderr is not None  # noqa: S101
            error = process.stderr.read().strip()
            if process.wait():
                last = error.splitlines()[-1] if error else f"exit status {process.returncode}"
                raise BundleError(f"{python} cannot compile the bundle: {last}: check that it runs")
