"""Patch pypicloud's server so that a file stored under two keys keeps both in its row.

The cache has one row for each filename, but the bucket may hold the file under two keys, for example after a
change of ``storage.prepend_hash``. The function lists the other key in the row. pypicloud 1.3.12 forgets it
if it saves the file again, and deletes the row although the file is left. The repair can go once pypicloud
knows of such keys.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError
from pypicloud.cache.base import ICache

from ..sync.pending import OTHER_KEYS, listed_keys

_DONE = "_s3sync_keeps_keys"
#: A method of the caches whose ``fetch`` does not always return what others have written.
FETCH_NOW = "_s3sync_fetch_now"


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
        save = self.save

        def save_with_keys(package: Any) -> None:
            # Read again: the function may have written the row while the file was uploaded.
            keys = {*_keys_now(self, package.filename)} - {package.data.get("path")}
            package.data = _with_others(package.data, keys)
            save(package)

        with _replaced(self, "save", save_with_keys):
            return upload(self, *args, **kwargs)

    return remembering


def _falling_back(delete: Callable[..., Any]) -> Callable[..., Any]:
    """Return a ``delete`` that saves the newest file that is left under another key."""

    @functools.wraps(delete)
    def falling_back(self: Any, package: Any) -> None:
        clear, path, keys = self.clear, package.data.get("path"), {*listed_keys(package)}

        def clear_with_keys(package: Any) -> None:
            # Read again: the function may have written the row while the file was deleted.
            keys.update(_keys_now(self, package.filename))
            clear(package)

        with _replaced(self, "clear", clear_with_keys):
            delete(self, package)
        left = [found for key in sorted(keys - {path}) if (found := _package(self, key)) is not None]
        if not left:
            return
        *others, newest = sorted(left, key=lambda found: (found.last_modified, found.data["path"]))
        newest.data = _with_others(newest.data, {other.data["path"] for other in others})
        # SQLAlchemy would take the row that it is about to delete for the one that is saved.
        getattr(getattr(self, "db", None), "flush", lambda: None)()
        self.save(newest)

    return falling_back


@contextlib.contextmanager
def _replaced(cache: Any, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """Replace a method of a cache, which belongs to one request."""
    before = vars(cache).get(name)
    setattr(cache, name, method)
    try:
        yield
    finally:
        delattr(cache, name)
        if before is not None:
            setattr(cache, name, before)


def _keys_now(cache: Any, filename: str) -> list[str]:
    """Return the keys that a row lists now; ``fetch`` may return an older row on SQL and DynamoDB."""
    return listed_keys(getattr(cache, FETCH_NOW, cache.fetch)(filename))


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
