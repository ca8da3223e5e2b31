"""A bucket and a DynamoDB cache in moto, the Lambda handler set up for them, and the calls that it makes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pypicloud.util import EnvironSettings

from pypicloud_s3sync import compat, handler
from pypicloud_s3sync.sync import startup

BUCKET = "amzn-s3-demo-bucket"
REGION = "eu-west-1"
EVENTS = Path(__file__).parents[1] / "events"


def event(name: str) -> Any:
    """One of AWS's documented events."""
    return json.loads((EVENTS / f"{name}.json").read_text())


class CallLog:
    """The AWS operations that were sent, in order, by any client; and a way to step in before one."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.before: dict[str, list[Any]] = {}

    def __call__(self, model: Any, **kwargs: Any) -> None:
        self.calls.append(model.name)
        waiting = self.before.get(model.name)
        if waiting:
            waiting.pop(0)()


class World:
    """A bucket and a DynamoDB cache as pypicloud makes it, in moto; the Lambda handler set up for them."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3", region_name=REGION)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.settings = {"pypi.db": "dynamo", "db.region_name": REGION}
        from pypicloud.cache.dynamo import DynamoCache

        configured = {**self.settings, "pypi.storage": "pypicloud.storage.base.IStorage"}
        self.cache = DynamoCache(**DynamoCache.configure(EnvironSettings(configured)))

    def put(self, key: str, **metadata: str) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x", Metadata=metadata)

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=BUCKET, Key=key)

    def notify(self, *keys: str, name: str = "ObjectCreated:Put") -> dict[str, list[str]]:
        """Hand the handler a notification of keys, as S3 would."""
        from urllib.parse import quote_plus

        records = []
        for key in keys:
            record = event("created_put")["Records"][0]
            record["eventName"] = name
            record["s3"]["object"]["key"] = quote_plus(key, safe="/")
            records.append(record)
        return handler.handle_s3_event({"Records": records}, None)

    def rows(self) -> dict[str, Any]:
        from pypicloud.cache.dynamo import DynamoPackage

        return {row.filename: row for row in self.cache.engine.scan(DynamoPackage)}

    def summaries(self) -> dict[str, str | None]:
        return {summary["name"]: summary["summary"] for summary in self.cache.summary()}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """S3 and DynamoDB in moto, and the handler set up for them."""
    compat.apply()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        made = World()
        of_storage = {"storage.bucket": BUCKET, "storage.prefix": "", "storage.region_name": REGION}
        monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps({**made.settings, **of_storage}))
        startup.syncer.cache_clear()
        yield made
    startup.syncer.cache_clear()


@contextlib.contextmanager
def calls_of(*clients: Any) -> Iterator[CallLog]:
    """Log what these clients send."""
    log = CallLog()
    for client in clients:
        client.meta.events.register("before-call", log)
    yield log
    for client in clients:
        client.meta.events.unregister("before-call", log)


@pytest.fixture
def calls(world: World) -> Iterator[CallLog]:
    """What the warm handler sends."""
    syncer = startup.syncer()
    with calls_of(syncer.reader.s3, syncer.adapter.client) as log:
        yield log
