"""Open the cache from this host, as the server itself opens it, without creating anything in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ... import compat
from ...caches.base import CacheAdapter
from ...caches.registry import adapter_for, open_cache
from ...config.settings import SyncSettings
from ...exceptions import ConflictError, UnreachableError
from ...sync.environment import with_timeouts
from ..desired.policy import TABLES


def open_adapter(settings: SyncSettings, command: str = "reconcile") -> CacheAdapter:
    """Return the adapter of the cache, with the settings and the credentials of the server.

    The tables of a DynamoDB cache must exist: pypicloud's class would create them.

    Raises
    ------
    UnreachableError
        The database does not answer from this host.
    ConflictError
        The database has no table of packages.
    """
    # Imported here, because only some commands open the cache, and the import takes half a second.
    from pypicloud.util import EnvironSettings

    compat.apply()
    values: dict[str, Any] = dict(settings.cache_settings)
    # A cache needs a storage, but this never uses it. S3Storage would create a missing bucket.
    values["pypi.storage"] = "pypicloud.storage.base.IStorage"
    if "db.url" in values:
        values["db.url"] = with_timeouts(values["db.url"])
    credentials = settings.db_credentials
    if settings.cache_backend == "dynamo":
        # pypicloud keeps the names in its classes, where another configuration may have set them.
        values["db.tablenames"] = values.get("db.tablenames") or " ".join(TABLES)
    if settings.cache_backend == "dynamo" and settings.endpoint_url and "db.host" not in values:
        # The server finds an emulator by a variable, which this process may not have.
        values |= _address(settings.endpoint_url)
        credentials = credentials or settings.credentials
    if credentials is not None:
        values |= {f"db.aws_{name}": value for name, value in vars(credentials).items() if value}
    try:
        if settings.cache_backend == "sql":
            _check_table(values["db.url"])
        return adapter_for(open_cache(EnvironSettings(values, {})))
    except ConflictError:
        raise
    except Exception as error:
        raise unreachable(error, command) from error


@contextlib.contextmanager
def opened(settings: SyncSettings, command: str = "reconcile") -> Iterator[CacheAdapter]:
    """Yield the adapter of the cache as :func:`open_adapter` returns it, and close its connections."""
    adapter = open_adapter(settings, command)
    try:
        yield adapter
    finally:
        adapter.close()


def _address(endpoint_url: str) -> dict[str, str]:
    url = urlsplit(endpoint_url)
    secure = url.scheme == "https"
    port = url.port or (443 if secure else 80)
    return {"db.host": str(url.hostname), "db.port": str(port), "db.secure": str(secure).lower()}


def unreachable(error: Exception, command: str = "reconcile") -> UnreachableError:
    """Return the error for a cache that does not answer; ``command`` may be run on another host."""
    cause = getattr(error, "orig", None) or error
    reason = " ".join(f"{type(cause).__name__}: {cause}".split())
    return UnreachableError(
        f"the cache cannot be reached from this host ({reason}):"
        f" check the db.* settings, or run ppc-s3sync {command} on a host that can reach it"
    )


def _check_table(url: str) -> None:
    """Raise an error if there is no table of packages, which pypicloud's class would create."""
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.pool import NullPool

    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        found = inspect(connection).has_table("packages")
    if not found:
        raise ConflictError(
            "the database has no table packages: check db.url; if it is new, start pypicloud once, which"
            " creates the table"
        )
