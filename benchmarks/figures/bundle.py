"""The size of the bundles, and how long it takes to build one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import environments
from benchmarks.bench import Bench
from benchmarks.results import Figure
from benchmarks.samples import Sample, exact, interleaved, timed
from pypicloud_s3sync.devtools.processes import clean_environment

#: The largest sizes in MB by backend, and whether the bundle may hold binaries.
LIMITS = {"dynamo": (2.0, False), "redis": (2.0, False), "postgres": (5.0, True)}
TITLES = {"dynamo": "DynamoDB", "redis": "Redis", "postgres": "PostgreSQL"}
MB = 1e6
INI = """\
[app:main]
use = egg:pypicloud
pypi.storage = s3
storage.bucket = amzn-s3-demo-bucket
storage.region_name = us-east-1
pypi.db = dynamo
db.region_name = us-east-1
"""
#: No index can be reached.
OFFLINE = {"UV_OFFLINE": "1", "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


def measure(bench: Bench) -> Iterator[Figure]:
    """Compare the bundles."""
    yield from sizes(bench)
    peer = environments.peer()
    environments.peer_bundle()
    with tempfile.TemporaryDirectory() as directory:
        ini = Path(directory, "production.ini")
        ini.write_text(INI)
        builds = {"own": lambda: timed(lambda: build(ini)), "peer": lambda: timed(peer.build)}
        runs = interleaved(builds, bench.sizes.runs)
    own, other = (Sample(tuple(runs[side])) for side in ("own", "peer"))
    yield Figure("bundle built, everything cached", "s", own, other, "1.5 s, no network", own.median <= 1.5)


def sizes(bench: Bench) -> Iterator[Figure]:
    """Compare the sizes. The peer's bundle is the same for each backend."""
    data = environments.peer_bundle()
    for backend, (limit, may_have_binaries) in LIMITS.items():
        bundle = bench.bundle(backend)
        size, count = bundle.size / MB, environments.binaries(bundle.data)
        must = f"{limit:.0f} MB" + ("" if may_have_binaries else ", no binary")
        yield Figure(
            f"bundle for {TITLES[backend]}, zipped",
            "MB",
            exact(round(size, 2)),
            exact(round(len(data) / MB, 2)) if backend != "postgres" else "has no driver",
            must,
            size <= limit and (may_have_binaries or not count),
        )
        if not may_have_binaries:
            yield Figure(
                f"binaries in the bundle for {TITLES[backend]}",
                "",
                exact(count),
                exact(environments.binaries(data)),
                "0",
                count == 0,
                better=False,
            )


def build(ini: Path) -> None:
    """Run ``ppc-s3sync bundle`` without a network."""
    program = Path(sys.executable).with_name("ppc-s3sync")
    command: list[str | Path] = [program, "bundle", ini, "-o", ini.with_suffix(".zip")]
    subprocess.run(command, env=clean_environment(OFFLINE), check=True, capture_output=True)
