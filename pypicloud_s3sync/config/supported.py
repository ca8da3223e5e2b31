"""Refuse settings of pypicloud that S3 sync does not support.

These are packages outside S3, and caches that a Lambda function cannot reach. Every check raises
:class:`.ConfigError` with what to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from pyramid.path import DottedNameResolver

from ..exceptions import ConfigError


def check_storage(settings: Mapping[str, str], *, emulated: bool) -> None:
    """Raise an error if the packages are not in a bucket of AWS.

    Parameters
    ----------
    settings : mapping
        pypicloud's settings.
    emulated : bool
        Whether an AWS emulator is used, so that the bucket may be at another endpoint.
    """
    storage = settings.get("pypi.storage", "file")
    if storage not in ("s3", "cloudfront") and not _derives_from_s3(storage):
        raise ConfigError(
            f"pypi.storage = {storage} does not store packages in S3, so there is nothing to sync:"
            " set pypi.storage = s3"
        )
    if not settings.get("storage.bucket"):
        raise ConfigError("storage.bucket is not set: name the bucket that holds the packages")
    if settings.get("storage.endpoint_url") and not emulated:
        raise ConfigError(
            "storage.endpoint_url is set, but only AWS's own S3 can notify Lambda: remove it"
            " (for an AWS emulator, set s3sync.endpoint_url too)"
        )


def _derives_from_s3(storage: str) -> bool:
    """Return whether a dotted path names a class of pypicloud's S3 storage, as ``get_storage_impl`` does."""
    if "." not in storage:
        return False
    from pypicloud import storage as implementations

    try:
        resolved = DottedNameResolver(implementations).resolve(storage)
    except (ImportError, AttributeError, ValueError) as error:
        reason = " ".join(str(error).split())
        reason = reason or type(error).__name__
        raise ConfigError(f"pypi.storage = {storage} cannot be imported ({reason}): correct it") from error
    return isinstance(resolved, type) and issubclass(resolved, implementations.S3Storage)


def check_cache(cache: str, db: Mapping[str, str], *, emulated: bool) -> None:
    """Raise an error if a Lambda function cannot use the cache.

    Parameters
    ----------
    cache : str
        The value of ``pypi.db``. A custom class is not checked.
    db : mapping
        The ``db.*`` settings.
    emulated : bool
        Whether an AWS emulator is used, so that the cache may be on this machine.
    """
    if cache == "dynamo":
        _check_dynamo(db, emulated=emulated)
    elif cache in ("redis", "sql"):
        _check_url(cache, db.get("db.url"), emulated=emulated)


def _check_dynamo(db: Mapping[str, str], *, emulated: bool) -> None:
    if "db.region_name" not in db:
        raise ConfigError("db.region_name is not set: name the region of the DynamoDB tables")
    if len(db.get("db.tablenames", "two names").split()) not in (0, 2):
        raise ConfigError(
            f"Invalid value {db['db.tablenames']!r} for db.tablenames: expected two names,"
            " of the table of packages and of the table of summaries"
        )
    if "db.host" in db and not emulated:
        _check_reachable("db.host", db["db.host"])


def _check_url(cache: str, url: str | None, *, emulated: bool) -> None:
    if not url:
        raise ConfigError(f"db.url is not set: pypi.db = {cache} needs the URL of its server")
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
    except ValueError:
        # The value is not shown: it may contain a password.
        raise ConfigError("Invalid value for db.url: expected scheme://user:password@host/name") from None
    if scheme.startswith("sqlite"):
        raise ConfigError(
            "db.url is an SQLite file, which a Lambda function cannot reach:"
            " use pypi.db = dynamo, or a Redis or SQL server"
        )
    if not emulated:
        _check_reachable("db.url", host or "localhost")


def _check_reachable(setting: str, host: str) -> None:
    if host in ("localhost", "::1", "0.0.0.0") or host.startswith("127."):  # noqa: S104 - compared, not bound
        raise ConfigError(
            f"{setting} is on {host}, which a Lambda function cannot reach: set an address that AWS can reach"
            " (for an AWS emulator on this machine, set s3sync.endpoint_url)"
        )
