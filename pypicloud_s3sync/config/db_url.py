"""Check ``db.url``: a server that a Lambda function can reach, and a driver that the bundle can contain.

No error shows the URL: it may contain a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from ..exceptions import ConfigError
from .reachable import check_reachable

#: The drivers that the function can use, by dialect: synchronous, like pypicloud, and with wheels for Lambda.
DRIVERS = {
    "postgresql": ("psycopg2", "psycopg", "pg8000"),
    "mysql": ("pymysql",),
    "mariadb": ("pymysql",),
}
#: Drivers for asyncio.
_ASYNCHRONOUS = ("aiomysql", "aiosqlite", "asyncmy", "asyncpg", "psycopg_async")
#: Options that name a socket of this machine.
_SOCKETS = ("unix_sock", "unix_socket")


@dataclass(frozen=True)
class DbUrl:
    """A ``db.url``, as its client reads it.

    Parameters
    ----------
    backend : str
        ``redis`` or ``sql``.
    text : str
        The URL, which may contain a password.
    scheme : str
        What is before ``://``.
    host : str or None
    options : mapping
        The options after ``?``; each has one or more values.
    """

    backend: str
    text: str
    scheme: str
    host: str | None
    options: Mapping[str, tuple[str, ...]]

    @property
    def dialect(self) -> str:
        """The kind of SQL database."""
        return self.scheme.partition("+")[0]

    @property
    def driver(self) -> str:
        """The driver that the URL names; empty if it names none."""
        return self.scheme.partition("+")[2]

    def with_options(self, changes: Mapping[str, str]) -> str:
        """Return the URL with other values of some of its options; the rest of the text stays unchanged."""
        text = self.text
        for name, value in changes.items():
            text = re.sub(rf"(?<=[?&]){name}=[^&]*", f"{name}={value}", text)
        return text


def parse(backend: str, text: str) -> DbUrl:
    """Return a ``db.url``, or raise ConfigError if its client could not read it."""
    try:
        return _parse_sql(text) if backend == "sql" else _parse_redis(text)
    except ValueError:
        # The value and the cause are not shown: they may contain a password.
        raise ConfigError("Invalid value for db.url: expected scheme://user:password@host/name") from None


def _parse_sql(text: str) -> DbUrl:
    # Imported here because other caches do not need it: it takes a quarter of a command's start.
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ValueError from error
    if "[" in (url.host or ""):
        raise ValueError
    options = {
        name: (value,) if isinstance(value, str) else tuple(value) for name, value in url.query.items()
    }
    return DbUrl("sql", text, url.drivername, url.host, options)


def _parse_redis(text: str) -> DbUrl:
    parts = urlsplit(text)
    if parts.scheme == "unix":
        raise ConfigError(_unreachable("unix://"))
    if parts.scheme not in ("redis", "rediss"):
        raise ConfigError(
            f"db.url begins with {parts.scheme}://, which is not Redis: write redis://, or rediss:// for TLS"
        )
    _ = parts.port  # raises ValueError if it is none
    options: dict[str, tuple[str, ...]] = {}
    for name, value in parse_qsl(parts.query):
        options[name] = (*options.get(name, ()), value)
    return DbUrl("redis", text, parts.scheme, parts.hostname, options)


def check_dialect(url: DbUrl) -> None:
    """Raise an error if S3 sync does not support the database."""
    if url.dialect == "sqlite":
        raise ConfigError(
            "db.url is an SQLite file, which a Lambda function cannot reach:"
            " use pypi.db = dynamo, or a Redis or SQL server"
        )
    if url.dialect == "postgres":
        raise ConfigError(
            "db.url begins with postgres://, which SQLAlchemy does not know: write postgresql://"
        )


def check_driver(url: DbUrl) -> None:
    """Raise an error if no bundle with the URL's driver can be built."""
    drivers = DRIVERS.get(url.dialect)
    if drivers is None:
        raise ConfigError(
            f"db.url begins with {url.scheme}://, but S3 sync supports PostgreSQL and MySQL:"
            " use postgresql+psycopg2:// or mysql+pymysql://"
        )
    instead = f"use {url.dialect}+{drivers[0]}://"
    # SQLAlchemy's own choice for MySQL is mysqlclient, which has no wheels for Linux.
    driver = url.driver or {"postgresql": "psycopg2"}.get(url.dialect, "mysqlclient")
    if driver in _ASYNCHRONOUS:
        raise ConfigError(
            f"db.url begins with {url.scheme}://, which is asynchronous; pypicloud is not: {instead}"
        )
    if driver not in drivers:
        install = (
            " and pip install PyMySQL" if drivers[0] == "pymysql" else " and pip install psycopg2-binary"
        )
        raise ConfigError(
            f"db.url begins with {url.scheme}://, whose driver {driver} cannot be bundled for Lambda:"
            f" {instead}{install}"
        )
    # Not from the metadata, which may be damaged.
    from sqlalchemy import __version__ as version

    if driver == "psycopg" and version.startswith("1."):
        raise ConfigError(
            f"db.url begins with {url.scheme}://, which needs SQLAlchemy 2, but {version} is installed here:"
            f" {instead}, or pip install 'SQLAlchemy>=2'"
        )


def check_hosts(url: DbUrl) -> None:
    """Raise an error if the URL leads to this machine, which a Lambda function cannot reach."""
    for name in _SOCKETS:
        if name in url.options:
            raise ConfigError(_unreachable(name))
    hosts = [host for value in _hosts(url) for host in value.split(",")]
    for host in hosts or ["localhost"]:
        if host.startswith(("/", "@")):
            raise ConfigError(_unreachable("host"))
        check_reachable("db.url", _without_port(host))


def _hosts(url: DbUrl) -> tuple[str, ...]:
    """Return the hosts of a URL. The options of PostgreSQL's client come first, as it does not use others."""
    for name in ("hostaddr", "host"):
        if url.options.get(name) and (url.dialect == "postgresql" or not url.host):
            return url.options[name]
    return (url.host,) if url.host else ()


def _without_port(host: str) -> str:
    return host if host.count(":") > 1 else host.partition(":")[0]


def _unreachable(name: str) -> str:
    return (
        f"db.url names a socket on this machine ({name}), which a Lambda function cannot reach:"
        " name a host that AWS can reach"
    )
