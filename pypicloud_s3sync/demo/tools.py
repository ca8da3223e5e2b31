"""Run console scripts and send HTTP requests, as a user of the demo's servers does."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path

from ..devtools.processes import clean_environment
from ..exceptions import S3SyncError

USER = PASSWORD = "admin"  # noqa: S105 - for servers that run on this machine for a minute


def run(
    command: Sequence[str], scripts: Path, workspace: Path, show: Callable[[str], None] | None = None
) -> str:
    """Run a command to its end and return what it printed.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments. The program is the name of a console script, or an absolute path.
    scripts : Path
        The directory of the console scripts.
    workspace : Path
        The working directory; temporary files go below it.
    show : callable, optional
        Takes each line as it is printed.

    Raises
    ------
    S3SyncError
        If the exit status is not 0. The message has the end of the output, unless it was passed to ``show``.
    """
    process = subprocess.Popen(
        [script(command[0], scripts), *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=workspace,
        env=_tool_environment(workspace),
        start_new_session=True,
    )
    lines = []
    with process:
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip("\n"))
                if show is not None:
                    show(lines[-1])
            status = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if status != 0:
        tail = lines[-20:] if show is None else []
        raise S3SyncError("\n".join([f"{' '.join(command)} ended with status {status}", *tail]))
    return "\n".join(lines)


def script(name: str, scripts: Path) -> str:
    """Return the path of a console script in a directory, or the name itself if it is an absolute path."""
    return name if os.path.isabs(name) else str(scripts / name)


def request(url: str, method: str = "GET") -> tuple[int, str]:
    """Send a request as admin, and return the status and the body of the response."""
    login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    to_send = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - always http
    # No proxy: the servers are on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(to_send, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def _tool_environment(workspace: Path) -> dict[str, str]:
    return clean_environment(
        {
            "TMPDIR": str(workspace / "tmp"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
        }
    )
