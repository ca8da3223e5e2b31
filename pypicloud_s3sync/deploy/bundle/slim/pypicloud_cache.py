"""Caching database implementations, each imported only when it is used.

pypicloud imports all of them here, for example SQLAlchemy for a cache in DynamoDB.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import resolve_name
from typing import Any

from pypicloud.cache.base import ICache

__all__ = ["ICache", "get_cache_impl"]

_MODULES = {"RedisCache": "pypicloud.cache.redis_cache", "SQLCache": "pypicloud.cache.sql"}

_SHORT_NAMES = {
    "dynamo": "pypicloud.cache.dynamo.DynamoCache",
    "redis": "pypicloud.cache.RedisCache",
    "sql": "pypicloud.cache.SQLCache",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def get_cache_impl(settings: Any) -> Any:
    """Return the cache class that ``pypi.db`` names.

    Parameters
    ----------
    settings : mapping
        ``pypi.db`` is ``sql`` (the default), ``redis``, ``dynamo`` or a dotted path: ``package.module.Class``
        or ``package.module:Class``, relative to ``pypicloud.cache`` if it begins with ``.`` or ``:``.
    """
    name = settings.get("pypi.db", "sql")
    dotted = _SHORT_NAMES.get(name, name)
    if dotted.startswith((".", ":")):
        dotted = f"pypicloud.cache{dotted}"
    if ":" not in dotted:
        # With a colon, the error of a module that fails to import names that import, not a missing attribute.
        dotted = ":".join(dotted.rsplit(".", 1))
    return resolve_name(dotted)
