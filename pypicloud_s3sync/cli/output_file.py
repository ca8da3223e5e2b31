"""Write a file that a command creates: refuse what cannot be written early, and never leave half of it."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from ..exceptions import ConfigError


def check(name: str) -> Path:
    """Return the path to write, once it is certain that a file can be created or replaced there.

    Parameters
    ----------
    name : str
        The file, as the option ``-o`` names it.

    Raises
    ------
    ConfigError
        If the directory does not exist or cannot be written, or something else than a writable file is there.
    """
    if not name or "\0" in name:
        raise ConfigError("-o does not name a file: give the path of the file to write")
    try:
        # A link stays a link: what it points at is replaced.
        path = Path(os.path.realpath(name))
        directory = path.parent
        if not directory.is_dir():
            raise _refused(name, f"there is no directory {directory}")
        if path.is_dir() or name.endswith(os.sep):
            raise _refused(name, "it is a directory")
        if path.exists():
            _check_existing(name, path)
        elif not os.access(directory, os.W_OK | os.X_OK):
            raise _refused(name, f"the directory {directory} is not writable")
        elif len(os.fsencode(path.name)) > os.pathconf(directory, "PC_NAME_MAX"):
            raise _refused(name, "the name is too long")
    except OSError as error:
        raise _refused(name, error.strerror or str(error)) from error
    return path


def _check_existing(name: str, path: Path) -> None:
    mode = path.stat().st_mode
    # Root may write everything, but a file without any right to write has been protected on purpose.
    if not os.access(path, os.W_OK) or not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise _refused(name, "the file is read-only")
    if stat.S_ISREG(mode) and not os.access(path.parent, os.W_OK | os.X_OK):
        raise _refused(name, f"the directory {path.parent} is not writable")


def write(name: str, path: Path, data: bytes) -> None:
    """Create or replace a file in one step. If that fails, an existing file stays as it was.

    Parameters
    ----------
    name : str
        The file, as the option ``-o`` names it.
    path : Path
        The result of :func:`check`.
    data : bytes

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a device or a pipe, which cannot be replaced
        else:
            _replace(path, data)
    except OSError as error:
        raise _refused(name, error.strerror or str(error)) from error


def _replace(path: Path, data: bytes) -> None:
    # The name of the file itself may be as long as a name can be.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".ppc-s3sync-", delete=False) as temporary:
        try:
            os.fchmod(temporary.fileno(), _mode(path))
            temporary.write(data)
            temporary.flush()
            os.replace(temporary.name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary.name)
            raise


def _mode(path: Path) -> int:
    """Return the permissions of the existing file, or those of any new file."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _refused(name: str, reason: str) -> ConfigError:
    return ConfigError(f"cannot write {name} ({reason}): choose another file with -o")
