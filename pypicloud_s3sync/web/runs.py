"""Start a run in a separate process, and stream its steps as lines of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ..config.settings import SyncSettings
from ..deploy import run_lock, run_record
from ..exceptions import S3SyncError
from .interpreter import find_interpreter

#: Seconds between two looks at the record.
INTERVAL = 0.1
#: Seconds of silence after which an empty line is sent, so that no proxy takes the connection for idle.
SILENCE = 10
#: What the process does first. It must see the modules that the server sees, which an embedding server may
#: have chosen itself; a variable for that would also be seen by the interpreters that build the bundle.
BOOTSTRAP = """\
import json, sys
document = json.load(sys.stdin)
sys.path[:] = document["path"]
from pypicloud_s3sync.garbage import few_collections
with few_collections():
    from pypicloud_s3sync.web.run_main import main
    sys.exit(main(document))
"""

#: The processes that this one has started and not waited for.
_started: list[subprocess.Popen[bytes]] = []


def start(settings: SyncSettings, command: str, application: Mapping[str, str]) -> run_record.Record:
    """Start a run and return its record.

    The process is in its own session and has none of the server's sockets, so the server can be
    restarted meanwhile. It gets its settings through a pipe, where no other user can see them.

    Parameters
    ----------
    settings : SyncSettings
    command : str
        One of :data:`.run_main.COMMANDS`.
    application : dict
        The application's settings, from which the process reads ``settings`` again.

    Raises
    ------
    ConflictError
        If another run is under way.
    S3SyncError
        If the process cannot be started.
    """
    interpreter = find_interpreter()
    run = run_lock.begin(settings, command)
    try:
        record = run_record.Record.of_current(settings)
        lock, descriptor = run.descriptors
        document = {**_document(command, application), "lock": lock, "record": descriptor}
        try:
            _launch(_command_line(interpreter, command), document)
        except OSError as error:
            message = f"{interpreter} cannot be started for the run ({error.strerror}): try again later"
            run.end("failed", message=message)
            record.close()
            raise S3SyncError(message) from error
    finally:
        # The process has its own descriptors now, and with them the lock.
        run.release()
    return record


def start_in_background(command: str, application: Mapping[str, str]) -> None:
    """Start a process like that of a run, but without a run, and do not wait for it.

    Raises
    ------
    OSError, S3SyncError
        If the process cannot be started.
    """
    _launch(_command_line(find_interpreter(), command), _document(command, application))


def _document(command: str, application: Mapping[str, str]) -> dict[str, Any]:
    path = [os.path.abspath(entry) for entry in sys.path]
    return {"command": command, "settings": dict(application), "path": path}


def _command_line(interpreter: str, command: str) -> list[str]:
    return [interpreter, "-P", "-c", BOOTSTRAP, "pypicloud-s3sync", command]


def _launch(command: list[str], document: Mapping[str, Any]) -> None:
    reap()
    reader, writer = os.pipe()
    # The process may have ended before it reads: the record will say that it was stopped, and its log why.
    with contextlib.suppress(BrokenPipeError), open(writer, "wb") as pipe:
        try:
            process = subprocess.Popen(
                command,
                stdin=reader,
                stdout=subprocess.DEVNULL,
                pass_fds=tuple(document[name] for name in ("lock", "record") if name in document),
                start_new_session=True,
            )
        finally:
            os.close(reader)
        _started.append(process)
        pipe.write(json.dumps(document).encode())


def reap() -> None:
    """Remove the processes that have ended from the system's table of processes."""
    for process in list(_started):
        if process.poll() is not None:
            _started.remove(process)


def follow(record: run_record.Record) -> Iterator[bytes]:
    """Yield a line for each step of a run, then one for the result; an empty line after a long silence.

    Closing the generator does not end the run.
    """
    try:
        spoken = time.monotonic()
        while True:
            # Asked before the lines are read: whoever has ended by now has written its last line.
            has_writer = record.has_writer()
            for line in record.new_lines():
                if "step" in line or "result" in line:
                    yield _as_line(line)
                    spoken = time.monotonic()
                if "result" in line:
                    return
            if not has_writer:
                yield _as_line({"result": "failed", "message": run_record.STOPPED})
                return
            if time.monotonic() - spoken >= SILENCE:
                yield b"\n"
                spoken = time.monotonic()
            time.sleep(INTERVAL)
    finally:
        record.close()
        reap()


def _as_line(line: Mapping[str, Any]) -> bytes:
    return (
        json.dumps({name: value for name, value in line.items() if name not in ("at", "ended")}).encode()
        + b"\n"
    )
