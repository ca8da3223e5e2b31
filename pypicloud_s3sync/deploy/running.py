"""One run at a time on this host, and what it is doing: a locked file that says so to other processes.

Web workers share nothing else. The system lets go of the lock when a process ends, however it ends. On
another host a second run is not seen: it does no harm, since each run goes on from what it finds.
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

from ..exceptions import ConflictError
from ..settings import SyncSettings
from .models import Progress


class Run:
    """A run that has the lock."""

    def __init__(self, descriptor: int, command: str) -> None:
        self._descriptor = descriptor
        self._said: dict[str, Any] = {"command": command, "since": int(time.time())}
        self._write()

    def note(self, progress: Progress) -> None:
        """Let others know which step it is at."""
        self._said |= {"step": progress.step, "message": progress.message}
        self._write()

    def _write(self) -> None:
        data = json.dumps(self._said).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)


@contextlib.contextmanager
def alone(settings: SyncSettings, command: str) -> Iterator[Run]:
    """Hold the lock of a function and its bucket.

    Raises
    ------
    ConflictError
        Another run has it; says what that is doing.
    """
    with _opened(settings) as descriptor:
        if not _lock(descriptor, fcntl.LOCK_EX):
            said = _read(descriptor)
            doing = f" ({said['message']})" if "message" in said else ""
            raise ConflictError(
                f"{said.get('command', 'another run')} of {settings.function_name} is under way{doing}:"
                " wait until it has ended"
            )
        try:
            yield Run(descriptor, command)
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def current(settings: SyncSettings) -> dict[str, Any] | None:
    """What a run on this host is doing: ``command``, ``since`` in seconds, ``step``, ``message``; or None."""
    with _opened(settings) as descriptor:
        if _lock(descriptor, fcntl.LOCK_SH):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            return None
        return _read(descriptor)


@contextlib.contextmanager
def _opened(settings: SyncSettings) -> Iterator[int]:
    directory = Path(tempfile.gettempdir(), f"pypicloud-s3sync-{os.getuid()}")
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.is_symlink() or directory.stat().st_uid != os.getuid():
        raise ConflictError(f"{directory} is somebody else's: remove it, or set TMPDIR")
    parts = (settings.endpoint_url or "", settings.function_name, settings.bucket)
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    descriptor = os.open(
        directory / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> dict[str, Any]:
    """What the run said; nothing, where it is just saying it."""
    try:
        said: dict[str, Any] = json.loads(os.pread(descriptor, 65536, 0))
    except ValueError:
        return {}
    return said
