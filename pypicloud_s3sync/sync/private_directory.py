"""Create a directory below the temporary directory that only the current user can use."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from ..exceptions import ConflictError


def private_directory() -> Path:
    """Return the user's directory, in which nobody else can read files, or put a file or a link.

    Raises
    ------
    ConflictError
        If the directory cannot be created, or belongs to another user.
    """
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
