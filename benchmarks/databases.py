"""Start the databases, and give each side an empty one behind a proxy, with pypicloud's tables."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pypicloud.util import EnvironSettings

from benchmarks.latency import Proxy, proxy
from benchmarks.simulated_s3 import BUCKET, NEW_YEAR
from pypicloud_s3sync import compat
from pypicloud_s3sync.embedded import EmbeddedAws
from support import database_servers

#: The sides that are compared.
OWN, PEER = "own", "peer"
SIDES = (OWN, PEER)
STORAGE = {"storage.bucket": BUCKET, "storage.region_name": "us-east-1"}


@dataclass(frozen=True)
class Database:
    """A server with an empty database for each side and purpose.

    Parameters
    ----------
    name : str
        ``dynamo``, ``redis`` or ``postgres``.
    proxy : Proxy
        Its latency.
    make : callable
        Returns the settings of an empty database by its number; the proxy's port is in them.
    """

    name: str
    proxy: Proxy
    make: Callable[[int, int], dict[str, str]]
    port: int

    def settings(self, number: int) -> dict[str, str]:
        """Return the function's settings for one of the databases, which are reached through the proxy."""
        return {**self.make(self.proxy.port, number), **STORAGE}

    @contextlib.contextmanager
    def cache(self, number: int) -> Iterator[Any]:
        """Yield pypicloud's own cache on one of the databases, with its tables and without latency."""
        compat.apply()
        from pypicloud.cache import get_cache_impl

        given = {**self.make(self.port, number), "pypi.storage": "pypicloud.storage.base.IStorage"}
        settings = EnvironSettings(given, {})
        implementation = get_cache_impl(settings)
        cache = implementation(**implementation.configure(settings))
        yield cache
        if self.name == "postgres":
            cache.db.close()
            cache.dbmaker.kw["bind"].dispose()


@contextlib.contextmanager
def dynamo() -> Iterator[Database]:
    """DynamoDB: the embedded AWS."""
    with EmbeddedAws() as aws, proxy(aws.port) as latency:

        def make(port: int, number: int) -> dict[str, str]:
            keys = {"db.aws_access_key_id": "test", "db.aws_secret_access_key": "test"}
            server = {"db.region_name": "us-east-1", "db.host": "127.0.0.1", "db.port": str(port)}
            return {"pypi.db": "dynamo", "db.namespace": f"n{number}", **server, **keys}

        yield Database("dynamo", latency, make, aws.port)


@contextlib.contextmanager
def redis() -> Iterator[Database]:
    """Redis."""
    with database_servers.redis() as server, proxy(server) as latency:

        def make(port: int, number: int) -> dict[str, str]:
            return {"pypi.db": "redis", "db.url": f"redis://127.0.0.1:{port}/{number}"}

        yield Database("redis", latency, make, server)


@contextlib.contextmanager
def postgres() -> Iterator[Database]:
    """PostgreSQL."""
    user = f"{database_servers.USER}:{database_servers.PASSWORD}"
    with database_servers.postgres() as server, proxy(server) as latency:
        with contextlib.closing(database_servers.connect_to_postgres(server)) as connection:
            for number in range(8):
                connection.cursor().execute(f"CREATE DATABASE n{number}")

        def make(port: int, number: int) -> dict[str, str]:
            return {"pypi.db": "sql", "db.url": f"postgresql://{user}@127.0.0.1:{port}/n{number}"}

        yield Database("postgres", latency, make, server)


#: The servers by the name of the backend.
SERVERS = {"dynamo": dynamo, "redis": redis, "postgres": postgres}


def fill(database: Database, number: int, files: Sequence[tuple[str, int]]) -> None:
    """Save rows as the server would: each a project and a version, as old as the version says."""
    with database.cache(number) as cache:
        rows = [cache.new_package(*_row(project, version)) for project, version in files]
        newest = {row.name: row for row in rows}
        for row in rows:
            row.data["path"] = f"x/{row.filename}"
        if database.name == "dynamo":
            from pypicloud.cache.dynamo import PackageSummary

            cache.engine.save([*rows, *(PackageSummary(row) for row in newest.values())], overwrite=True)
        elif database.name == "redis":
            pipe = cache.db.pipeline()
            for row in rows:
                cache.save(row, pipe)
            pipe.execute()
        else:
            cache.db.add_all(rows)
            cache.db.commit()


def key_of(project: str, version: int) -> str:
    """Return the key of a project's file."""
    return f"x/{project}-{version}.0.tar.gz"


def _row(project: str, version: int) -> tuple[str, str, str, datetime.datetime]:
    filename = f"{project}-{version}.0.tar.gz"
    return project, f"{version}.0", filename, NEW_YEAR + datetime.timedelta(seconds=version)
