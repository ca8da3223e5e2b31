"""Allow one run at a time on this host, and let other processes follow it.

A run locks a file and records its steps in another; web workers have nothing else in common. The operating
system releases the lock when the process ends for any reason. The lock does not cover other hosts: a
concurrent run there does no harm, because each run continues from what it finds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator
from typing import Any

from ...config.settings import SyncSettings
from ...exceptions import ConflictError, S3SyncError
from ...sync.masking import mask
from ..aws.errors import failure
from ..models import Progress, Reporter
from . import run_files, run_record

#: For how long the end of a run is shown, in seconds.
SHOWN = 3600
UNEXPECTED = "an unexpected error occurred: see the server's log"


class Run:
    """A run that holds the lock of its function and bucket, and records its steps.

    Parameters
    ----------
    lock : int
        The descriptor of the locked file. A child process that inherits it holds the lock as well.
    writer : run_record.Writer
    """

    def __init__(self, lock: int, writer: run_record.Writer) -> None:
        self._lock = lock
        self._writer = writer
        #: The message of the result, which the command sets before it ends.
        self.message = "Done."

    @property
    def descriptors(self) -> tuple[int, int]:
        """The descriptors of the lock and the record, for :meth:`inherited` in a child process."""
        return self._lock, self._writer.descriptor

    @classmethod
    def inherited(cls, lock: int, record: int) -> Run:
        """Return the run whose descriptors this process has inherited."""
        for descriptor in (lock, record):
            # A process that this one starts must not keep the lock.
            os.set_inheritable(descriptor, False)
        return cls(lock, run_record.Writer(record))

    def report(self, progress: Progress) -> None:
        """Record a step."""
        self._writer.step(progress)

    def end(self, result: str, **document: Any) -> None:
        """Record the result, ``ok`` or ``failed``, with its ``message`` and perhaps a ``policy``."""
        self._writer.write({"result": result, **document, "ended": int(time.time())})

    def release(self) -> None:
        """Close both files; the lock is free once every process that inherited it has done so."""
        os.close(self._writer.descriptor)
        os.close(self._lock)


def begin(settings: SyncSettings, command: str) -> Run:
    """Take the lock of a function and its bucket, and start the record of a run.

    Raises
    ------
    ConflictError
        If another run holds the lock; the message says what that run is doing.
    """
    lock = run_files.take_lock(settings)
    if lock is None:
        raise ConflictError(_is_running(settings))
    try:
        return Run(lock, run_record.Writer.create(settings, command))
    except BaseException:
        os.close(lock)
        raise


def _is_running(settings: SyncSettings) -> str:
    running = current(settings) or {}
    steps = running.get("steps")
    step = f" ({steps[-1]['message']})" if steps else ""
    command = running.get("command", "another run")
    return (
        f"{command} of {settings.function_name} is already running{step}: wait until it ends"
        " (GET /admin/s3sync shows its progress)"
    )


@contextlib.contextmanager
def hold(
    settings: SyncSettings, command: str, report: Reporter, begun: Run | None = None
) -> Iterator[tuple[Run, Reporter]]:
    """Hold the lock of a function and its bucket, and record how the run ends.

    Parameters
    ----------
    settings : SyncSettings
    command : str
        For example ``enable``.
    report : callable
        Receives the progress of the run.
    begun : Run, optional
        The run, if its lock is held already.

    Yields
    ------
    Run, callable
        The callable records progress and passes it on to ``report``.

    Raises
    ------
    ConflictError
        If another run holds the lock; the message says what that run is doing.
    """
    run = begun or begin(settings, command)

    def record_and_report(progress: Progress) -> None:
        if progress.state == "failed":
            progress = dataclasses.replace(progress, message=mask(progress.message, settings.secrets))
        run.report(progress)
        report(progress)

    try:
        yield run, record_and_report
        run.end("ok", message=run.message)
    except S3SyncError as error:
        run.end("failed", **failure(error, settings.secrets))
        raise
    except Exception:
        run.end("failed", message=UNEXPECTED)
        raise
    finally:
        run.release()


def current(settings: SyncSettings) -> dict[str, Any] | None:
    """Return the current run on this host as ``command``, ``since`` and ``steps``, or None."""
    run = _newest(settings)
    return run if run is not None and "result" not in run else None


def last(settings: SyncSettings) -> dict[str, Any] | None:
    """Return the run that ended on this host within the last hour, or None.

    Returns
    -------
    dict
        As for :func:`current`, and ``result`` (``ok``, ``failed`` or ``stopped``), ``message``, ``ended``
        and perhaps ``policy``.
    """
    run = _newest(settings)
    return run if run is not None and "result" in run and run["ended"] > time.time() - SHOWN else None


def _newest(settings: SyncSettings) -> dict[str, Any] | None:
    """Return the current run or the last one; one that has ended has a result."""
    with run_record.Record.open(settings) as record:
        if record is None:
            return None
        # Asked before the lines are read: whoever has ended by now has written its last line.
        has_writer = record.has_writer()
        run = run_record.summarize(record.new_lines())
        if not has_writer and "result" not in run:
            run |= {"result": "stopped", "message": run_record.STOPPED, "ended": record.written()}
        return run
