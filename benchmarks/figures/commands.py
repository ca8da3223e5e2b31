"""The commands ``enable``, ``plan`` and ``status``, with the embedded AWS."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.results import Figure
from benchmarks.samples import Sample, interleaved, timed
from pypicloud_s3sync.devtools.processes import clean_environment
from pypicloud_s3sync.embedded import EmbeddedAws, create_bucket

REGION, BUCKET = "us-east-1", "benchmark"
INI = """\
[app:main]
use = egg:pypicloud
pypi.storage = s3
storage.bucket = {bucket}
storage.region_name = {region}
storage.aws_access_key_id = test
storage.aws_secret_access_key = test
pypi.db = dynamo
db.region_name = {region}
db.aws_access_key_id = test
db.aws_secret_access_key = test
s3sync.endpoint_url = {url}
"""
#: The seconds that each command may take.
LIMITS = {"enable": 4.0, "plan": 0.8, "status": 0.8}


def measure(bench: Bench) -> Iterator[Figure]:
    """Time the commands; pypicloud's own do not run."""
    with EmbeddedAws() as aws, tempfile.TemporaryDirectory() as directory:
        create_bucket(aws.client("s3", REGION), BUCKET, REGION)
        create_tables(aws)
        ini = Path(directory, "production.ini")
        ini.write_text(INI.format(bucket=BUCKET, region=REGION, url=aws.endpoint_url))
        (runs,) = interleaved({"own": lambda: turn(ini)}, bench.sizes.runs).values()
    for command, limit in LIMITS.items():
        own = Sample(tuple(run[command] for run in runs))
        title = "`enable` from nothing, embedded AWS" if command == "enable" else f"`{command}`, embedded AWS"
        peer = "does not run" if command == "enable" else "has none"
        yield Figure(title, "s", own, peer, f"{limit:g} s", own.median <= limit)


def turn(ini: Path) -> dict[str, float]:
    """Turn S3 sync on, ask for the plan and the state, and turn it off; return the seconds of each."""
    try:
        return {command: timed(partial(run, command, ini)) for command in LIMITS}
    finally:
        run("disable", ini)


def run(command: str, ini: Path) -> None:
    """Run a command."""
    program = Path(sys.executable).with_name("ppc-s3sync")
    result = subprocess.run([program, command, ini], env=clean_environment(), capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"ppc-s3sync {command} failed:\n{result.stdout}\n{result.stderr}")


def create_tables(aws: EmbeddedAws) -> None:
    """Create the tables of the cache, as the server does."""
    from pypicloud.cache import get_cache_impl
    from pypicloud.util import EnvironSettings

    from pypicloud_s3sync import compat

    compat.apply()
    keys = {"db.aws_access_key_id": "test", "db.aws_secret_access_key": "test"}
    server = {"db.region_name": REGION, "db.host": "127.0.0.1", "db.port": str(aws.port)}
    storage = {"pypi.storage": "pypicloud.storage.base.IStorage"}
    settings = EnvironSettings({"pypi.db": "dynamo", **server, **keys, **storage}, {})
    get_cache_impl(settings).configure(settings)
