"""Choose the adapter for a cache."""

from __future__ import annotations

from typing import Any

from .base import CacheAdapter


def adapter_for(cache: Any) -> CacheAdapter:
    """Return the adapter for one of pypicloud's caches, or the generic adapter for a custom cache class."""
    # Compare names: a cache module cannot be imported without its database driver.
    bases = {f"{base.__module__}.{base.__qualname__}" for base in type(cache).__mro__}
    if "pypicloud.cache.dynamo.DynamoCache" in bases:
        from .dynamo import DynamoAdapter

        return DynamoAdapter(cache)
    if "pypicloud.cache.redis_cache.RedisCache" in bases:
        from .redis_cache import RedisAdapter

        return RedisAdapter(cache)
    if "pypicloud.cache.sql.SQLCache" in bases:
        from .sql import SqlAdapter

        return SqlAdapter(cache)
    return CacheAdapter(cache)
