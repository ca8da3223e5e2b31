"""Create a cache, and choose the adapter for it."""

from __future__ import annotations

import contextlib
from typing import Any

from .base import CacheAdapter

#: pypicloud's cache classes, with their short names.
BACKENDS = {
    "pypicloud.cache.dynamo.DynamoCache": "dynamo",
    "pypicloud.cache.redis_cache.RedisCache": "redis",
    "pypicloud.cache.sql.SQLCache": "sql",
}


def backend_of(cache: type) -> str | None:
    """Return the short name of the cache class of pypicloud that a class is or extends, or None."""
    # Compare names: a cache module cannot be imported without its database driver.
    names = (BACKENDS.get(f"{base.__module__}.{base.__qualname__}") for base in cache.__mro__)
    return next(filter(None, names), None)


def cache_class(settings: Any) -> type:
    """Return the cache class that the settings name, whose module is imported only now."""
    from pypicloud.cache import get_cache_impl

    implementation: type = get_cache_impl(settings)
    return implementation


def open_cache(settings: Any) -> Any:
    """Return pypicloud's cache for its settings; calls to its database have time limits."""
    implementation: Any = cache_class(settings)
    with contextlib.ExitStack() as stack:
        match backend_of(implementation):
            case "dynamo":
                from .dynamo_client import time_limits

                stack.enter_context(time_limits())
            case "sql":
                # Lambda freezes its sandbox between events, and the database may have closed the connection.
                settings.setdefault("db.pool_pre_ping", "true")
        return implementation(**implementation.configure(settings))


def adapter_for(cache: Any) -> CacheAdapter:
    """Return the adapter for one of pypicloud's caches, or the generic adapter for a custom cache class."""
    return adapter_class(type(cache))(cache)


def adapter_class(cache: type) -> type[CacheAdapter]:
    """Return the class of the adapter for a cache class, whose modules are imported only now."""
    match backend_of(cache):
        case "dynamo":
            from .dynamo import DynamoAdapter

            return DynamoAdapter
        case "redis":
            from .redis_cache import RedisAdapter

            return RedisAdapter
        case "sql":
            from .sql import SqlAdapter

            return SqlAdapter
    return CacheAdapter
