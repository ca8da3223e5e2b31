"""Patch pypicloud's server so that a file stored under two keys keeps both in its row.

The cache has one row for each filename, but the bucket may hold the file under two keys, for example after a
change of ``storage.prepend_hash``. The function lists the other key in the row. pypicloud 1.3.12 forgets it
if it saves the file again, and deletes the row although the file is left. The repair can go once pypicloud
knows of such keys.

The function may write the row at the same time. pypicloud's own caches therefore get a method that replaces a
row only if it has not changed since it was read: see :mod:`.dynamo_keys`, :mod:`.redis_keys` and
:mod:`.sql_keys`. Any other cache, and one with a ``save`` or ``clear`` of its own, reads and then writes.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pypicloud.cache.base import ICache

from ..exceptions import S3SyncError
from ..sync.pending import OTHER_KEYS, listed_keys
from .storage_repairs import existing_package

_DONE = "_s3sync_keeps_keys"
#: The method of a cache that takes the package that is uploaded or deleted, and a function that returns the
#: wanted row for the present one. It returns False if the row has changed in between.
REPLACE = "_s3sync_replace"
#: The modules that add it, by the library that a cache needs.
_MODULES = {"flywheel": ".dynamo_keys", "redis": ".redis_keys", "sqlalchemy": ".sql_keys"}
#: Seconds to pause before each further attempt to replace a row.
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)

#: Takes the present row, and returns the row that the cache should have; None is no row.
Choose = Callable[[Any], Any]
#: Replaces the row of a package.
Replace = Callable[[Any, Choose], None]


def apply() -> None:
    """Apply the repair once."""
    if getattr(ICache, _DONE, False):
        return
    setattr(ICache, _DONE, True)
    for library, module in _MODULES.items():
        if find_spec(library) is not None:
            import_module(module, __package__).apply()
    ICache.upload = _remembering(ICache.upload)
    ICache.delete = _falling_back(ICache.delete)


def uploaded(package: Any, row: Any | None) -> Any:
    """Let an uploaded package list the other keys of the present row, and return it."""
    package.data = _with_others(package.data, {*listed_keys(row)} - {package.data.get("path")})
    return package


def remaining(keys: Iterable[str], find: Callable[[str], Any | None]) -> Any | None:
    """Return the newest package under some keys, with the others that exist; None if there is none."""
    left = [found for key in sorted(keys) if (found := find(key)) is not None]
    if not left:
        return None
    *others, newest = sorted(left, key=lambda found: (found.last_modified, found.data["path"]))
    newest.data = _with_others(newest.data, {other.data["path"] for other in others})
    return newest


def _remembering(upload: Callable[..., Any]) -> Callable[..., Any]:
    """Return an ``upload`` that lists in the row where else the file is."""

    @functools.wraps(upload)
    def remembering(self: Any, *args: Any, **kwargs: Any) -> Any:
        replace = _replace(self)

        def save_with_keys(package: Any) -> None:
            replace(package, lambda row: uploaded(package, row))

        with _replaced(self, "save", save_with_keys):
            return upload(self, *args, **kwargs)

    return remembering


def _falling_back(delete: Callable[..., Any]) -> Callable[..., Any]:
    """Return a ``delete`` that saves the newest file that is left under another key."""

    @functools.wraps(delete)
    def falling_back(self: Any, package: Any) -> None:
        # The package may be the row of a session, which changes when it is read again.
        replace, path, keys = _replace(self), package.data.get("path"), {*listed_keys(package)}

        def clear_with_keys(package: Any) -> None:
            replace(
                package,
                lambda row: remaining({*keys, *listed_keys(row)} - {path}, functools.partial(_find, self)),
            )

        with _replaced(self, "clear", clear_with_keys):
            delete(self, package)

    return falling_back


def _replace(cache: Any) -> Replace:
    """Return the function that replaces a row of a cache."""
    owner: Any = next((base for base in type(cache).__mro__ if REPLACE in vars(base)), None)
    own = cache.save, cache.clear
    if owner is not None and [getattr(it, "__func__", it) for it in own] == [owner.save, owner.clear]:
        return functools.partial(_replace_unchanged, getattr(cache, REPLACE))
    return functools.partial(_read_and_write, cache, *own)


def _replace_unchanged(attempt: Callable[[Any, Choose], bool], package: Any, choose: Choose) -> None:
    for pause in (*PAUSES, None):
        if attempt(package, choose):
            return
        if pause is not None:
            time.sleep(pause)
    raise S3SyncError(
        f"the cache's row of {package.filename} changed during each of {len(PAUSES) + 1} attempts: the bucket"
        " has been changed, and its event will correct the row"
    )


def _read_and_write(
    cache: Any, save: Callable[..., Any], clear: Callable[..., Any], package: Any, choose: Choose
) -> None:
    wanted = choose(cache.fetch(package.filename))
    if wanted is not package:
        clear(package)
        # SQLAlchemy would take the row that it is about to delete for the one that is saved.
        getattr(getattr(cache, "db", None), "flush", lambda: None)()
    if wanted is not None:
        save(wanted)


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


def _find(cache: Any, key: str) -> Any | None:
    """Return the package under a key, or None if it does not exist."""
    return existing_package(cache.storage, cache.storage.bucket.Object(key), cache.new_package)


def _with_others(data: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    rest = {name: value for name, value in data.items() if name != OTHER_KEYS}
    return {**rest, OTHER_KEYS: sorted(keys)} if keys else rest
