"""Give tests a bucket and a DynamoDB cache in moto, the handler for them, and a log of its AWS calls."""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

import boto3
import pytest
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from pypicloud.util import EnvironSettings

from pypicloud_s3sync import compat, handler
from pypicloud_s3sync.sync import converge, startup

BUCKET = "amzn-s3-demo-bucket"
REGION: Final = "eu-west-1"
CACHE_SETTINGS = {"pypi.db": "dynamo", "db.region_name": REGION}
EVENTS = Path(__file__).parents[1] / "events"


def event(name: str) -> Any:
    """Return one of the events in AWS's documentation."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def notification_of(*keys: str, name: str = "ObjectCreated:Put", bucket: str = BUCKET) -> dict[str, Any]:
    """Return S3's notification of an event for each of some keys."""
    records = []
    for key in keys:
        record = event("created_put")["Records"][0]
        record["eventName"] = name
        record["s3"]["bucket"]["name"] = bucket
        record["s3"]["object"]["key"] = quote_plus(key, safe="/")
        records.append(record)
    return {"Records": records}


class CallLog:
    """Logs the AWS operations that clients send, with and without boto3, and can run something before one.

    Attributes
    ----------
    calls : list of str
        The operations, in order.
    before : dict
        Functions to run before an operation, by its name: the first one before its first call, and so on.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.before: dict[str, list[Callable[[], object]]] = {}

    def __call__(self, event_name: str, **kwargs: Any) -> None:
        """Log an operation; botocore passes ``before-send.SERVICE.OPERATION``."""
        operation = event_name.rpartition(".")[2]
        self.calls.append(operation)
        functions = self.before.get(operation)
        if functions:
            functions.pop(0)()


@functools.cache
def _s3() -> Any:
    """Return the one client of S3: creating it takes longer than everything that a test does with it."""
    return boto3.client("s3", region_name=REGION)


@functools.cache
def _options_and_tables() -> tuple[dict[str, Any], bytes]:
    """Return the options of pypicloud's cache and its empty tables in moto, with one client of DynamoDB."""
    from pypicloud.cache.dynamo import DynamoCache

    settings = EnvironSettings({**CACHE_SETTINGS, "pypi.storage": "pypicloud.storage.base.IStorage"})
    return DynamoCache.configure(settings), pickle.dumps(_dynamodb().tables)


def _dynamodb() -> Any:
    return get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][REGION]


class World:
    """A bucket and the DynamoDB cache that pypicloud creates, in moto.

    All worlds have the same clients, so a test must unregister what it registers.
    """

    def __init__(self) -> None:
        self.s3 = _s3()
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.settings = dict(CACHE_SETTINGS)
        from pypicloud.cache.dynamo import DynamoCache

        options, tables = _options_and_tables()
        _dynamodb().tables = pickle.loads(tables)
        self.cache = DynamoCache(**options)

    def put(self, key: str, **metadata: str) -> None:
        """Create or overwrite an object."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x", Metadata=metadata)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self.s3.delete_object(Bucket=BUCKET, Key=key)

    def notify(self, *keys: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
        """Call the handler with S3's notification of some keys; return its answer."""
        return handler.handle_s3_event(notification_of(*keys, name=name), None)

    def rows(self) -> dict[str, Any]:
        """Return the rows of the cache, by filename."""
        from pypicloud.cache.dynamo import DynamoPackage

        return {row.filename: row for row in self.cache.engine.scan(DynamoPackage)}

    def summaries(self) -> dict[str, str | None]:
        """Return the text of each summary, by name."""
        return {summary["name"]: summary["summary"] for summary in self.cache.summary()}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Set up a bucket, a cache, and the handler for them."""
    compat.apply()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # moto's index does not lag behind, so there is nothing to wait for.
    monkeypatch.setattr(converge, "_sleep", lambda seconds: None)
    with mock_aws():
        world = World()
        storage = {"storage.bucket": BUCKET, "storage.prefix": "", "storage.region_name": REGION}
        monkeypatch.setenv("PYPICLOUD_SETTINGS", json.dumps({**world.settings, **storage}))
        startup.syncer.cache_clear()
        yield world
    startup.syncer.cache_clear()


@pytest.fixture
def calls(world: World) -> Iterator[CallLog]:
    """Log what the warm handler sends to S3 and DynamoDB."""
    syncer: Any = startup.syncer()
    clients = syncer.reader.s3, syncer.adapter.client
    log = CallLog()
    for client in clients:
        client.meta.events.register_first("before-send", log)
    yield log
    for client in clients:
        client.meta.events.unregister("before-send", log)


def fail_for(monkeypatch: pytest.MonkeyPatch, *keys: str, error: Exception) -> None:
    """Let the warm handler's HeadObject raise an error for some keys, or for all if none is given."""
    reader = startup.syncer().reader
    head = reader.head

    def fail_or_answer(bucket: str, key: str) -> Any:
        if key in keys or not keys:
            raise error
        return head(bucket, key)

    monkeypatch.setattr(reader, "head", fail_or_answer)
    # Otherwise the request of a single key would be sent beforehand.
    monkeypatch.setattr(reader, "heads", None)
