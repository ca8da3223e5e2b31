"""Each process of a web server has connections of its own to AWS."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.client import BaseClient

from pypicloud_s3sync.web import forks
from pypicloud_s3sync.web.forks import Connections
from support.apps import make_app, make_file_app
from support.moto_world import BUCKET, REGION, World

DYNAMO_AND_S3 = f"""
pypi.storage = s3
storage.bucket = {BUCKET}
storage.region_name = {REGION}
pypi.db = dynamo
db.region_name = {REGION}
"""


@pytest.fixture
def fork(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after which the test is another process, as if the server had forked it."""
    process = SimpleNamespace(getpid=os.getpid)
    monkeypatch.setattr(forks, "os", process)

    def fork() -> None:
        number = process.getpid() + 1
        process.getpid = lambda: number

    return fork


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the services whose clients are closed."""
    services: list[str] = []

    def close(self: Any) -> None:
        services.append(self.meta.service_model.service_name)

    monkeypatch.setattr(BaseClient, "close", close)
    return services


def test_a_process_closes_once_what_it_has_from_the_one_before(
    world: World, tmp_path: Path, fork: Callable[[], None], closed: list[str]
) -> None:
    app = make_app(tmp_path, DYNAMO_AND_S3)
    app.get("/simple/")
    assert closed == []
    for _ in range(2):
        fork()
        app.get("/simple/")
        app.get("/simple/")
        assert closed == ["dynamodb", "s3"]
        closed.clear()


def test_an_application_without_aws_has_nothing_to_close(
    tmp_path: Path, fork: Callable[[], None], closed: list[str]
) -> None:
    app = make_file_app(tmp_path)
    fork()
    app.get("/simple/")
    assert closed == []


class Slow(BaseClient):
    """A client that takes its time to close its connections."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.times = 0

    def close(self) -> None:
        self.begun.set()
        self.may_end.wait(30)
        self.times += 1


def test_two_first_requests_of_a_process_both_wait_until_the_connections_are_closed(
    fork: Callable[[], None],
) -> None:
    connections, client = Connections(), Slow()
    event: Any = SimpleNamespace(request=SimpleNamespace(access=SimpleNamespace(client=client)))
    fork()
    with ThreadPoolExecutor() as threads:
        first = threads.submit(connections.make_own, event)
        assert client.begun.wait(30)
        second = threads.submit(connections.make_own, event)
        assert not second.done()
        client.may_end.set()
        first.result()
        second.result()
    assert client.times == 1
