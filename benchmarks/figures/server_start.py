"""The time that ``import pypicloud_s3sync`` adds to the start of the server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.results import Figure
from benchmarks.samples import Sample, interleaved
from pypicloud_s3sync.devtools.processes import clean_environment

#: The server's own modules are imported first, as far as they can be without the repairs.
SCRIPT = """\
import time
import boto3, pyramid.config, pypicloud
started = time.perf_counter()
import pypicloud_s3sync
print(time.perf_counter() - started)
"""
LIMIT = 20


def measure(bench: Bench) -> Iterator[Figure]:
    """Time the import in a fresh interpreter."""
    run()
    own = Sample(tuple(interleaved({"own": run}, bench.sizes.runs)["own"]))
    yield Figure(
        "`import pypicloud_s3sync` added to the server's start",
        "ms",
        own,
        "",
        f"{LIMIT} ms",
        own.median <= LIMIT,
    )


def run() -> float:
    """Return the milliseconds of the import."""
    command = [sys.executable, "-c", SCRIPT]
    result = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True)
    return float(result.stdout) * 1000
