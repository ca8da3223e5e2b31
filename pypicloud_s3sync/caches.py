"""pypicloud's caches as the sync reads and writes them: a row by its filename, cleared for its own key."""

from __future__ import annotations

import enum
from typing import Any


class Clearance(enum.Enum):
    """What clearing a filename for a key came to."""

    CLEARED = "cleared"
    ABSENT = "absent"
    #: The row belongs to the same filename under another key, and stays.
    ANOTHER_KEY = "another key"


def belongs_to(row: Any, key: str) -> bool:
    """Whether a cached row is that of a key: the cache is keyed by filename, S3 by path.

    Rows of old versions of pypicloud have no path, and nothing then speaks against the key.
    """
    return bool(row.data.get("path", key) == key)


class CacheIndex:
    """Any cache of pypicloud's, by the public methods of ``pypicloud.cache.ICache``.

    Parameters
    ----------
    cache : pypicloud.cache.ICache
    """

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def save(self, package: Any) -> None:
        """Make the cache hold this package, whatever it held under its filename."""
        self.cache.save(package)

    def clear(self, filename: str, key: str) -> Clearance:
        """Take a key's row out of the cache; the row itself tells name and version."""
        row = self.cache.fetch(filename)
        if row is None:
            return Clearance.ABSENT
        if not belongs_to(row, key):
            return Clearance.ANOTHER_KEY
        self.cache.clear(row)
        return Clearance.CLEARED


class SqlIndex(CacheIndex):
    """A SQL cache: without a request, pypicloud never commits."""

    def save(self, package: Any) -> None:
        """Save and commit."""
        with self.cache.db.begin():
            super().save(package)

    def clear(self, filename: str, key: str) -> Clearance:
        """Clear the row that was fetched in the same transaction, and commit."""
        with self.cache.db.begin():
            return super().clear(filename, key)


def index_of(cache: Any) -> CacheIndex:
    """The index for a cache: that of its kind, or the public methods for a class of somebody's own."""
    # By name: importing a kind of cache that is not used may not even be possible.
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(cache).__mro__}
    if "pypicloud.cache.dynamo.DynamoCache" in kinds:
        from .dynamo import DynamoIndex

        return DynamoIndex(cache)
    if "pypicloud.cache.sql.SQLCache" in kinds:
        return SqlIndex(cache)
    return CacheIndex(cache)
