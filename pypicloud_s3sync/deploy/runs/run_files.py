"""Open and lock the files that tell the processes of this host about each other's runs.

They are in a private directory of the current user below the temporary directory, so nobody else can read
them, or put a file or a link in their place.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from ...config.settings import SyncSettings
from ...exceptions import ConflictError
from ...sync.private_directory import private_directory

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
    return private_directory() / (name + suffix)


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
