"""Count the calls of a warm handler for each kind of event, so that no call is added unnoticed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from pypicloud_s3sync import handler
from pypicloud_s3sync.sync import startup
from support.databases import Database
from support.handlers import handler_for
from support.moto_world import notification_of
from support.sites import Site

KEY = "a/pkg-1.0.tar.gz"

#: Yields a list to which each call to the database is added.
CallCounter = Callable[[], AbstractContextManager[list[Any]]]


@contextlib.contextmanager
def redis_commands() -> Iterator[list[Any]]:
    """Record what is sent to Redis: a command or a whole pipeline."""
    from redis.connection import Connection

    sent: list[Any] = []
    send_packed_command = Connection.send_packed_command

    def record_and_send(self: Any, command: Any, **options: Any) -> Any:
        sent.append(command)
        return send_packed_command(self, command, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "send_packed_command", record_and_send)
        yield sent


@contextlib.contextmanager
def sql_statements() -> Iterator[list[Any]]:
    """Record each statement, and each commit or rollback."""
    import sqlalchemy

    sent: list[Any] = []
    engine = startup.syncer().adapter.cache.dbmaker.kw["bind"]
    listeners = {
        "before_cursor_execute": lambda *args: sent.append(args[2]),
        "commit": lambda *args: sent.append("COMMIT"),
        "rollback": lambda *args: sent.append("ROLLBACK"),
    }
    for name, listener in listeners.items():
        sqlalchemy.event.listen(engine, name, listener)
    yield sent
    for name, listener in listeners.items():
        sqlalchemy.event.remove(engine, name, listener)


COUNTERS: dict[str, CallCounter] = {
    "redis": redis_commands,
    "redis_cluster": redis_commands,
    "postgres": sql_statements,
    "mysql": sql_statements,
}


class Warm:
    """A handler that has handled an event before, and its calls."""

    def __init__(self, site: Site, counter: CallCounter) -> None:
        self.site, self.counter = site, counter
        self.s3 = site.client("s3")

    def put(self, key: str = KEY, body: bytes = b"x") -> None:
        """Create or overwrite an object."""
        version = key.rpartition("-")[2].removesuffix(".tar.gz")
        metadata = {"name": "pkg", "version": version, "summary": body.decode()}
        self.s3.put_object(Bucket=self.site.bucket, Key=key, Body=body, Metadata=metadata)

    def delete(self, key: str = KEY) -> None:
        """Delete an object."""
        self.s3.delete_object(Bucket=self.site.bucket, Key=key)

    def handle(self, key: str = KEY) -> tuple[int, int]:
        """Handle an event; return the number of calls to the database and to S3."""
        requests: list[str] = []

        def record(event_name: str, **_: Any) -> None:
            requests.append(event_name)

        s3 = startup.syncer().reader.s3
        s3.meta.events.register("before-send", record)
        with self.counter() as sent:
            handler.handle_s3_event(notification_of(key, bucket=self.site.bucket), None)
        s3.meta.events.unregister("before-send", record)
        return len(sent), len(requests)


@pytest.fixture
def warm(database: Database, site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warm]:
    """Set up the handler, and let it handle an event."""
    with handler_for(site, database.settings, monkeypatch), database.cache():
        warm = Warm(site, COUNTERS[database.name])
        warm.handle("a/missing-1.0.tar.gz")
        yield warm


#: The number of calls to the database and to S3. A pipeline is one call to Redis. In SQL, each statement is a
#: call, and so is each commit.
EXPECTED = {
    "redis": {"create": (4, 2), "repeat": (2, 1), "overwrite": (5, 2), "delete": (6, 2)},
    # A pipeline of a cluster does not keep the order of its commands, so the lists are written one by one.
    "redis_cluster": {"create": (7, 2), "repeat": (4, 1), "overwrite": (9, 2), "delete": (11, 2)},
    # Each of two transactions sets the time that it waits for a lock.
    "postgres": {"create": (7, 2), "repeat": (6, 1), "overwrite": (7, 2), "delete": (7, 2)},
    "mysql": {"create": (5, 2), "repeat": (4, 1), "overwrite": (5, 2), "delete": (5, 2)},
}


def test_each_kind_of_event_takes_the_expected_number_of_calls(warm: Warm, database: Database) -> None:
    # The first command for a node of a cluster opens a connection, which takes calls too.
    warm.put()
    warm.handle()
    warm.delete()
    warm.handle()

    warm.put()
    calls = {"create": warm.handle(), "repeat": warm.handle()}
    warm.put(body=b"y")
    calls["overwrite"] = warm.handle()
    warm.delete()
    calls["delete"] = warm.handle()
    assert calls == EXPECTED[database.name]
