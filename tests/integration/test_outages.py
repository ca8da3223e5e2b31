"""A database that is down for a while costs retries, not events: real servers, behind a way that is cut."""

import json
from urllib.parse import urlsplit

import pytest

from pypicloud_s3sync import handler
from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.sync import startup
from support.databases import Database, url_settings
from support.outages import way_to
from support.world import event

KEYS = ("a/before-1.0.tar.gz", "a/while-1.0.tar.gz")


class Outage:
    """A warm handler in this process, its database behind a way that can be cut."""

    def __init__(self, site, database, way):
        self.site, self.database, self.way = site, database, way
        for key in KEYS:
            name, version = key.removeprefix("a/").removesuffix(".tar.gz").split("-")
            metadata = {"name": name, "version": version}
            site.client("s3").put_object(Bucket=site.bucket, Key=key, Body=b"x", Metadata=metadata)

    def message(self, key):
        """An event as a queue holds it, which Lambda hands over until it was handled."""
        record = event("created_put")["Records"][0]
        record["s3"]["bucket"]["name"] = self.site.bucket
        record["s3"]["object"]["key"] = key
        return {"messageId": key, "eventSource": "aws:sqs", "body": json.dumps({"Records": [record]})}

    def handle(self, *keys):
        """The keys whose messages failed."""
        answer = handler.handle_s3_event({"Records": [self.message(key) for key in keys]}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def acknowledges(self, *keys):
        """Whether any message is taken off the queue: where the handler fails, none is."""
        try:
            return self.handle(*keys) != list(keys)
        except Exception:
            return False

    def names(self):
        with self.database.cache() as cache:
            return sorted(cache.distinct())


@pytest.fixture(params=["redis", "postgres", "mysql"])
def outage(request, site, monkeypatch):
    """No cluster: its nodes name each other, and there is no one way to cut."""
    name = request.param
    database = Database(name, url_settings(name, request.getfixturevalue(f"{name}_url")))
    parts = urlsplit(database.settings["db.url"])
    with way_to(parts.port) as way, database.cache():
        url = database.settings["db.url"].replace(f":{parts.port}", f":{way.port}")
        of_storage = {"storage.bucket": site.bucket, "storage.region_name": site.region}
        settings = {**database.settings, "db.url": url, **of_storage}
        for name, value in {
            "PYPICLOUD_SETTINGS": json.dumps(settings),
            "AWS_ENDPOINT_URL": site.aws.endpoint_url,
            "AWS_ACCESS_KEY_ID": site.aws.access_key_id,
            "AWS_SECRET_ACCESS_KEY": site.aws.secret_access_key,
        }.items():
            monkeypatch.setenv(name, value)
        startup.syncer.cache_clear()
        yield Outage(site, database, way)
    startup.syncer.cache_clear()


def test_what_came_while_the_database_was_down_is_handled_when_it_is_back(outage):
    before, during = KEYS
    assert outage.handle(before) == []
    outage.way.cut()
    assert outage.handle(during) == [during]
    assert outage.handle(before, during) == [before, during]
    outage.way.mend()
    assert outage.handle(during) == []
    assert outage.names() == ["before", "while"]


def test_a_database_that_is_down_when_the_function_starts_is_found_when_it_is_back(outage):
    outage.way.cut()
    assert not outage.acknowledges(*KEYS)
    outage.way.mend()
    assert outage.handle(*KEYS) == []
    assert outage.names() == ["before", "while"]


def test_an_event_of_s3_itself_fails_as_a_whole_so_that_lambda_tries_again(outage):
    before, _ = KEYS
    notification = json.loads(outage.message(before)["body"])
    assert handler.handle_s3_event(notification, None)["saved"] == ["before-1.0.tar.gz"]
    outage.way.cut()
    with pytest.raises(S3SyncError, match=before):
        handler.handle_s3_event(notification, None)
    outage.way.mend()
    assert handler.handle_s3_event(notification, None)["saved"] == ["before-1.0.tar.gz"]
