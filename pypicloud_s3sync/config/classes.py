"""Recognize the classes of ``pypi.db`` and ``pypi.storage``, in every spelling that pypicloud accepts."""

from __future__ import annotations

from typing import Any

from .. import compat
from ..caches.registry import BACKENDS, backend_of
from ..exceptions import ConfigError

#: The attributes of the package ``pypicloud.cache`` that are classes of its modules.
_EXPORTED = {
    "pypicloud.cache.RedisCache": "redis",
    "pypicloud.cache.SQLCache": "sql",
}
_STORAGES = {
    "s3": "s3",
    "cloudfront": "cloudfront",
    "pypicloud.storage.S3Storage": "s3",
    "pypicloud.storage.s3.S3Storage": "s3",
    "pypicloud.storage.CloudFrontS3Storage": "cloudfront",
    "pypicloud.storage.s3.CloudFrontS3Storage": "cloudfront",
}
#: pypicloud's short names of other storages.
_OTHER_STORAGES = ("azure-blob", "file", "gcs")


def short_name(cache: str) -> str:
    """Return pypicloud's short name of a cache, for example ``dynamo``, or the name of a custom class."""
    cache = cache.strip()
    path = _absolute(cache, "pypicloud.cache")
    return BACKENDS.get(path) or _EXPORTED.get(path) or cache


def cache_backend(cache: str) -> str | None:
    """Return the short name of the cache class that a class is or extends, or None if it extends none.

    Parameters
    ----------
    cache : str
        A short name, or the dotted path of a class.

    Raises
    ------
    ConfigError
        If the class cannot be imported.
    """
    if cache in BACKENDS.values():
        return cache
    expected = "dynamo, redis, sql, or the dotted path of a cache class"
    resolved = _resolve("pypi.db", _absolute(cache, "pypicloud.cache"), cache, expected)
    return backend_of(resolved)


def is_s3_storage(storage: str) -> bool:
    """Return whether a storage is pypicloud's S3 storage or extends it.

    Raises
    ------
    ConfigError
        If the class cannot be imported.
    """
    storage = storage.strip()
    path = _absolute(storage, "pypicloud.storage")
    if path in _STORAGES:
        return True
    if storage in _OTHER_STORAGES or path.startswith("pypicloud.storage."):
        return False
    resolved = _resolve("pypi.storage", path, storage, "s3, cloudfront, or the dotted path of a class")
    from pypicloud.storage import S3Storage

    return issubclass(resolved, S3Storage)


def storage_class(storage: str) -> Any:
    """Return the class by which a storage uploads: pypicloud's S3 storage, or one that extends it."""
    from pypicloud.storage import S3Storage

    path = _absolute(storage.strip(), "pypicloud.storage")
    if path in _STORAGES:
        # CloudFront serves files; they are uploaded to S3.
        return S3Storage
    return _resolve("pypi.storage", path, storage, "s3, cloudfront, or the dotted path of a class")


def _absolute(name: str, package: str) -> str:
    """Return the dotted path of a class; its name may be relative or have a colon, as for Pyramid."""
    if name.startswith(":"):
        return package + name.replace(":", ".")
    levels = len(name) - len(name.lstrip("."))
    if levels:
        parents = package.split(".")
        package = ".".join(parents[: len(parents) - levels + 1])
        name = f"{package}.{name[levels:]}"
    return name.replace(":", ".")


def _resolve(setting: str, path: str, value: str, expected: str) -> Any:
    if "." not in path:
        raise ConfigError(f"Invalid value {value!r} for {setting}: expected {expected}")
    # Imported here, because it imports pkg_resources, and most caches are pypicloud's own.
    from pyramid.path import DottedNameResolver

    compat.apply()
    try:
        resolved = DottedNameResolver(None).resolve(path)
    except (ImportError, AttributeError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{setting} = {value} cannot be imported ({reason}): correct it") from error
    if not isinstance(resolved, type):
        raise ConfigError(f"{setting} = {value} is not a class: expected {expected}")
    return resolved
