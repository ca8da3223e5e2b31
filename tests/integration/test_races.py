"""Several processes change one bucket and handle its events: in the end, the database matches the bucket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync import compat
from pypicloud_s3sync.devtools.processes import clean_environment
from pypicloud_s3sync.sync.packages import stored_object
from support.databases import Database
from support.handlers import handler_variables
from support.histories import KEYS
from support.racer import Race
from support.sites import Site, make_tables
from support.states import State, expected, row_of, state_of

# In the same worker as the tests of the Redis cluster, so that there is only one racer.
pytestmark = [pytest.mark.slow, pytest.mark.untraced, pytest.mark.xdist_group("redis-cluster")]

RACER = Path(__file__).parents[1] / "support" / "racer.py"
PROCESSES = 4
#: The changes that each process makes.
each_length = pytest.mark.parametrize("rounds", [15, pytest.param(60, marks=pytest.mark.soak)])


class Racer:
    """A running ``racer.py``."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", str(RACER)],
                env={**clean_environment(), "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def race(self, site: Site, cache_settings: dict[str, str], rounds: int) -> None:
        """Run the processes of a race; they end when all events have been handled."""
        assert self._process.poll() is None, self._log.read_text()[-4000:]
        environment, before = handler_variables(site, cache_settings), self._log.stat().st_size
        race = Race(site.bucket, environment, list(KEYS), PROCESSES, rounds)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asdict(race)), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer == "0\n", f"{answer!r}: {self._log.read_text()[before:][-4000:]}"

    def stop(self) -> None:
        """Let it end."""
        self._process.communicate()


@pytest.fixture(scope="session")
def racer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Racer]:
    started = Racer(tmp_path_factory.mktemp("racer") / "errors.log")
    yield started
    started.stop()


def state_of_bucket(site: Site) -> State:
    """Return what a cache has to hold for the bucket."""
    s3 = site.client("s3")
    listed = s3.list_objects_v2(Bucket=site.bucket).get("Contents", [])
    heads = {item["Key"]: s3.head_object(Bucket=site.bucket, Key=item["Key"]) for item in listed}
    return expected(stored_object(key, head) for key, head in heads.items())


def state_of_cache(cache: Any) -> State:
    """Return what the cache holds."""
    filenames = {key.rpartition("/")[2] for key in KEYS}
    rows = {row.filename: row_of(row) for row in map(cache.fetch, filenames) if row is not None}
    summaries = {
        summary["name"]: (summary["last_modified"], summary["summary"]) for summary in cache.summary()
    }
    return State(rows, list(cache.distinct()), summaries)


@each_length
def test_a_database_matches_the_bucket_after_a_race(
    site: Site, database: Database, racer: Racer, rounds: int
) -> None:
    compat.apply()
    with database.cache() as cache:
        racer.race(site, database.settings, rounds)
        actual = state_of_cache(cache)
        if database.settings["pypi.db"] == "sql":
            # SQL stores no summaries: pypicloud's are queries over the rows.
            actual = State(actual.rows, actual.names, state_of(actual.rows).summaries)
        assert actual == state_of_bucket(site)


@each_length
@pytest.mark.parametrize(
    "options",
    [{}, {"db.namespace": "race-", "db.tablenames": "rows summaries"}],
    ids=["pypicloud's table names", "other table names"],
)
def test_dynamodb_matches_the_bucket_after_a_race(
    site: Site, racer: Racer, options: dict[str, str], rounds: int
) -> None:
    from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

    region = "ap-southeast-2"  # not the bucket's, and used by no other test: its tables are emptied
    cache = make_tables(site.aws, region, **options)
    for model in (DynamoPackage, PackageSummary):
        cache.engine.delete(list(cache.engine.scan(model)))
    racer.race(site, {"pypi.db": "dynamo", "db.region_name": region, **options}, rounds)
    assert state_of_cache(cache) == state_of_bucket(site)
