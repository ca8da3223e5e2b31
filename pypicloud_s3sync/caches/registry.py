"""Which index goes with which of pypicloud's caches."""

from __future__ import annotations

from typing import Any

from .base import CacheIndex


def index_of(cache: Any) -> CacheIndex:
    """The index for a cache: that of its kind, or the public methods for a class of somebody's own."""
    # By name: importing a kind of cache that is not used may not even be possible.
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(cache).__mro__}
    if "pypicloud.cache.dynamo.DynamoCache" in kinds:
        from .dynamo import DynamoIndex

        return DynamoIndex(cache)
    if "pypicloud.cache.redis_cache.RedisCache" in kinds:
        from .redis_cache import RedisIndex

        return RedisIndex(cache)
    if "pypicloud.cache.sql.SQLCache" in kinds:
        from .sql import SqlIndex

        return SqlIndex(cache)
    return CacheIndex(cache)
