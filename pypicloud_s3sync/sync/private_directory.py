"""Create a directory below the temporary directory that only the current user can use."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from ..exceptions import ConflictError

#: The variables and the directories that Python tries before it takes the current directory.
_VARIABLES = ("TMPDIR", "TEMP", "TMP")
_DIRECTORIES = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - read by name, not created


def private_directory() -> Path:
    """Return the user's directory, in which nobody else can read files, or put a file or a link.

    Raises
    ------
    ConflictError
        If the directory cannot be created, or belongs to another user.
    """
    path = Path(_temporary_directory(), f"pypicloud-s3sync-{os.getuid()}")
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


def _temporary_directory() -> str:
    """Return Python's temporary directory, but not the current directory in place of one."""
    try:
        directory = tempfile.gettempdir()
    except FileNotFoundError:
        directory = os.curdir
    named = [os.path.abspath(os.environ[name]) for name in _VARIABLES if os.environ.get(name)]
    if directory in (*_DIRECTORIES, *named) or directory not in (os.curdir, os.getcwd()):
        return directory
    raise ConflictError("no temporary directory can be written: set TMPDIR to one that can")
