"""Allow one run at a time on this host, and let other processes read its progress.

A run locks a file and writes its progress to it; web workers have nothing else in common. The operating
system releases the lock when the process ends for any reason. The lock does not cover other hosts: a
concurrent run there does no harm, because each run continues from what it finds.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config.settings import SyncSettings
from ..exceptions import ConflictError
from .models import Progress, Reporter


class _State:
    """Writes the state of a run to its locked file, where other processes read it."""

    def __init__(self, descriptor: int, command: str) -> None:
        self._descriptor = descriptor
        self._document: dict[str, Any] = {"command": command, "since": int(time.time())}
        self._write()

    def note(self, progress: Progress) -> None:
        """Write the current step of the run."""
        self._document |= {"step": progress.step, "message": progress.message}
        self._write()

    def _write(self) -> None:
        data = json.dumps(self._document).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)


@contextlib.contextmanager
def hold(settings: SyncSettings, command: str, report: Reporter) -> Iterator[Reporter]:
    """Hold the lock of a function and its bucket.

    Parameters
    ----------
    settings : SyncSettings
    command : str
        ``enable`` or ``disable``.
    report : callable
        Receives the progress of the run.

    Yields
    ------
    callable
        Passes progress on to ``report`` and makes it readable for other processes.

    Raises
    ------
    ConflictError
        If another run holds the lock; the message says what that run is doing.
    """
    path = _path(settings)
    descriptor = _take(path)
    if descriptor is None:
        running = current(settings) or {}
        step = f" ({running['message']})" if "message" in running else ""
        raise ConflictError(
            f"{running.get('command', 'another run')} of {settings.function_name} is already running{step}:"
            " wait until it ends"
        )
    try:
        state = _State(descriptor, command)

        def report_and_note(progress: Progress) -> None:
            state.note(progress)
            report(progress)

        yield report_and_note
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def current(settings: SyncSettings) -> dict[str, Any] | None:
    """Return the current run on this host as ``command``, ``since``, ``step`` and ``message``, or None."""
    try:
        descriptor = _open(_path(settings), os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        return None if _lock(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def _path(settings: SyncSettings) -> Path:
    parts = (settings.endpoint_url or "", settings.function_name, settings.bucket)
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"pypicloud-s3sync-{os.getuid()}-{name}.lock")


def _take(path: Path) -> int | None:
    """Open and lock the file; return its descriptor, or None if another process holds the lock."""
    while True:
        descriptor = _open(path, os.O_RDWR | os.O_CREAT)
        # A reader in current() holds the lock for a moment as well, so try again.
        if not any(_lock(descriptor, fcntl.LOCK_EX, wait) for wait in (0, 0.05, 0.2)):
            os.close(descriptor)
            return None
        if _is_at(path, descriptor):
            return descriptor
        # A run that has just ended removed the file before it was locked here: this lock protects nothing.
        os.close(descriptor)


def _open(path: Path, flags: int) -> int:
    """Open a file in a directory where other users may create a file or link of the same name."""
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConflictError(
            f"{path} cannot be opened ({error.strerror}): remove it, or set TMPDIR"
        ) from error
    if os.fstat(descriptor).st_uid != os.getuid():
        os.close(descriptor)
        raise ConflictError(f"{path} belongs to another user: remove it, or set TMPDIR")
    return descriptor


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lock(descriptor: int, kind: int, wait: float = 0) -> bool:
    time.sleep(wait)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> dict[str, Any]:
    """Return the state of the run; empty if the run is writing it at this moment."""
    try:
        state: dict[str, Any] = json.loads(os.pread(descriptor, 65536, 0))
    except ValueError:
        return {}
    return state
