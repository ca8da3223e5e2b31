"""Adapt a Redis cache: replace a row in one step, then correct the lists and the summary of its name.

pypicloud itself writes a row over the fields that its hash held before, stores the summary of the file that
was saved last, and removes a name from the list if a count that may be outdated is zero. Here a script swaps
the row only if it has not changed since it was read. A cluster can run the script too, because it touches one
key. Lists and summaries are under other keys: see :mod:`.redis_lists`.

A handler can be interrupted between a row and its lists. Its event is delivered again, and then only the
filename may be left. The lists are written in an order in which the names that are not complete can be found
from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redis import exceptions

from .base import CacheAdapter, Change, Result, Results, RowKey, Snapshot, same
from .redis_commands import RedisCommands, Swap
from .redis_lists import NameLists

#: Errors of the server or the cluster, and not of a single key. Older versions of redis-py lack some of them.
UNREACHABLE = tuple(
    getattr(exceptions, name)
    for name in (
        *("ConnectionError", "TimeoutError", "ReadOnlyError", "NoPermissionError", "OutOfMemoryError"),
        *("ClusterDownError", "ClusterError", "MasterDownError", "RedisClusterException"),
    )
    if hasattr(exceptions, name)
)


class RedisAdapter(CacheAdapter):
    """Reads and writes rows, lists and summaries of ``pypicloud.cache.redis_cache.RedisCache``."""

    def __init__(self, cache: Any) -> None:
        super().__init__(cache)
        self.commands = RedisCommands(cache.db, self.check_running)
        self.lists = NameLists(cache, self.commands)

    def is_unreachable(self, error: BaseException) -> bool:
        """Return whether an error is one of the server or the cluster."""
        return super().is_unreachable(error) or isinstance(error, UNREACHABLE)

    def close(self) -> None:
        """Close the connections of the cache."""
        self.cache.db.close()

    def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
        """Return the rows, each with its hash as Redis holds it."""
        filenames = [key.filename for key in keys]
        hashes = self.commands.pipeline(
            [("hgetall", self.cache.redis_key(filename)) for filename in filenames]
        )
        return {
            filename: Snapshot(load_row(self.cache, found), found)
            for filename, found in zip(filenames, hashes, strict=True)
        }

    def write(self, changes: Sequence[Change]) -> Results:
        """Swap the rows, then correct the lists of every name that they have or had."""
        results, added = self._swap(changes)
        by_name: dict[str, set[str]] = {}
        whole: set[str] = set()
        # Even without a swap: this may be the retry of a handler that died between the two steps.
        for change, names in zip(changes, self._names(changes), strict=True):
            for name in names:
                by_name.setdefault(name, set()).add(change.filename)
            whole |= names if change.key.every_file else set()
        absent = {change.filename for change in changes if _is_absent(change)}
        for name in self.lists.leftovers(absent):
            by_name.setdefault(name, set()).update(absent)
        fresh = {}
        for name, filenames in by_name.items():
            rows = {filename: added[filename] for filename in filenames if filename in added}
            if rows.keys() == filenames and all(row["name"] == name for row in rows.values()):
                fresh[name] = rows
        unclear = self.lists.add(fresh)
        self.lists.correct_all(
            {name: by_name[name] for name in by_name if name not in fresh or name in unclear}, whole
        )
        return results

    def _names(self, changes: Sequence[Change]) -> list[set[str]]:
        """Return the names that the row of each change has, had, or may have had."""
        found = [
            {row.name for row in (change.snapshot.row, change.wanted) if row is not None}
            or set(change.key.possible_names)
            for change in changes
        ]
        # Another name may list the file if the row was moved from it.
        others = [
            (number, name)
            for number, change in enumerate(changes)
            for name in (change.key.name, *change.key.other_names)
            if name and name not in found[number]
        ]
        listed = self.lists.listing([(changes[number].filename, name) for number, name in others])
        for (number, name), is_listed in zip(others, listed, strict=True):
            found[number] |= {name} if is_listed else set()
        return found

    def _swap(
        self, changes: Sequence[Change]
    ) -> tuple[dict[str, Result | Exception], dict[str, Mapping[str, str]]]:
        """Replace each row that has not changed since it was read.

        Returns
        -------
        tuple
            The result of each change, and the hash of each row that did not exist before, by filename.
        """
        results: dict[str, Result | Exception] = {change.filename: Result.UNCHANGED for change in changes}
        added: dict[str, Mapping[str, str]] = {}
        altered = [change for change in changes if not same(change.snapshot.row, change.wanted)]
        swaps = [self._swap_of(change) for change in altered]
        for change, (_, before, after), swapped in zip(
            altered, swaps, self.commands.swap(swaps), strict=True
        ):
            results[change.filename] = Result.WRITTEN if swapped else Result.CONFLICT
            if swapped and not before:
                added[change.filename] = after
        return results, added

    def _swap_of(self, change: Change) -> Swap:
        after = {} if change.wanted is None else dump_row(self.cache, change.wanted)
        return self.cache.redis_key(change.filename), change.snapshot.raw, after


def load_row(cache: Any, found: Mapping[str, str]) -> Any | None:
    """Return the package of a row's hash, or None for no hash."""
    # pypicloud's method removes the fields from the dict that it is given.
    return cache._load(dict(found)) if found else None


def dump_row(cache: Any, package: Any) -> dict[str, str]:
    """Return a row's hash as pypicloud would write it."""
    recorder = _Recorder()
    type(cache).save(cache, package, pipe=recorder, save_summary=False)
    return recorder.hashes[cache.redis_key(package.filename)]


class _Recorder:
    """Records what pypicloud would send in a pipeline, so that pypicloud decides how rows are serialized."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, str]] = {}

    def hmset(self, key: str, values: Mapping[str, Any]) -> None:
        # Redis stores strings, and a float reads back as its repr.
        self.hashes[key] = {
            field: value if isinstance(value, str) else repr(value) for field, value in values.items()
        }

    def sadd(self, key: str, *values: str) -> None:
        """Ignore the lists, which are written separately."""


def _is_absent(change: Change) -> bool:
    return change.snapshot.row is None and change.wanted is None
