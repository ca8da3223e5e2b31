"""Patch pypicloud's server so that a file stored under two keys keeps both in its row.

The cache has one row for each filename, but the bucket may hold the file under two keys, for example after a
change of ``storage.prepend_hash``. The function lists the other key in the row. pypicloud 1.3.12 forgets it
if it saves the file again, and deletes the row although the file is left. The repair can go once pypicloud
knows of such keys.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from pypicloud.cache.base import ICache

from ..sync.pending import OTHER_KEYS, listed_keys

_DONE = "_s3sync_keeps_keys"


def apply() -> None:
    """Apply the repair once."""
    if getattr(ICache, _DONE, False):
        return
    setattr(ICache, _DONE, True)
    ICache.upload = _remembering(ICache.upload)
    ICache.delete = _falling_back(ICache.delete)


def _remembering(upload: Callable[..., Any]) -> Callable[..., Any]:
    """Return an ``upload`` that lists in the row where else the file is."""

    @functools.wraps(upload)
    def remembering(self: Any, *args: Any, **kwargs: Any) -> Any:
        save, replaced = self.save, vars(self).get("save")

        def save_with_keys(package: Any) -> None:
            # Read again: the function may have written the row while the file was uploaded.
            keys = {*listed_keys(self.fetch(package.filename))} - {package.data.get("path")}
            package.data = _with_others(package.data, keys)
            save(package)

        # A cache belongs to one request.
        self.save = save_with_keys
        try:
            return upload(self, *args, **kwargs)
        finally:
            del self.save
            if replaced is not None:
                self.save = replaced

    return remembering


def _falling_back(delete: Callable[..., Any]) -> Callable[..., Any]:
    """Return a ``delete`` that saves the newest file that is left under another key."""

    @functools.wraps(delete)
    def falling_back(self: Any, package: Any) -> None:
        keys = {*listed_keys(package)} - {package.data.get("path")}
        delete(self, package)
        left = [found for key in sorted(keys) if (found := _package(self, key)) is not None]
        if not left:
            return
        *others, newest = sorted(left, key=lambda found: (found.last_modified, found.data["path"]))
        newest.data = _with_others(newest.data, {other.data["path"] for other in others})
        # SQLAlchemy would take the row that it is about to delete for the one that is saved.
        getattr(getattr(self, "db", None), "flush", lambda: None)()
        self.save(newest)

    return falling_back


def _package(cache: Any, key: str) -> Any | None:
    """Return the package under a key, or None if it does not exist."""
    try:
        return cache.storage.package_from_object(cache.storage.bucket.Object(key), cache.new_package)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise


def _with_others(data: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    rest = {name: value for name, value in data.items() if name != OTHER_KEYS}
    return {**rest, OTHER_KEYS: sorted(keys)} if keys else rest
