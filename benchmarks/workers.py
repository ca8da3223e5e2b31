"""Run the handler of an unpacked bundle in an interpreter that imports nothing else but the AWS SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

SCRIPTS = Path(__file__).parent / "scripts"
Event = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """The measurements of a worker.

    Parameters
    ----------
    seconds, cpu : float
        The time of the handler, and the time that its process was running.
    rss, peak : float
        The memory of the process after the events, and its peak, in MB.
    """

    seconds: float
    cpu: float
    rss: float
    peak: float


class Worker:
    """A process that runs a handler; a context manager.

    Parameters
    ----------
    path : sequence of pathlib.Path
        The directories to import from: the bundle and the SDK.
    settings : mapping
        The function's settings.
    s3_port : int
        Where S3 answers on this machine.
    """

    def __init__(self, path: Sequence[Path], settings: Mapping[str, str], s3_port: int) -> None:
        # -I, -S: neither the project nor its environment may be imported.
        command = [interpreter(), "-I", "-S", str(SCRIPTS / "worker.py"), *map(str, path)]
        self.process = start(command, environment(settings, s3_port))

    def handle(self, events: Sequence[Event]) -> Answer:
        """Let the handler process some events, one after the other.

        Raises
        ------
        RuntimeError
            The handler failed.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(events) + "\n")
        self.process.stdin.flush()
        answer = read(self.process)
        return Answer(answer["seconds"], answer["cpu"], answer["rss"] / 1024, answer["peak"] / 1024)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Start:
    """A cold start.

    Parameters
    ----------
    seconds : float
        From the start of the interpreter to the end of the first event.
    peak : float
        The peak of its memory in MB.
    """

    seconds: float
    peak: float


def cold_start(path: Sequence[Path], settings: Mapping[str, str], s3_port: int, event: Event) -> Start:
    """Return the time and the memory of a fresh worker's first event."""
    started = time.perf_counter()
    with Worker(path, settings, s3_port) as worker:
        answer = worker.handle([event])
        return Start(time.perf_counter() - started, answer.peak)


def clients_alone(sdk: Path) -> Start:
    """Return the time and the memory of an interpreter that only creates two botocore clients."""
    started = time.perf_counter()
    process = start([interpreter(), "-I", "-S", str(SCRIPTS / "clients.py"), str(sdk)], environment({}, 0))
    answer = read(process)
    seconds = time.perf_counter() - started
    process.communicate()
    return Start(seconds, answer["peak"] / 1024)


def interpreter() -> str:
    """Return the interpreter outside of any virtual environment."""
    return getattr(sys, "_base_executable", sys.executable)


def environment(settings: Mapping[str, str], s3_port: int) -> dict[str, str]:
    """Return the environment of a function."""
    return {
        "PATH": os.defpath,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_port}",
        "PYPICLOUD_SETTINGS": json.dumps(dict(settings)),
    }


def start(command: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a process that answers on stdout."""
    return subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def read(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the next answer of a process.

    Raises
    ------
    RuntimeError
        The process ended, or its answer is an error.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with status {process.wait()}")
    answer: dict[str, Any] = json.loads(line)
    if answer["error"]:
        raise RuntimeError(answer["error"])
    return answer


def event_of(keys: Sequence[str], name: str = "ObjectCreated:Put") -> dict[str, Any]:
    """Return S3's notification about some keys."""
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": name,
                "s3": {"bucket": {"name": "bucket"}, "object": {"key": key}},
            }
            for key in keys
        ]
    }


def removal_of(keys: Sequence[str]) -> dict[str, Any]:
    """Return S3's notification that the objects under some keys were deleted."""
    return event_of(keys, "ObjectRemoved:Delete")
