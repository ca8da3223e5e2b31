"""Seconds for a batch of 1,000 records on real databases, against an S3 that answers in 20 ms.

``python -m pytest -s tests/bench_backends.py``. DynamoDB is the embedded one.
"""

import json
import time

import pytest

from bench_batch import RECORDS, SlowBucket
from databases import Database, url_settings
from pypicloud_s3sync import handler


@pytest.fixture(params=["dynamo", "redis", "redis_cluster", "postgres", "mysql"])
def settings(request, aws):
    """pypicloud's settings for each database."""
    if request.param == "dynamo":
        emulator = {"db.region_name": "us-east-1", "db.host": "127.0.0.1", "db.port": str(aws.port)}
        keys = {"db.aws_access_key_id": aws.access_key_id, "db.aws_secret_access_key": aws.secret_access_key}
        yield {"pypi.db": "dynamo", **emulator, **keys}
        return
    found = url_settings(request.param, request.getfixturevalue(f"{request.param}_url"))
    with Database(request.param, found).cache():
        yield found


@pytest.mark.parametrize("names", [1, 50, RECORDS])
def test_a_batch(settings, names, monkeypatch, request):
    of_storage = {"storage.bucket": "b", "storage.region_name": "us-east-1"}
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps({**settings, **of_storage}))
    handler._syncer.cache_clear()
    syncer = handler._syncer()
    syncer.s3 = SlowBucket()
    keys = [f"x/pkg{number % names}-{number}.0.tar.gz" for number in range(RECORDS)]
    started = time.perf_counter()
    outcomes = syncer.converge("b", keys)
    took = time.perf_counter() - started
    handler._syncer.cache_clear()
    assert not [outcome for outcome in outcomes.values() if isinstance(outcome, Exception)]
    print(f"\n{request.node.callspec.params['settings']:14} {names:5} names {took:6.2f} s")
