"""The modules that replace pypicloud's in a bundle behave as pypicloud's do."""

from __future__ import annotations

import pypicloud.cache
import pytest

from pypicloud_s3sync.deploy.bundle.slim import pypicloud_cache, pypicloud_storage


@pytest.mark.parametrize(
    "name",
    [
        "sql",
        "redis",
        "dynamo",
        "pypicloud.cache.SQLCache",
        "pypicloud.cache.dynamo:DynamoCache",
        ".sql.SQLCache",
    ],
)
def test_the_slim_cache_module_finds_the_same_class_as_pypicloud(name: str) -> None:
    settings = {"pypi.db": name}
    assert pypicloud_cache.get_cache_impl(settings) is pypicloud.cache.get_cache_impl(settings)


def test_the_slim_cache_module_has_the_names_and_the_default_of_pypicloud() -> None:
    assert pypicloud_cache.get_cache_impl({}) is pypicloud.cache.SQLCache
    assert pypicloud_cache.SQLCache is pypicloud.cache.SQLCache
    assert pypicloud_cache.RedisCache is pypicloud.cache.RedisCache
    assert pypicloud_cache.ICache is pypicloud.cache.ICache


def test_the_slim_cache_module_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="MongoCache"):
        _ = pypicloud_cache.MongoCache


@pytest.mark.parametrize("storage", ["s3", "pypicloud.storage.base.IStorage"])
def test_the_slim_storage_module_gives_a_cache_the_base_class_of_every_storage(storage: str) -> None:
    from pypicloud.storage import IStorage

    found = pypicloud_storage.get_storage_impl({"pypi.storage": storage})
    assert found is pypicloud_storage.IStorage is IStorage
    assert found(None).request is None
