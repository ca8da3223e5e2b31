"""Calls that never return: the log and the answer come before Lambda ends the function; real sockets hang."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from pypicloud_s3sync import handler
from pypicloud_s3sync.exceptions import SyncError
from pypicloud_s3sync.sync import startup
from support.databases import Database, each, url_settings
from support.handlers import handler_for
from support.moto_world import notification_of
from support.outages import Proxy, proxy_to
from support.sites import Site

pytestmark = pytest.mark.untraced

KEYS = ("a/one-1.0.tar.gz", "a/two-1.0.tar.gz")
#: Seconds of an invocation, and those after which its end counts as late.
TIMEOUT = 1.5
DATABASES = ("dynamo", "redis", "postgres", "mysql")
#: Not the bucket's, and used by no other test.
DYNAMODB_REGION = "ap-northeast-3"


class Context:
    """Lambda's context of an invocation that begins now."""

    function_name = "sync"

    def __init__(self, seconds: float = TIMEOUT) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self._end - time.monotonic()) * 1000))


class Stalling:
    """This process's handler; S3 or its database can stop answering."""

    def __init__(self, site: Site, database: Proxy, s3: Proxy, capsys: pytest.CaptureFixture[str]) -> None:
        self.site, self.database, self.s3, self.capsys = site, database, s3, capsys

    def notification(self) -> dict[str, Any]:
        return notification_of(*KEYS, bucket=self.site.bucket)

    def put(self) -> None:
        """Change both objects."""
        for key in KEYS:
            metadata = {"name": key[2:5], "version": "1.0"}
            self.site.client("s3").put_object(Bucket=self.site.bucket, Key=key, Body=b"x", Metadata=metadata)

    def handle(self, seconds: float = TIMEOUT) -> list[str]:
        """Handle an SQS message for each key; return those that failed, and check that the log has them."""
        messages = [
            {
                "messageId": key,
                "eventSource": "aws:sqs",
                "body": json.dumps(notification_of(key, bucket=self.site.bucket)),
            }
            for key in KEYS
        ]
        context = Context(seconds)
        answer = handler.handle_s3_event({"Records": messages}, context)
        assert context.get_remaining_time_in_millis() > 0, "Lambda would have ended the function"
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        lines = [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]
        assert [line["key"] for line in lines if line.get("action") == "failed"] == failed
        assert sum(line.get("Failed", 0) for line in lines) == len(failed)
        return failed


@contextmanager
def nothing_left_behind(*proxies: Proxy) -> Iterator[None]:
    """End what the handler has abandoned in its threads before the next test begins.

    Its retries draw random numbers, which Hypothesis would take for a mistake of a test of its own.
    """
    began: list[Future[Any]] = []
    submit = ThreadPoolExecutor.submit

    def record(pool: ThreadPoolExecutor, *arguments: Any, **options: Any) -> Future[Any]:
        began.append(submit(pool, *arguments, **options))
        return began[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadPoolExecutor, "submit", record)
        yield
        for proxy in proxies:
            proxy.restore()
        for thread in threading.enumerate():
            if thread.name == "converge":
                thread.join(60)
                assert not thread.is_alive(), "an abandoned invocation goes on for ever"
        assert not wait(began, 60).not_done


@pytest.fixture(params=each(*DATABASES))
def stalling(
    request: pytest.FixtureRequest,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Stalling]:
    """Put a proxy in front of S3 and in front of each kind of database."""
    aws = urlsplit(site.aws.endpoint_url).port or 0
    if request.param == "dynamo":
        port, settings = aws, {"pypi.db": "dynamo", "db.region_name": DYNAMODB_REGION, "db.host": "127.0.0.1"}
    else:
        database = Database(
            request.param, url_settings(request.param, request.getfixturevalue(f"{request.param}_url"))
        )
        port, settings = urlsplit(database.settings["db.url"]).port or 0, database.settings
    with proxy_to(port) as database_proxy, proxy_to(aws) as s3_proxy:
        if "db.url" in settings:
            settings = {
                **settings,
                "db.url": settings["db.url"].replace(f":{port}", f":{database_proxy.port}"),
            }
        else:
            settings = {**settings, "db.port": str(database_proxy.port)}
        with handler_for(site, settings, monkeypatch), nothing_left_behind(database_proxy, s3_proxy):
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3_proxy.port}")
            stalling = Stalling(site, database_proxy, s3_proxy, capsys)
            stalling.put()
            yield stalling


def start(stalling: Stalling) -> None:
    """Handle both events once: DynamoDB's tables are created, which takes longer than an invocation."""
    handler.handle_s3_event(stalling.notification(), None)
    stalling.capsys.readouterr()


def test_a_database_that_never_answers_at_the_start_is_an_error_of_each_record(stalling: Stalling) -> None:
    stalling.database.stall()
    assert stalling.handle() == list(KEYS)


def test_calls_that_hang_in_the_middle_fail_in_time_and_the_next_invocation_works(stalling: Stalling) -> None:
    start(stalling)
    for proxy in (stalling.database, stalling.s3):
        stalling.put()
        proxy.stall()
        assert stalling.handle() == list(KEYS)
        proxy.restore()
        startup.syncer()
        # Nothing hangs any more, but a busy machine may take longer than the limit.
        assert stalling.handle(seconds=60) == []


@pytest.mark.parametrize("stalling", ["redis"], indirect=True)
def test_an_event_of_s3_raises_an_error_that_says_what_hung(stalling: Stalling) -> None:
    start(stalling)
    stalling.s3.stall()
    with pytest.raises(SyncError, match="Timed out after 1 second while reading S3: check that the function"):
        handler.handle_s3_event(stalling.notification(), Context())
