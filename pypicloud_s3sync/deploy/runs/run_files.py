"""Open and lock the files that tell the processes of this host about each other's runs.

They are in a private directory of the current user below the temporary directory, so nobody else can read
them, or put a file or a link in their place.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ...config.settings import SyncSettings
from ...exceptions import ConflictError

#: Pauses in seconds between attempts to lock a file: a process that only looks holds the lock for a moment.
PAUSES = (0, 0.05, 0.2)


def path_for(settings: SyncSettings, suffix: str) -> Path:
    """Return the path of a file for a function and its bucket, in the private directory.

    Raises
    ------
    ConflictError
        If the directory cannot be created, or belongs to another user.
    """
    parts = (settings.endpoint_url or "", settings.function_name, settings.bucket)
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return _private_directory() / (name + suffix)


def _private_directory() -> Path:
    try:
        path = Path(tempfile.gettempdir(), f"pypicloud-s3sync-{os.getuid()}")
    except FileNotFoundError as error:
        raise ConflictError("no temporary directory can be written: set TMPDIR to one that can") from error
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise ConflictError(
            f"{path} cannot be opened ({error.strerror}): remove it, or set TMPDIR"
        ) from error
    if not stat.S_ISDIR(status.st_mode):
        raise ConflictError(f"{path} cannot be opened (not a directory): remove it, or set TMPDIR")
    if status.st_uid != os.getuid():
        raise ConflictError(f"{path} belongs to another user: remove it, or set TMPDIR")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ConflictError(f"{path} can be used by other users: remove it, or set TMPDIR")
    return path


def open_private(path: Path, flags: int) -> int:
    """Return a descriptor of a file that only the current user can read.

    Raises
    ------
    FileNotFoundError
        If the file does not exist and ``flags`` do not create it.
    ConflictError
        If it cannot be opened, for example because it is a symbolic link.
    """
    try:
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConflictError(
            f"{path} cannot be opened ({error.strerror}): remove it, or set TMPDIR"
        ) from error


def take_lock(
    settings: SyncSettings, suffix: str = ".lock", *, pauses: Sequence[float] = PAUSES
) -> int | None:
    """Return the descriptor of a locked file, or None if another process has locked it.

    The operating system releases the lock when the last process that has the descriptor closes it or ends.
    """
    descriptor = open_private(path_for(settings, suffix), os.O_RDWR | os.O_CREAT)
    for pause in pauses:
        time.sleep(pause)
        if _lock(descriptor, fcntl.LOCK_EX):
            return descriptor
    os.close(descriptor)
    return None


def is_locked(settings: SyncSettings, suffix: str = ".lock") -> bool:
    """Return whether a process holds the lock."""
    try:
        descriptor = open_private(path_for(settings, suffix), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
