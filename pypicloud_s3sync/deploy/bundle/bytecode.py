"""Byte-compile a bundle's files for the target's Python."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

from ...exceptions import BundleError
from .collect import Files
from .interpreters import clean_environment
from .models import Target

_SCRIPT = Path(__file__).parent / "scripts" / "compile_files.py"

#: Where Lambda unpacks a function, which is what tracebacks should say.
_ROOT = "/var/task"

#: Fixed, and not the number of processors: what a process compiled before shows in the bytes that it writes
#: next (marshal marks strings that are used twice), so each must get the same files on every host.
_PROCESSES = 4


def compile_files(files: Files, target: Target, python: str, directory: Path) -> Files:
    """Write the ``.pyc`` of each ``.py``, by the name that Python looks for in the zip.

    Parameters
    ----------
    files : dict
        The bundle's files.
    target : Target
    python : str
        An interpreter of the target's version.
    directory : Path
        Where to write them.

    Returns
    -------
    dict
        What was written; a source that is no Python of this version has none.

    Raises
    ------
    BundleError
        The interpreter failed.
    """
    sources = {name: path for name, path in sorted(files.items()) if name.endswith(".py")}
    outputs = {name: directory / _cached_name(name, target) for name in sources}
    lines = [f"{path}\t{_ROOT}/{name}\t{outputs[name]}\n" for name, path in sources.items()]
    # With neighbours in different processes none gets all of the long ones.
    _run(python, ["".join(lines[first::_PROCESSES]) for first in range(_PROCESSES)])
    return {_cached_name(name, target): path for name, path in outputs.items() if path.exists()}


def _cached_name(name: str, target: Target) -> str:
    source = PurePosixPath(name)
    return str(source.parent / "__pycache__" / "{}.cpython-{}{}.pyc".format(source.stem, *target.python))


def _run(python: str, shares: list[str]) -> None:
    command = [python, "-s", "-S", "-P", "-B", "-W", "ignore", str(_SCRIPT)]
    processes = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=clean_environment(),
            encoding="utf-8",
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
            raise BundleError(f"{python} could not compile the bundle: {last}: check that it runs")
