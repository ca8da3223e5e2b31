"""Choose the adapter for a cache."""

from __future__ import annotations

from typing import Any

from .base import CacheAdapter


def adapter_for(cache: Any) -> CacheAdapter:
    """Return the adapter of a cache's kind, or the generic one for a class that is none of pypicloud's."""
    # By name, since importing a cache module whose database driver is not installed fails.
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
