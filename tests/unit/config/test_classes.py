"""A class means the same in every spelling that pypicloud takes."""

from __future__ import annotations

import pytest
from pypicloud.cache import ICache, RedisCache, SQLCache
from pypicloud.cache.dynamo import DynamoCache
from pypicloud.storage import CloudFrontS3Storage

from pypicloud_s3sync.config.classes import cache_backend, is_s3_storage, short_name
from pypicloud_s3sync.exceptions import ConfigError


class CustomDynamo(DynamoCache):  # type: ignore[misc] # pypicloud has no types
    """A custom cache in DynamoDB."""


class CustomSql(SQLCache):  # type: ignore[misc]
    """A custom cache in an SQL database."""


class Custom(ICache):  # type: ignore[misc]
    """A cache of its own kind."""


class CustomStorage(CloudFrontS3Storage):  # type: ignore[misc]
    """A custom storage in S3."""


Alias = RedisCache


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("dynamo", "dynamo"),
        (" sql\n", "sql"),
        ("pypicloud.cache.dynamo.DynamoCache", "dynamo"),
        ("pypicloud.cache.dynamo:DynamoCache", "dynamo"),
        (".dynamo.DynamoCache", "dynamo"),
        ("..cache.dynamo.DynamoCache", "dynamo"),
        (".dynamo:DynamoCache", "dynamo"),
        ("pypicloud.cache.redis_cache.RedisCache", "redis"),
        ("pypicloud.cache.RedisCache", "redis"),
        (":RedisCache", "redis"),
        ("pypicloud.cache.sql.SQLCache", "sql"),
        ("pypicloud.cache:SQLCache", "sql"),
        ("acme:Cache", "acme:Cache"),
    ],
)
def test_each_cache_of_pypicloud_has_one_name(name: str, short: str) -> None:
    assert short_name(name) == short


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("dynamo", "dynamo"),
        (f"{__name__}.CustomDynamo", "dynamo"),
        (f"{__name__}:CustomSql", "sql"),
        (f"{__name__}.Alias", "redis"),
        (f"{__name__}.Custom", None),
    ],
)
def test_a_custom_cache_has_the_backend_of_the_class_that_it_extends(name: str, backend: str | None) -> None:
    assert cache_backend(name) == backend


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Dynamo", "Invalid value 'Dynamo' for pypi.db: expected dynamo, redis, sql, or the dotted path"),
        ("", "Invalid value '' for pypi.db: expected dynamo, redis, sql"),
        ("acme.missing.Cache", "pypi.db = acme.missing.Cache cannot be imported"),
        ("pypicloud.cache.redis_cache", "pypi.db = pypicloud.cache.redis_cache is not a class"),
    ],
)
def test_a_cache_that_pypicloud_could_not_use_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cache_backend(name)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("s3", True),
        (" cloudfront", True),
        ("pypicloud.storage.s3.S3Storage", True),
        ("pypicloud.storage:CloudFrontS3Storage", True),
        (".S3Storage", True),
        (":S3Storage", True),
        (f"{__name__}.CustomStorage", True),
        ("file", False),
        ("gcs", False),
        ("azure-blob", False),
        ("pypicloud.storage.gcs.GoogleCloudStorage", False),
        ("pypicloud.storage.azure_blob:AzureBlobStorage", False),
        (".files.FileStorage", False),
        (f"{__name__}.Custom", False),
    ],
)
def test_a_storage_is_in_s3_or_not(name: str, expected: bool) -> None:
    assert is_s3_storage(name) is expected


def test_a_misspelled_storage_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Invalid value 'S3' for pypi\.storage: expected s3, cloudfront"):
        is_s3_storage("S3")
