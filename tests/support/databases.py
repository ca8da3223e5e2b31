"""Give tests empty databases on the servers that all workers share.

``redis_url``, ``redis_cluster_url``, ``postgres_url`` and ``mysql_url`` are the ``db.url`` of an empty
database; ``database`` runs a test on each of them. Every worker has its own databases, apart from the Redis
cluster: a cluster has only one database, so all tests that use it run in the same worker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pypicloud.util import EnvironSettings

from pypicloud_s3sync import compat
from support.database_servers import PASSWORD, USER, connect_to_mysql, connect_to_postgres
from support.shared import worker_name

#: The databases by the resource that starts their server, for the summary of a test run.
TITLES = {
    "support.database_servers:redis": "Redis (Valkey)",
    "support.database_servers:redis_cluster": "Redis cluster (Valkey)",
    "support.database_servers:postgres": "PostgreSQL",
    "support.database_servers:mysql": "MySQL (MariaDB)",
    "support.sites:embedded_aws": "DynamoDB (embedded AWS)",
}

#: Redis and PostgreSQL stand for the databases that are slow.
MARKS = {
    "redis_cluster": [pytest.mark.slow, pytest.mark.xdist_group("redis-cluster")],
    "mysql": [pytest.mark.slow],
}


@dataclass(frozen=True)
class Database:
    """An empty database, as pypicloud's ini names it.

    ``settings`` are its ``pypi.db`` and ``db.*``.
    """

    name: str
    settings: dict[str, str]

    @contextlib.contextmanager
    def cache(self) -> Iterator[Any]:
        """Yield pypicloud's own cache on this database, with its tables and with its own connections."""
        compat.apply()
        from pypicloud.cache import get_cache_impl

        settings = EnvironSettings({**self.settings, "pypi.storage": "pypicloud.storage.base.IStorage"}, {})
        implementation = get_cache_impl(settings)
        cache = implementation(**implementation.configure(settings))
        try:
            yield cache
        finally:
            cache.db.close()
            if self.settings["pypi.db"] == "sql":
                cache.dbmaker.kw["bind"].dispose()


def each(*names: str) -> list[Any]:
    """Return the values of a parameter for tests that run with each of these databases."""
    return [pytest.param(name, marks=MARKS.get(name, ())) for name in names]


def url_settings(name: str, url: str) -> dict[str, str]:
    """Return pypicloud's settings for one of these databases."""
    if name.startswith("redis"):
        clustered = {"db.clustered": "true"} if name == "redis_cluster" else {}
        return {"pypi.db": "redis", "db.url": url, **clustered}
    return {"pypi.db": "sql", "db.url": url}


@pytest.fixture(params=each("redis", "redis_cluster", "postgres", "mysql"))
def database(request: pytest.FixtureRequest) -> Database:
    """Each of the databases in turn, empty."""
    name: str = request.param
    return Database(name, url_settings(name, request.getfixturevalue(f"{name}_url")))


@pytest.fixture
def redis_url(shared: Any) -> str:
    """The URL of an empty Redis database."""
    from redis import Redis

    number = worker_name().removeprefix("gw").replace("main", "0")
    url = f"redis://127.0.0.1:{shared('support.database_servers:redis')}/{number}"
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def redis_cluster_url(shared: Any) -> str:
    """The URL of an empty Redis cluster."""
    from redis import RedisCluster

    url = f"redis://127.0.0.1:{shared('support.database_servers:redis_cluster')}/0"
    with RedisCluster.from_url(url) as client:
        client.flushall(target_nodes="primaries")
    return url


@pytest.fixture
def postgres_url(shared: Any) -> str:
    """The URL of an empty PostgreSQL database; connections that an earlier test left open are closed."""
    port, name = shared("support.database_servers:postgres"), f"ppc_{worker_name()}"
    with contextlib.closing(connect_to_postgres(port)) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
    # SQLAlchemy chooses the driver: psycopg2 until 2.0, psycopg from 2.1 on.
    return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{name}"


@pytest.fixture
def mysql_url(shared: Any) -> str:
    """The URL of an empty MySQL database; connections that an earlier test left open are closed."""
    port, name = shared("support.database_servers:mysql"), f"ppc_{worker_name()}"
    with contextlib.closing(connect_to_mysql(port)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [name])
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    return f"mysql+pymysql://{USER}:{PASSWORD}@127.0.0.1:{port}/{name}"
