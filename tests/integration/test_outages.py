"""A database that is down for a while costs retries, but no events: real servers, behind a proxy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from pypicloud_s3sync import handler
from pypicloud_s3sync.exceptions import S3SyncError
from support.databases import Database, each, url_settings
from support.handlers import handler_for
from support.moto_world import notification_of
from support.outages import Proxy, proxy_to
from support.sites import Site

pytestmark = pytest.mark.untraced

KEYS = BEFORE, DURING = ("a/before-1.0.tar.gz", "a/during-1.0.tar.gz")


class Outage:
    """This process's handler, two objects, and a database behind a proxy that can be interrupted."""

    def __init__(self, site: Site, database: Database, proxy: Proxy) -> None:
        self.site, self.database, self.proxy = site, database, proxy
        for key in KEYS:
            name, version = key.removeprefix("a/").removesuffix(".tar.gz").split("-")
            metadata = {"name": name, "version": version}
            site.client("s3").put_object(Bucket=site.bucket, Key=key, Body=b"x", Metadata=metadata)

    def notification(self, key: str) -> dict[str, Any]:
        """Return S3's event for a key."""
        return notification_of(key, bucket=self.site.bucket)

    def handle(self, *keys: str) -> list[str]:
        """Handle SQS messages with an event each; return the keys whose messages failed."""
        messages = [
            {"messageId": key, "eventSource": "aws:sqs", "body": json.dumps(self.notification(key))}
            for key in keys
        ]
        answer = handler.handle_s3_event({"Records": messages}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def acknowledges_any(self, *keys: str) -> bool:
        """Handle SQS messages; return whether Lambda would remove any of them from the queue."""
        try:
            return self.handle(*keys) != list(keys)
        except Exception:
            # Lambda removes no message if the handler fails.
            return False

    def names(self) -> list[str]:
        """Return the names of the packages in the cache."""
        with self.database.cache() as cache:
            return sorted(cache.distinct())


@pytest.fixture(params=each("redis", "postgres", "mysql"))
def outage(request: pytest.FixtureRequest, site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outage]:
    """Set up the handler for each kind of database.

    A Redis cluster is left out: its nodes tell clients the addresses of the other nodes, past the proxy.
    """
    name: str = request.param
    database = Database(name, url_settings(name, request.getfixturevalue(f"{name}_url")))
    url = database.settings["db.url"]
    port = urlsplit(url).port
    assert port is not None
    with proxy_to(port) as proxy, database.cache():
        settings = {**database.settings, "db.url": url.replace(f":{port}", f":{proxy.port}")}
        with handler_for(site, settings, monkeypatch):
            yield Outage(site, database, proxy)


def test_messages_that_arrive_while_the_database_is_down_are_handled_when_it_is_back(outage: Outage) -> None:
    assert outage.handle(BEFORE) == []
    outage.proxy.interrupt()
    assert outage.handle(DURING) == [DURING]
    assert outage.handle(BEFORE, DURING) == [BEFORE, DURING]
    outage.proxy.restore()
    assert outage.handle(DURING) == []
    assert outage.names() == ["before", "during"]


def test_a_database_that_is_down_when_the_function_starts_is_used_when_it_is_back(outage: Outage) -> None:
    outage.proxy.interrupt()
    assert not outage.acknowledges_any(*KEYS)
    outage.proxy.restore()
    assert outage.handle(*KEYS) == []
    assert outage.names() == ["before", "during"]


def test_an_event_from_s3_itself_raises_an_error_so_that_lambda_retries_it(outage: Outage) -> None:
    notification = outage.notification(BEFORE)
    assert handler.handle_s3_event(notification, None)["saved"] == ["before-1.0.tar.gz"]
    outage.proxy.interrupt()
    with pytest.raises(S3SyncError, match=BEFORE):
        handler.handle_s3_event(notification, None)
    outage.proxy.restore()
    assert handler.handle_s3_event(notification, None)["saved"] == ["before-1.0.tar.gz"]
