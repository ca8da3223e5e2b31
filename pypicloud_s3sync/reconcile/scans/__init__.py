"""List what a cache holds, page by page; one module for each kind of cache, as in ``caches``."""

from __future__ import annotations

from ...caches.base import CacheAdapter
from ...caches.registry import backend_of
from .base import Scan


def scan_of(adapter: CacheAdapter) -> Scan:
    """Return the scan for an adapter's cache."""
    match backend_of(type(adapter.cache)):
        case "dynamo":
            from .dynamo import DynamoScan

            return DynamoScan(adapter)
        case "redis":
            from .redis_cache import RedisScan

            return RedisScan(adapter)
        case "sql":
            from .sql import SqlScan

            return SqlScan(adapter)
    return Scan(adapter)
