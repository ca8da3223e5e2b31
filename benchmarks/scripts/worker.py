"""Run the handler of an unpacked bundle: each line of stdin is a JSON list of events, each answer a line.

Run it as ``python -I -S worker.py DIRECTORY…`` with the directories that the interpreter may import from.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def memory(name: str) -> int:
    """Return a figure of this process in KiB: ``VmRSS``, the memory now, or ``VmHWM``, its peak.

    The peak of getrusage would begin with the memory of the parent process.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise LookupError(name)


def main() -> None:
    """Answer until the end of stdin."""
    sys.path[:0] = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):  # what the handler prints
        if importlib.util.find_spec("bench_repairs") is not None:
            importlib.import_module("bench_repairs")
        handle = importlib.import_module("lambda_script").handle_s3_event
        for line in sys.stdin:
            answers.write(json.dumps(answer(handle, json.loads(line))) + "\n")
            answers.flush()


def answer(handle: Callable[[Any, Any], Any], events: list[Any]) -> dict[str, Any]:
    """Return what it costs to handle some events, and the error if one fails."""
    error = None
    cpu, started = time.process_time(), time.perf_counter()
    try:
        for event in events:
            handle(event, None)
    except Exception:
        error = traceback.format_exc()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "error": error, "rss": memory("VmRSS"), "peak": memory("VmHWM")}


if __name__ == "__main__":
    main()
