"""A URL of a database is refused if the function could not use it, and no error shows its password."""

from __future__ import annotations

from importlib import metadata

import pytest

from pypicloud_s3sync.config.caches import check_cache
from pypicloud_s3sync.exceptions import ConfigError


def refusal(url: str, backend: str = "sql") -> str:
    """Return the message with which a URL is refused; it does not show the password."""
    with pytest.raises(ConfigError) as caught:
        check_cache(backend, {"db.url": url}, emulated=False)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("mysql", "use mysql+pymysql:// and pip install PyMySQL"),
        ("mysql+mysqldb", "use mysql+pymysql://"),
        ("mysql+mysqlconnector", "use mysql+pymysql://"),
        ("mysql+aiomysql", "is asynchronous; pypicloud is not: use mysql+pymysql://"),
        ("mariadb", "use mariadb+pymysql://"),
        ("mariadb+mariadbconnector", "use mariadb+pymysql://"),
        ("postgres", "which SQLAlchemy does not know: write postgresql://"),
        ("postgresql+asyncpg", "is asynchronous; pypicloud is not: use postgresql+psycopg2://"),
        ("postgresql+psycopg2cffi", "use postgresql+psycopg2://"),
        ("mssql+pyodbc", "supports PostgreSQL and MySQL: use postgresql+psycopg2:// or mysql+pymysql://"),
        ("oracle", "supports PostgreSQL and MySQL"),
        ("redis", "supports PostgreSQL and MySQL"),
        ("sqlite", "is an SQLite file"),
    ],
)
def test_another_driver_is_refused_with_the_right_one(url: str, advice: str) -> None:
    message = refusal(f"{url}://u:hunter2@db.example/x")
    assert advice in message
    assert message.startswith("db.url ")


@pytest.mark.parametrize(
    "url",
    ["postgresql", "postgresql+psycopg2", "postgresql+pg8000", "mysql+pymysql", "mariadb+pymysql"],
)
def test_a_supported_driver_is_accepted(url: str) -> None:
    check_cache("sql", {"db.url": f"{url}://u:p@db.example/x"}, emulated=False)


def test_a_ready_bundle_may_have_any_driver() -> None:
    check_cache("sql", {"db.url": "mysql://u:p@db.example/x"}, emulated=False, built=False)


def test_psycopg_needs_sqlalchemy_2(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql+psycopg://u:hunter2@db.example/x"
    monkeypatch.setattr("sqlalchemy.__version__", "1.4.54")
    message = refusal(url)
    assert "needs SQLAlchemy 2, but 1.4.54 is installed here: use postgresql+psycopg2://" in message
    monkeypatch.setattr("sqlalchemy.__version__", "2.1.0")
    check_cache("sql", {"db.url": url}, emulated=False)


def test_the_check_of_the_driver_does_not_need_the_metadata_of_sqlalchemy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    check_cache("sql", {"db.url": "postgresql+psycopg2://u:p@db.example/x"}, emulated=False)


@pytest.mark.parametrize(
    ("backend", "url"),
    [
        ("redis", "postgresql://u:hunter2@db.example/x"),
        ("redis", "cache.example:6379"),
        ("redis", "redis://cache.example:hunter2/0"),
        ("redis", "redis://:p@cache.example:99999"),
        ("sql", "db.example/x"),
        ("sql", "postgresql://u:x@db.example:hunter2/x"),
    ],
)
def test_a_url_of_another_kind_is_refused(backend: str, url: str) -> None:
    assert refusal(url, backend).startswith(("db.url begins with ", "Invalid value for db.url: expected "))


@pytest.mark.parametrize(
    ("backend", "url"),
    [
        ("redis", "unix:///var/run/redis.sock"),
        ("redis", "redis://:hunter2@localhost./0"),
        ("redis", "redis://?host=127.0.0.1"),
        ("sql", "mysql+pymysql://u:hunter2@/x?unix_socket=/run/mysqld.sock"),
        ("sql", "postgresql://u:hunter2@/x?host=/var/run/postgresql"),
        ("sql", "postgresql://u:hunter2@/x?host=db.example&host=localhost"),
        ("sql", "postgresql://u:hunter2@/x?host=db.example,127.0.0.1:5433"),
        ("sql", "postgresql://u:hunter2@db.example/x?hostaddr=127.0.0.1"),
        ("sql", "postgresql://u:hunter2@[::ffff:127.0.0.1]/x"),
        ("sql", "postgresql:///x"),
    ],
)
def test_a_server_on_this_machine_is_refused(backend: str, url: str) -> None:
    assert "which a Lambda function cannot reach" in refusal(url, backend)


@pytest.mark.parametrize(
    ("backend", "url"),
    [
        ("redis", "rediss://:p@cache.example:6379/0?ssl_cert_reqs=required"),
        ("redis", "redis://?host=cache.example"),
        ("sql", "postgresql://u:p@/x?host=a.example:5432&host=b.example:5432"),
        ("sql", "postgresql://u:p@[2001:db8::1]:5432/x"),
    ],
)
def test_another_server_is_accepted(backend: str, url: str) -> None:
    check_cache(backend, {"db.url": url}, emulated=False)
