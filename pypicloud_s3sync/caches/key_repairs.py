"""Patch pypicloud's server so that a file stored under two keys keeps both in its row.

The cache has one row for each filename, but the bucket may hold the file under two keys, for example after a
change of ``storage.prepend_hash``. The function lists the other key in the row. pypicloud 1.3.12 forgets it
if it saves the file again, and deletes the row although the file is left. The repair can go once pypicloud
knows of such keys.

The function may write the row at the same time. In pypicloud's own caches, a row is therefore replaced only
if it has not changed since it was read: see :mod:`.dynamo_keys`, :mod:`.redis_keys` and :mod:`.sql_keys`. Any
other cache, and one with a ``save`` or ``clear`` of its own, reads and then writes.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

from pypicloud.cache.base import ICache

from ..exceptions import S3SyncError, UnreachableError
from ..sync.pending import OTHER_KEYS, listed_keys
from .registry import backend_of
from .storage_repairs import existing_package

_DONE = "_s3sync_keeps_keys"
#: Seconds to pause before each further attempt to replace a row that has changed.
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
#: Seconds to pause before each further attempt while the database has no capacity left.
THROTTLED_PAUSES = (0.4, 0.8, 1.6, 3.2, 6.4, 6.4)
#: Seconds after which no further attempt follows: botocore's own retries may take as long as the pauses.
THROTTLED_LIMIT = 20

#: Takes the present row, and returns the row that the cache should have; None is no row.
Choose = Callable[[Any], Any]
#: Replaces the row of a package.
Replace = Callable[[Any, Choose], None]


def apply() -> None:
    """Apply the repair once."""
    if getattr(ICache, _DONE, False):
        return
    setattr(ICache, _DONE, True)
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


def unused_names(package: Any, row: Any | None, wanted: Any | None) -> set[str]:
    """Return the names that a package or its previous row had, and its new row does not have."""
    return {known.name for known in (package, row) if known is not None} - {getattr(wanted, "name", None)}


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
    own, backend = (cache.save, cache.clear), backend_of(type(cache))
    if backend is None:
        return functools.partial(_read_and_write, cache, *own, cache.fetch)
    # Imported only now: the library of another cache may be installed in a version that cannot be used.
    keys: Any = import_module(f".{backend}_keys", __package__)
    if [getattr(it, "__func__", it) for it in own] == [keys.CACHE.save, keys.CACHE.clear]:
        return functools.partial(_replace_unchanged, functools.partial(keys.replace, cache))
    return functools.partial(_read_and_write, cache, *own, functools.partial(keys.fetch_now, cache))


def _replace_unchanged(replace: Callable[[Any, Choose], bool], package: Any, choose: Choose) -> None:
    """Replace a row; again if it has changed in between, or the database has no capacity left."""
    pauses, throttled_pauses = iter(PAUSES), iter(THROTTLED_PAUSES)
    end = time.monotonic() + THROTTLED_LIMIT
    while True:
        try:
            if replace(package, choose):
                return
            reason, pause = f"changed during each of {len(PAUSES) + 1} attempts", next(pauses, None)
        except UnreachableError as error:
            # Its own text is the function's, which has the event again.
            reason = f"was not written, because the database is throttled ({error.__cause__ or error})"
            pause = next(throttled_pauses, None) if time.monotonic() < end else None
        if pause is None:
            raise S3SyncError(
                f"the cache's row of {package.filename} {reason}: the bucket has been changed, and its event"
                " will correct the row"
            )
        time.sleep(pause)


def _read_and_write(
    cache: Any,
    save: Callable[..., Any],
    clear: Callable[..., Any],
    fetch: Callable[..., Any],
    package: Any,
    choose: Choose,
) -> None:
    wanted = choose(fetch(package.filename))
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
