"""Seconds for an event of 1,000 records over 1,000 keys, against an S3 that answers in 20 ms.

``python -m pytest -s tests/bench_batch.py``: the warm handler, by HTTP, on real databases; DynamoDB is the
embedded one. Once with a second for each object, once with all objects of one second.
"""

import json
import time

import pytest
import slow_s3

from pypicloud_s3sync import handler
from pypicloud_s3sync.sync import startup
from support.databases import Database, url_settings

RECORDS, ANSWER = 1000, 0.02


@pytest.fixture(scope="module")
def s3():
    with slow_s3.serving(ANSWER) as address:
        yield address


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


def event_of(keys):
    """The notification of each key's creation."""
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "bucket"}, "object": {"key": key}},
            }
            for key in keys
        ]
    }


@pytest.mark.parametrize("seconds", ["many", "one"])
@pytest.mark.parametrize("names", [1, 50, RECORDS])
def test_a_batch(settings, s3, names, seconds, monkeypatch, request, capsys):
    of_storage = {"storage.bucket": "bucket", "storage.region_name": "us-east-1"}
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps({**settings, **of_storage}))
    for name, value in {"ENDPOINT_URL_S3": s3, "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    startup.syncer.cache_clear()
    handler.handle_s3_event(event_of(["x/warm-1.0.tar.gz"]), None)
    major = "{0}.0" if seconds == "many" else "0.{0}"
    keys = [f"x/pkg{number % names}-{major.format(number)}.tar.gz" for number in range(RECORDS)]
    event = event_of(keys)
    started = time.perf_counter()
    answer = handler.handle_s3_event(event, None)
    took = time.perf_counter() - started
    startup.syncer.cache_clear()
    assert len(answer["saved"]) == RECORDS
    backend = request.node.callspec.params["settings"]
    with capsys.disabled():
        print(f"\n{backend:14} {names:5} projects, {seconds:4} seconds {took:6.2f} s")
