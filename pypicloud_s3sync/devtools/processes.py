"""Run a command that ends when this process does, with all of its child processes and temporary files.

A child normally outlives a parent that is killed, so an emulator or a server would go on running after its
starter got SIGKILL. A guard process prevents that: ``python -m pypicloud_s3sync.devtools.processes
COMMAND...`` runs the command in a process group and with a ``TMPDIR`` of its own, and waits on a pipe from
the parent. The kernel closes that pipe no matter how the parent dies; then the guard kills the group and
removes the directory.
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
from ..sync.counts import count_of

T = TypeVar("T")

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Variables that a child must not inherit: the developer's AWS account and tool settings.
PRIVATE_PREFIXES = ("AWS_", "BOTO_", "PPC_", "PIP_", "TWINE_")


def wait_until(condition: Callable[[], T], what: str, timeout: float = 30.0) -> T:
    """Call a function until it returns a true value, and return that value.

    Parameters
    ----------
    condition : callable
    what : str
        A description for the error, for example ``the bucket exists``.
    timeout : float, optional
        The time limit in seconds.

    Raises
    ------
    S3SyncError
        If the time limit is exceeded.
    """
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise S3SyncError(f"Timed out after {count_of(timeout, 'second')} waiting until {what}")
        time.sleep(0.05)
    return result


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without the developer's AWS account and tool settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE_PREFIXES)}
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
    """A running command that does not get the terminal's signals and cannot outlive this process.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments. The command runs in a private directory, so paths must be absolute.
    environment : dict
        The command's whole environment, except ``TMPDIR``.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        # The log has no name in the file system, so no process has to remove it.
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
        """Whether the command is still running."""
        return self._guard.poll() is None

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines that the command printed; this works after it has ended, too."""
        if self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        # pread does not move the file's position, at which the command writes.
        end = os.pread(self._log.fileno(), 65536, max(0, size - 65536))
        return "\n".join(end.decode(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """End the command and its children, and remove its files. May be called twice."""
        if self._guard.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.close()
        self._guard.wait()
        self._log.close()


def main(command: Sequence[str]) -> int:
    """Run the guard of one command, which :class:`SupervisedProcess` starts."""
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
    # Not sys.stdin: a thread that holds its lock would block the interpreter's exit.
    while os.read(0, 4096):
        pass
    _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    # SIGKILL cannot be ignored, and there is nothing to save. The group may already have ended.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _remove(directory: Path) -> None:
    """Remove a directory, even if ending processes are still writing to it."""

    def is_removed() -> bool:
        shutil.rmtree(directory, ignore_errors=True)
        return not directory.exists()

    wait_until(is_removed, f"{directory} is removed", timeout=10)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
