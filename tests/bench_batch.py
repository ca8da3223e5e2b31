"""Measure an event with 1,000 records of 1,000 keys, while S3 takes 20 ms for each answer.

Run ``python -m pytest tests/bench_batch.py``. The handler is warm, S3 is served by HTTP, and the databases
are real servers; DynamoDB is the embedded one. Each measurement is made twice: with a different time for each
object, and with the same time for all of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator

import pytest

from pypicloud_s3sync import handler
from pypicloud_s3sync.embedded import EmbeddedAws
from pypicloud_s3sync.sync import startup
from support import slow_s3
from support.databases import Database, url_settings

RECORDS, DELAY = 1000, 0.02


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with slow_s3.serving(DELAY) as url:
        yield url


@pytest.fixture(params=["dynamo", "redis", "redis_cluster", "postgres", "mysql"])
def database(request: pytest.FixtureRequest, aws: EmbeddedAws) -> Iterator[Database]:
    """Each kind of database in turn, with pypicloud's tables."""
    if request.param == "dynamo":
        server = {"db.region_name": "us-east-1", "db.host": "127.0.0.1", "db.port": str(aws.port)}
        keys = {"db.aws_access_key_id": aws.access_key_id, "db.aws_secret_access_key": aws.secret_access_key}
        yield Database("dynamo", {"pypi.db": "dynamo", **server, **keys})
        return
    url = request.getfixturevalue(f"{request.param}_url")
    database = Database(request.param, url_settings(request.param, url))
    with database.cache():
        yield database


def event_of(keys: Iterable[str]) -> dict[str, object]:
    """Return the notification that the objects under some keys were created."""
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


@pytest.mark.parametrize("times", ["different", "equal"])
@pytest.mark.parametrize("names", [1, 50, RECORDS])
def test_a_batch_of_records_is_saved(
    database: Database,
    s3_url: str,
    names: int,
    times: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    storage = {"storage.bucket": "bucket", "storage.region_name": "us-east-1"}
    monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps({**database.settings, **storage}))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    startup.syncer.cache_clear()
    handler.handle_s3_event(event_of(["x/warm-1.0.tar.gz"]), None)
    version = "{0}.0" if times == "different" else "0.{0}"
    keys = [f"x/pkg{number % names}-{version.format(number)}.tar.gz" for number in range(RECORDS)]
    event = event_of(keys)
    started = time.perf_counter()
    answer = handler.handle_s3_event(event, None)
    seconds = time.perf_counter() - started
    startup.syncer.cache_clear()
    assert len(answer["saved"]) == RECORDS
    with capsys.disabled():
        print(f"\n{database.name:14} {names:5} projects, {times:9} times {seconds:6.2f} s")
