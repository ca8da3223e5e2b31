from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import fakeredis
import pytest
from pypicloud.cache.redis_cache import RedisCache
from pypicloud.cache.sql import SQLCache
from sqlalchemy.orm import sessionmaker

from pypicloud_s3sync.caches.base import CacheAdapter
from pypicloud_s3sync.caches.dynamo import DynamoAdapter
from pypicloud_s3sync.caches.redis_cache import RedisAdapter
from pypicloud_s3sync.caches.registry import adapter_for
from pypicloud_s3sync.caches.sql import SqlAdapter
from support.backends import Dynamo

#: A user's class that is derived from one of pypicloud's.
SUBCLASS = type("Subclass", (RedisCache,), {})
#: A user's class in another module that only has the name of one of pypicloud's.
SAME_NAME = type("RedisCache", (), {})


def dynamo_cache() -> Any:
    return Dynamo(Random(0)).adapter().cache


def redis_cache(kind: type[RedisCache] = RedisCache) -> Any:
    return kind(storage=lambda request: None, db=fakeredis.FakeStrictRedis())


def sql_cache() -> Any:
    return SQLCache(storage=lambda request: None, dbmaker=sessionmaker())


@pytest.mark.parametrize(
    ("make_cache", "adapter"),
    [
        pytest.param(dynamo_cache, DynamoAdapter, id="DynamoDB"),
        pytest.param(redis_cache, RedisAdapter, id="Redis"),
        pytest.param(sql_cache, SqlAdapter, id="SQL"),
        pytest.param(lambda: redis_cache(SUBCLASS), RedisAdapter, id="a subclass"),
        pytest.param(object, CacheAdapter, id="a custom class"),
        pytest.param(SAME_NAME, CacheAdapter, id="a class of the same name"),
    ],
)
def test_the_adapter_follows_the_class_of_the_cache(
    make_cache: Callable[[], Any], adapter: type[CacheAdapter]
) -> None:
    cache = make_cache()
    chosen = adapter_for(cache)
    assert type(chosen) is adapter
    assert chosen.cache is cache
