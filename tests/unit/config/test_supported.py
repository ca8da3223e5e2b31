"""Settings with which S3 sync cannot work are refused with what to change."""

from __future__ import annotations

import sys

import pytest
from pypicloud.storage import S3Storage

from pypicloud_s3sync.config.supported import check_cache, check_storage
from pypicloud_s3sync.exceptions import ConfigError

S3 = {"pypi.storage": "s3", "storage.bucket": "packages"}


class CustomStorage(S3Storage):  # type: ignore[misc] # pypicloud has no types
    """A custom storage class."""


# The storage


@pytest.mark.parametrize(
    "storage", ["s3", "cloudfront", f"{__name__}.CustomStorage", "pypicloud.storage.S3Storage"]
)
def test_a_storage_in_s3_is_accepted(storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    check_storage({**S3, "pypi.storage": storage}, emulated=False)


@pytest.mark.parametrize("storage", ["file", "gcs", "azure-blob", "pypicloud.storage.FileStorage"])
def test_another_storage_is_refused(storage: str) -> None:
    with pytest.raises(ConfigError, match=f"pypi.storage = {storage} does not .*: set pypi.storage = s3"):
        check_storage({**S3, "pypi.storage": storage}, emulated=False)


def test_pypiclouds_default_storage_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"pypi\.storage = file does not"):
        check_storage({"storage.bucket": "packages"}, emulated=False)


def test_a_storage_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ConfigError, match=r"pypi\.storage = no_such\.module cannot be imported \(No module"):
        check_storage({**S3, "pypi.storage": "no_such.module"}, emulated=False)


def test_a_missing_bucket_is_named() -> None:
    with pytest.raises(ConfigError, match=r"storage\.bucket is not set"):
        check_storage({"pypi.storage": "s3"}, emulated=False)


def test_a_storage_outside_of_aws_is_refused_unless_it_is_an_emulator() -> None:
    elsewhere = {**S3, "storage.endpoint_url": "https://minio.example"}
    with pytest.raises(ConfigError, match="only AWS's own S3 can notify Lambda"):
        check_storage(elsewhere, emulated=False)
    check_storage(elsewhere, emulated=True)


# The cache


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
    ("cache", "db"),
    [
        ("redis", {"db.url": "redis://localhost:6379/0"}),
        ("sql", {"db.url": "postgresql://u:p@127.0.0.1/x"}),
        ("sql", {"db.url": "mysql+pymysql://u:p@[::1]/x"}),
        ("sql", {"db.url": "postgresql:///x"}),
        ("dynamo", {"db.region_name": "eu-west-1", "db.host": "localhost"}),
    ],
)
def test_a_cache_on_this_machine_is_refused_unless_aws_is_emulated(cache: str, db: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="which a Lambda function cannot reach"):
        check_cache(cache, db, emulated=False)
    check_cache(cache, db, emulated=True)


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@localhost/x", "postgresql://u:hunter2@[broken/x"])
def test_no_error_shows_the_password_of_a_url(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_cache("sql", {"db.url": url}, emulated=False)
    assert "hunter2" not in str(caught.value)


def test_a_custom_cache_is_not_checked() -> None:
    check_cache("acme.Cache", {}, emulated=False)
