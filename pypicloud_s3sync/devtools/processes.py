"""Run a command that ends when we do: with every process it started and every file it left behind.

A child outlives a parent that is killed, so nobody would end an emulator or a server whose starter was
sent SIGKILL. Here a guard stands between: ``python -m pypicloud_s3sync.devtools.processes COMMAND...`` runs
the command in a process group and with a ``TMPDIR`` of its own, and waits on a pipe from the parent. The
kernel closes that pipe however the parent dies; then the guard kills the group and removes the directory.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TypeVar

from ..exceptions import S3SyncError

T = TypeVar("T")

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: What a child must not know of our environment: the developer's AWS account and tool settings.
OURS_ALONE = ("AWS_", "BOTO_", "PPC_", "PIP_", "TWINE_")


def wait_until(condition: Callable[[], T], what: str, timeout: float = 30.0) -> T:
    """Call ``condition`` until it returns something true, and return that.

    Parameters
    ----------
    condition : callable
    what : str
        What is waited for, for the error: ``the bucket exists``.
    timeout : float, optional
        Seconds.

    Raises
    ------
    S3SyncError
        When the time is up.
    """
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise S3SyncError(f"waited {timeout:g} seconds in vain until {what}")
        time.sleep(0.05)
    return result


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment for a child that must not find the developer's own AWS account or tool settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS_ALONE)}
    loopback = "localhost,127.0.0.1"
    no_proxy = ",".join(filter(None, [kept.get("no_proxy") or kept.get("NO_PROXY"), loopback]))
    return {
        **kept,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        **(extra or {}),
    }


class SupervisedProcess:
    """A running command, away from the terminal's signals, that can't outlive this process.

    Parameters
    ----------
    command : sequence of str
        Program and arguments. Its working directory is the private one, so paths must be absolute.
    environment : dict
        All of the command's environment, but for ``TMPDIR``.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        # The log has no name in the file system: nothing to remove, whoever dies first.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._guard = subprocess.Popen(
            [sys.executable, "-m", __name__, *command],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )

    @property
    def running(self) -> bool:
        """Whether the command has not ended yet."""
        return self._guard.poll() is None

    def log_tail(self, lines: int = 20) -> str:
        """The end of what the command printed, also after it ended."""
        if self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        # pread: the command writes at this file's position, so it must not move.
        end = os.pread(self._log.fileno(), 65536, max(0, size - 65536))
        return "\n".join(end.decode(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """End the command, its children and its files. Doing it twice is no error."""
        if self._guard.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.close()
        self._guard.wait()
        self._log.close()


def main(command: Sequence[str]) -> int:
    """Guard one command: the other end of :class:`SupervisedProcess`."""
    for number in END_SIGNALS:
        signal.signal(number, _exit)
    directory = Path(tempfile.mkdtemp(prefix="pypicloud-s3sync-"))
    try:
        return _run(command, directory)
    finally:
        _remove(directory)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _run(command: Sequence[str], directory: Path) -> int:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        cwd=directory,
        env={**os.environ, "TMPDIR": str(directory)},
        process_group=0,
    )
    try:
        threading.Thread(target=_kill_at_end_of_input, args=[process], daemon=True).start()
        return process.wait()
    finally:
        for number in END_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        _kill_group(process)
        process.wait()


def _kill_at_end_of_input(process: subprocess.Popen[bytes]) -> None:
    # os.read, not sys.stdin: a thread inside sys.stdin's lock hinders the interpreter's exit.
    while os.read(0, 4096):
        pass
    _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    # SIGKILL: an emulator has nothing worth saving, and this is certain. The group may be gone already.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _remove(directory: Path) -> None:
    """Remove a directory into which dying processes may be writing still."""

    def gone() -> bool:
        shutil.rmtree(directory, ignore_errors=True)
        return not directory.exists()

    wait_until(gone, f"{directory} is removed", timeout=10)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
