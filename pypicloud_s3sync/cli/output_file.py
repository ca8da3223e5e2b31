"""Write a file that a command creates: refuse what cannot be written early, and never leave half of it."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path

from ..exceptions import ConfigError

_PREFIX = ".ppc-s3sync-"
#: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
_MOUNTS = Path("/proc/self/mountinfo")
#: The name that means standard output, in the commands whose output is text. A file has the name ./- then.
STDOUT = "-"


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
    if name == STDOUT:
        raise _refused(name, "a terminal cannot show it")
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
        elif len(os.fsencode(path.name)) > os.pathconf(directory, "PC_NAME_MAX"):
            raise _refused(name, "the name is too long")
        if _is_replaced(path):
            _check_directory(name, directory)
    except OSError as error:
        raise _refused(name, error.strerror or str(error)) from error
    return path


def _check_existing(name: str, path: Path) -> None:
    mode = path.stat().st_mode
    # Root may write everything, but a file without any right to write has been protected on purpose.
    if not os.access(path, os.W_OK) or not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise _refused(name, "the file is read-only")
    if not stat.S_ISFIFO(mode):  # which waits for its reader when it is opened
        os.close(os.open(path, os.O_WRONLY))
    if _is_replaced(path):
        _check_replaceable(name, path)


def _check_replaceable(name: str, path: Path) -> None:
    if os.fspath(path) in _mount_points():
        raise _refused(name, "it is a mount point, which cannot be replaced")
    # In /tmp, for example: https://man7.org/linux/man-pages/man7/inode.7.html, sticky bit
    owners = {0, path.stat().st_uid, path.parent.stat().st_uid}
    if path.parent.stat().st_mode & stat.S_ISVTX and os.geteuid() not in owners:
        raise _refused(name, f"only the owner of the file may replace it in {path.parent}")


def _mount_points() -> set[str]:
    """Return where file systems are mounted; a container may have a single file of its host as one."""
    if not _MOUNTS.exists():  # which only Linux has
        return set()
    fields = (line.split()[4] for line in _MOUNTS.read_text().splitlines())
    return {re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field) for field in fields}


def _check_directory(name: str, directory: Path) -> None:
    """Create a file and remove it: neither permissions nor the kind of file system tell everything."""
    try:
        tempfile.TemporaryFile(dir=directory, prefix=_PREFIX).close()
    except OSError as error:
        reason = f"no file can be created in {directory}: {error.strerror or error}"
        raise _refused(name, reason) from error


def _is_replaced(path: Path) -> bool:
    """Return whether a new file takes the path, unlike a device or a pipe, which is written itself."""
    return path.is_file() or not path.exists()


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
        if _is_replaced(path):
            _replace(path, data)
        else:
            path.write_bytes(data)
    except OSError as error:
        raise _refused(name, error.strerror or str(error)) from error


def _replace(path: Path, data: bytes) -> None:
    # The name of the file itself may be as long as a name can be.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_PREFIX, delete=False) as temporary:
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
