"""Write and read the record of a run: a file of JSON lines, which every process of this host can follow.

The first line names the command, each further line describes a step, and the last line has the result. A run
that ended without a result was stopped: its process was killed, or the machine went down.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ...config.settings import SyncSettings
from ..models import Progress
from . import run_files

SUFFIX = ".ndjson"
#: The most lines in a second that show the progress of the same step.
RATE = 10
STOPPED = (
    "the run was stopped before its end, for example because its process was killed:"
    " run it again, and it continues from what it finds"
)


class Writer:
    """Appends lines to a new record.

    Parameters
    ----------
    descriptor : int
        The descriptor of the record.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._last = ("", "", 0.0)

    @classmethod
    def create(cls, settings: SyncSettings, command: str) -> Writer:
        """Start a new record in place of the last one; only the run that holds the lock may do that."""
        path = run_files.path_for(settings, SUFFIX)
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        writer = cls(run_files.open_private(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND))
        try:
            writer.write({"command": command, "since": int(time.time())})
            # The last record keeps its own file, so a process that still follows it sees its end.
            new.replace(path)
        except BaseException:
            os.close(writer.descriptor)
            raise
        return writer

    def step(self, progress: Progress) -> None:
        """Add a step; of a step that reports its progress very often, not every report is written."""
        now = time.monotonic()
        step, state, written = self._last
        is_frequent = (progress.step, progress.state) == (step, state) == (step, "running")
        if is_frequent and now - written < 1 / RATE:
            return
        self._last = (progress.step, progress.state, now)
        fields = {name: value for name, value in vars(progress).items() if value is not None}
        self.write({**fields, "at": int(time.time())})

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        os.write(self.descriptor, json.dumps(line).encode() + b"\n")


class Record:
    """The record of a run, from which lines can be read as they are written.

    Parameters
    ----------
    settings : SyncSettings
    descriptor : int
        The descriptor of the record; this object closes it.
    """

    def __init__(self, settings: SyncSettings, descriptor: int) -> None:
        self._settings = settings
        # A file object, so that it is closed even if nobody starts to follow.
        self._file = open(descriptor, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        self._offset = 0

    @classmethod
    @contextlib.contextmanager
    def open(cls, settings: SyncSettings) -> Iterator[Record | None]:
        """Yield the record of the current or last run, or None if there was none."""
        try:
            descriptor = run_files.open_private(run_files.path_for(settings, SUFFIX), os.O_RDONLY)
        except FileNotFoundError:
            yield None
            return
        record = cls(settings, descriptor)
        try:
            yield record
        finally:
            record.close()

    @classmethod
    def of_current(cls, settings: SyncSettings) -> Record:
        """Return the record of the run that this process has just begun; the caller closes it."""
        return cls(settings, run_files.open_private(run_files.path_for(settings, SUFFIX), os.O_RDONLY))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def new_lines(self) -> list[dict[str, Any]]:
        """Return the lines that were written since the last call."""
        data = b""
        while part := os.pread(self._file.fileno(), 65536, self._offset + len(data)):
            data += part
        # A line that is being written at this moment has no end yet.
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [json.loads(line) for line in complete.splitlines()]

    def has_writer(self) -> bool:
        """Return whether the process of this run still exists."""
        return self._is_newest() and run_files.is_locked(self._settings)

    def written(self) -> int:
        """Return the time of the last line, in seconds since 1970."""
        return int(os.fstat(self._file.fileno()).st_mtime)

    def _is_newest(self) -> bool:
        try:
            newest = run_files.path_for(self._settings, SUFFIX).stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(newest, os.fstat(self._file.fileno()))


def summarize(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the lines of a record as one document, in which each step has its latest state.

    Returns
    -------
    dict
        ``command``, ``since`` and ``steps``; after the end also ``result``, ``message``, ``ended`` and
        perhaps ``policy``. A step's ``at`` is the time at which it began.
    """
    run: dict[str, Any] = {}
    steps: dict[str, dict[str, Any]] = {}
    for line in lines:
        if "step" in line:
            begun = steps.get(line["step"], line)["at"]
            # An earlier line's "done" and "total" do not describe the later state.
            steps[line["step"]] = {**line, "at": begun}
        else:
            run |= line
    return {**run, "steps": list(steps.values())}
