"""A cache that a Lambda function cannot use is refused with what to change."""

from __future__ import annotations

import pytest

from pypicloud_s3sync.config.caches import check_cache
from pypicloud_s3sync.exceptions import ConfigError


def test_a_dynamo_cache_needs_its_region() -> None:
    with pytest.raises(ConfigError, match=r"db\.region_name is not set"):
        check_cache("dynamo", {}, emulated=False)


def test_table_names_come_in_a_pair() -> None:
    db = {"db.region_name": "eu-west-1"}
    with pytest.raises(ConfigError, match=r"Invalid value 'one' for db\.tablenames: expected two names"):
        check_cache("dynamo", {**db, "db.tablenames": "one"}, emulated=False)
    check_cache("dynamo", {**db, "db.tablenames": "one two"}, emulated=False)


@pytest.mark.parametrize("cache", ["redis", "sql"])
def test_a_redis_or_sql_cache_needs_its_url(cache: str) -> None:
    with pytest.raises(ConfigError, match=rf"db\.url is not set: pypi\.db = {cache} needs the URL"):
        check_cache(cache, {}, emulated=False)


@pytest.mark.parametrize("url", ["sqlite:///db.sqlite", "sqlite://"])
def test_sqlite_is_refused_because_a_lambda_function_cannot_reach_it(url: str) -> None:
    with pytest.raises(ConfigError, match="SQLite file, which a Lambda function cannot reach"):
        check_cache("sql", {"db.url": url}, emulated=True)


@pytest.mark.parametrize(
    ("backend", "db"),
    [
        ("redis", {"db.url": "redis://localhost:6379/0"}),
        ("sql", {"db.url": "postgresql://u:p@127.0.0.1/x"}),
        ("sql", {"db.url": "mysql+pymysql://u:p@[::1]/x"}),
        ("sql", {"db.url": "postgresql:///x"}),
        ("dynamo", {"db.region_name": "eu-west-1", "db.host": "localhost"}),
    ],
)
def test_a_cache_on_this_machine_is_refused_unless_aws_is_emulated(backend: str, db: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="which a Lambda function cannot reach"):
        check_cache(backend, db, emulated=False)
    check_cache(backend, db, emulated=True)


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@localhost/x", "postgresql://u:hunter2@[broken/x"])
def test_no_error_shows_the_password_of_a_url(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_cache("sql", {"db.url": url}, emulated=False)
    assert "hunter2" not in str(caught.value)


def test_a_custom_cache_that_extends_none_of_pypiclouds_is_not_checked() -> None:
    check_cache(None, {}, emulated=False)
