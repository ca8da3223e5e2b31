"""How many calls a warm handler makes for each kind of event; asserted, so that none creeps in."""

import contextlib
import json

import pytest

from pypicloud_s3sync import handler
from pypicloud_s3sync.sync import startup
from support.world import event

KEY = "a/pkg-1.0.tar.gz"


class Warm:
    """A handler that has handled an event before, and a count of what it asks its database and S3."""

    def __init__(self, site, calls):
        self.site, self.calls = site, calls
        self.s3 = site.client("s3")

    def put(self, key, body=b"x"):
        version = key.rpartition("-")[2].removesuffix(".tar.gz")
        metadata = {"name": "pkg", "version": version, "summary": body.decode()}
        self.s3.put_object(Bucket=self.site.bucket, Key=key, Body=body, Metadata=metadata)

    def handle(self, key=KEY):
        """The calls to the database for one event, and to S3."""
        record = event("created_put")["Records"][0]
        record["s3"]["bucket"]["name"] = self.site.bucket
        record["s3"]["object"]["key"] = key
        asked = []
        s3 = startup.syncer().reader.s3
        log = lambda model, **kwargs: asked.append(model.name)  # noqa: E731
        s3.meta.events.register("before-call", log)
        with self.calls() as found:
            handler.handle_s3_event({"Records": [record]}, None)
        s3.meta.events.unregister("before-call", log)
        return len(found), len(asked)


@contextlib.contextmanager
def redis_commands():
    """Each time that something is sent to Redis, whatever it holds: a pipeline is one."""
    from redis.connection import Connection

    found, send = [], Connection.send_packed_command

    def counted(self, command, **kwargs):
        found.append(command)
        return send(self, command, **kwargs)

    Connection.send_packed_command = counted
    yield found
    Connection.send_packed_command = send


@contextlib.contextmanager
def sql_statements():
    """Each statement, and each commit or rollback."""
    from sqlalchemy import event as listen

    engine, found = startup.syncer().adapter.cache.dbmaker.kw["bind"], []
    hooks = {
        "before_cursor_execute": lambda *args: found.append(args[2]),
        "commit": lambda *args: found.append("COMMIT"),
        "rollback": lambda *args: found.append("ROLLBACK"),
    }
    for name, hook in hooks.items():
        listen.listen(engine, name, hook)
    yield found
    for name, hook in hooks.items():
        listen.remove(engine, name, hook)


COUNTED = {
    "redis": redis_commands,
    "redis_cluster": redis_commands,
    "postgres": sql_statements,
    "mysql": sql_statements,
}


@pytest.fixture
def warm(database, site, monkeypatch):
    of_storage = {"storage.bucket": site.bucket, "storage.region_name": site.region}
    for name, value in {
        "PYPICLOUD_SETTINGS": json.dumps({**database.settings, **of_storage}),
        "AWS_ENDPOINT_URL": site.aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": site.aws.access_key_id,
        "AWS_SECRET_ACCESS_KEY": site.aws.secret_access_key,
    }.items():
        monkeypatch.setenv(name, value)
    startup.syncer.cache_clear()
    with database.cache():
        made = Warm(site, COUNTED[database.name])
        made.handle("a/never-1.0.tar.gz")
        yield made
    startup.syncer.cache_clear()


#: To the database and to S3. A pipeline is one call to Redis; of SQL each statement and each commit counts.
EXPECTED = {
    "redis": {"create": (9, 2), "repeated": (4, 1), "overwrite": (9, 2), "delete": (9, 2)},
    "redis_cluster": {"create": (9, 2), "repeated": (4, 1), "overwrite": (9, 2), "delete": (9, 2)},
    "postgres": {"create": (6, 2), "repeated": (4, 1), "overwrite": (5, 2), "delete": (5, 2)},
    "mysql": {"create": (6, 2), "repeated": (4, 1), "overwrite": (5, 2), "delete": (5, 2)},
}


def test_each_kind_of_event_costs_what_it_is_said_to(warm, database):
    # A cluster's connections are opened by the first command for each node.
    warm.put(KEY)
    warm.handle()
    warm.s3.delete_object(Bucket=warm.site.bucket, Key=KEY)
    warm.handle()

    warm.put(KEY)
    made = {"create": warm.handle(), "repeated": warm.handle()}
    warm.put(KEY, b"y")
    made["overwrite"] = warm.handle()
    warm.s3.delete_object(Bucket=warm.site.bucket, Key=KEY)
    made["delete"] = warm.handle()
    assert made == EXPECTED[database.name]
