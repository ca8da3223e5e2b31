"""Several processes race on one bucket and one real database: in the end, they are equal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync import compat
from pypicloud_s3sync.devtools.processes import clean_environment
from pypicloud_s3sync.sync.packages import stored_object
from support.databases import Database
from support.histories import KEYS, State, expected, row_of, state_of
from support.sites import Site, make_tables

RACER = Path(__file__).parents[1] / "support" / "racer.py"
PROCESSES, ROUNDS = 4, 25


def race(site: Site, cache_settings: dict[str, str]) -> None:
    """Let the processes change the bucket and handle its events."""
    of_storage = {"storage.bucket": site.bucket, "storage.prefix": "", "storage.region_name": site.region}
    environment = {
        **clean_environment(),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "AWS_DEFAULT_REGION": site.region,
        "AWS_ENDPOINT_URL": site.aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": site.aws.access_key_id,
        "AWS_SECRET_ACCESS_KEY": site.aws.secret_access_key,
        "PYPICLOUD_SETTINGS": json.dumps({**cache_settings, **of_storage}),
    }
    racers = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", str(RACER)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for seed, racer in enumerate(racers):
        assert racer.stdin is not None
        json.dump({"bucket": site.bucket, "keys": KEYS, "seed": seed, "rounds": ROUNDS}, racer.stdin)
        racer.stdin.close()
        racer.stdin = None
    ends = [(racer.communicate(timeout=120)[1], racer.returncode) for racer in racers]
    assert [code for _, code in ends] == [0] * PROCESSES, "\n".join(errors[-2000:] for errors, _ in ends)


def bucket_says(site: Site) -> State:
    s3 = site.client("s3")
    listed = s3.list_objects_v2(Bucket=site.bucket).get("Contents", [])
    heads = {item["Key"]: s3.head_object(Bucket=site.bucket, Key=item["Key"]) for item in listed}
    return expected(stored_object(key, head) for key, head in heads.items())


def cache_says(cache: Any, *, summaries: bool) -> State:
    filenames = {key.rpartition("/")[2] for key in KEYS}
    rows = {row.filename: row_of(row) for row in map(cache.fetch, filenames) if row is not None}
    if not summaries:
        return State(rows, list(cache.distinct()), state_of(rows).summaries)
    said = {summary["name"]: (summary["last_modified"], summary["summary"]) for summary in cache.summary()}
    return State(rows, list(cache.distinct()), said)


def test_processes_that_race_on_a_database_end_equal_to_the_bucket(site: Site, database: Database) -> None:
    compat.apply()
    with database.cache() as cache:
        race(site, database.settings)
        # SQL has no summaries: they are queries over the rows.
        assert cache_says(cache, summaries=database.settings["pypi.db"] == "redis") == bucket_says(site)


@pytest.mark.parametrize("own", [{}, {"db.namespace": "race-", "db.tablenames": "rows summaries"}])
def test_processes_that_race_on_dynamodb_end_equal_to_the_bucket(site: Site, own: dict[str, str]) -> None:
    from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

    region = "eu-west-1"  # another one than the bucket's
    cache = make_tables(site.aws, region, **own)
    for model in (DynamoPackage, PackageSummary):
        cache.engine.delete(list(cache.engine.scan(model)))
    race(site, {"pypi.db": "dynamo", "db.region_name": region, **own})
    assert cache_says(cache, summaries=True) == bucket_says(site)
