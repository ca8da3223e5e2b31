"""Adapt a Redis cache: replace a row in one step, then correct the lists and the summary of its name.

pypicloud itself writes a row over the fields that its hash held before, stores the summary of the file that
was saved last, and removes a name from the list if a count that may be outdated is zero. Here a script swaps
the row only if it has not changed since it was read. A cluster can run the script too, because it touches one
key. Lists and summaries are under other keys, which a cluster cannot change in the same step. Therefore a
handler that has written them reads the rows again, until both agree: the last handler to write has then read
the rows after its write, and a handler that changes a row later corrects the lists again.

A handler can be interrupted between a row and its lists. Its event is delivered again, and then only the
filename may be left. The lists are written in an order in which the names that are not complete can be found
from it: see :meth:`RedisAdapter._leftovers`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pypicloud.cache.redis_cache import summary_from_package
from redis import exceptions
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from ..exceptions import S3SyncError
from .base import CacheAdapter, Change, Result, Results, RowKey, Snapshot, same
from .canary import is_canary

#: Replaces a hash by another one, or deletes it, if it equals the expected one. The arguments are the number
#: of expected fields, these fields with their values, and then the new fields with theirs. The script
#: compares what Redis holds, so that it covers every field of a row.
SWAP = """
local count = tonumber(ARGV[1])
if redis.call('HLEN', KEYS[1]) ~= count then return 0 end
for i = 2, 2 * count, 2 do
    if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
redis.call('DEL', KEYS[1])
for i = 2 * count + 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
"""
#: How often a name's rows may change while its lists are corrected, before the event is left to a retry.
ROUNDS = 20
#: The scripts in one pipeline, and the names if every name is read.
CHUNK = 1000
#: Errors of the server or the cluster, and not of a single key. Older versions of redis-py lack some of them.
UNREACHABLE = tuple(
    getattr(exceptions, name)
    for name in (
        *("ConnectionError", "TimeoutError", "ReadOnlyError", "NoPermissionError", "OutOfMemoryError"),
        *("ClusterDownError", "ClusterError", "MasterDownError", "RedisClusterException"),
    )
    if hasattr(exceptions, name)
)

T = TypeVar("T")


class RedisAdapter(CacheAdapter):
    """Reads and writes rows, lists and summaries of ``pypicloud.cache.redis_cache.RedisCache``."""

    def __init__(self, cache: Any) -> None:
        super().__init__(cache)
        # By default, redis-py sends a command up to four times, for up to a minute. See _call.
        if hasattr(self.db, "set_retry"):
            self.db.set_retry(Retry(NoBackoff(), 0))

    def is_unreachable(self, error: BaseException) -> bool:
        """Return whether an error is one of the server or the cluster."""
        return super().is_unreachable(error) or isinstance(error, UNREACHABLE)

    def close(self) -> None:
        """Close the connections of the cache."""
        self.db.close()

    @property
    def db(self) -> Any:
        """The Redis client, of a single server or a cluster."""
        return self.cache.db

    @property
    def _is_cluster(self) -> bool:
        return hasattr(self.db, "nodes_manager")

    def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
        """Return the rows, each with its hash as Redis holds it."""
        hashes = self._hashes([key.filename for key in keys])
        return {filename: Snapshot(self._load(found), found) for filename, found in hashes.items()}

    def write(self, changes: Sequence[Change]) -> Results:
        """Swap the rows, then correct the lists of every name that they have or had."""
        results = self._swap(changes)
        by_name: dict[str, set[str]] = {}
        # Even without a swap: this may be the retry of a handler that died between the two steps.
        for change, names in zip(changes, self._names(changes), strict=True):
            for name in names:
                by_name.setdefault(name, set()).add(change.filename)
        for name in self._leftovers({change.filename for change in changes if _is_absent(change)}):
            by_name.setdefault(name, set())
        for name, filenames in by_name.items():
            self._correct_name(name, filenames)
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
        lists = ((self.cache.redis_filename_set(name), changes[number].filename) for number, name in others)
        listed = self._pipeline(*(("sismember", key, filename) for key, filename in lists))
        for (number, name), is_listed in zip(others, listed, strict=True):
            found[number] |= {name} if is_listed else set()
        return found

    def _leftovers(self, filenames: set[str]) -> list[str]:
        """Return the names that list one of the files, which have no rows, or that list no file at all.

        A handler or a server that was interrupted while it deleted a row has left one of these: see
        :meth:`_write_lists`. The name of the row is not always known: it may be any that its object had.
        """
        names = sorted(self._call(lambda: self.db.smembers(self.cache.redis_set))) if filenames else []
        found: list[str] = []
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            lists = self._pipeline(*(("smembers", self.cache.redis_filename_set(name)) for name in chunk))
            found += [
                name for name, listed in zip(chunk, lists, strict=True) if not listed or listed & filenames
            ]
        return found

    def _swap(self, changes: Sequence[Change]) -> dict[str, Result]:
        """Replace each row that has not changed since it was read."""
        results = {change.filename: Result.UNCHANGED for change in changes}
        altered = [change for change in changes if not same(change.snapshot.row, change.wanted)]
        for start in range(0, len(altered), CHUNK):
            chunk = altered[start : start + CHUNK]
            for change, swapped in zip(chunk, self._run_swaps(chunk), strict=True):
                results[change.filename] = Result.WRITTEN if swapped else Result.CONFLICT
        return results

    def _run_swaps(self, changes: Sequence[Change]) -> list[int]:
        scripts = [(SWAP, 1, *self._arguments(change)) for change in changes]
        if self._is_cluster:
            # A cluster's pipeline does not take scripts in every version of redis-py.
            return [self._call(functools.partial(self.db.eval, *script)) for script in scripts]
        return self._pipeline(*(("eval", *script) for script in scripts))

    def _arguments(self, change: Change) -> list[Any]:
        """Return the key and the arguments of the script that swaps a row."""
        wanted = {} if change.wanted is None else self._dump(change.wanted)
        before = change.snapshot.raw
        return [self.cache.redis_key(change.filename), len(before), *_flat(before), *_flat(wanted)]

    def _correct_name(self, name: str, filenames: set[str]) -> None:
        """Derive a name's list of files, its entry in the list of names and its summary from its rows.

        Parameters
        ----------
        name : str
        filenames : set of str
            Rows that may exist but not be on the list yet: those that were just swapped.

        Raises
        ------
        S3SyncError
            The rows changed at every attempt.
        """
        candidates = set(filenames)
        for _ in range(ROUNDS):
            listed = self._call(lambda: self.db.smembers(self.cache.redis_filename_set(name)))
            candidates |= listed
            loaded = {filename: self._load(found) for filename, found in self._hashes(candidates).items()}
            rows = {filename: row for filename, row in loaded.items() if row and row.name == name}
            if not self._write_lists(name, listed, rows):
                return
        raise S3SyncError(f"the rows of {name} kept changing: the next retry corrects its lists")

    def _write_lists(self, name: str, listed: set[str], rows: Mapping[str, Any]) -> bool:
        """Correct what does not follow from the rows; return whether anything was wrong.

        While something is wrong, :meth:`_leftovers` finds the name: it is on the list of names until the end,
        and lists the file until its summary is right.
        """
        # The canary's files are listed, but not its name.
        shown = {} if is_canary(name) else rows
        newest = max(shown.values(), key=lambda row: (row.last_modified, row.filename), default=None)
        summary = {} if newest is None else self._summary_of(newest)
        named, found = self._pipeline(
            ("sismember", self.cache.redis_set, name), ("hgetall", self.cache.redis_summary_key(name))
        )
        files = self.cache.redis_filename_set(name)
        writes: list[tuple[Any, ...]] = []
        if rows.keys() - listed:
            writes.append(("sadd", files, *sorted(rows.keys() - listed)))
        if shown and not named:
            writes.append(("sadd", self.cache.redis_set, name))
        if found != summary:
            change = ("hset", *_flat(summary)) if summary else ("delete",)
            writes.append((change[0], self.cache.redis_summary_key(name), *change[1:]))
        if listed - rows.keys():
            writes.append(("srem", files, *sorted(listed - rows.keys())))
        if named and not shown:
            writes.append(("srem", self.cache.redis_set, name))
        # A pipeline of a cluster does not keep the order: its commands go to several servers.
        in_order = [[write] for write in writes] if self._is_cluster else [writes]
        for commands in in_order:
            self._pipeline(*commands)
        return bool(writes)

    def _summary_of(self, newest: Any) -> dict[str, str]:
        recorder = _Recorder()
        self.cache._save_summary(summary_from_package(newest), recorder)
        return recorder.hashes[self.cache.redis_summary_key(newest.name)]

    def _dump(self, package: Any) -> dict[str, str]:
        """Return a row's hash as pypicloud would write it."""
        recorder = _Recorder()
        self.cache.save(package, pipe=recorder, save_summary=False)
        return recorder.hashes[self.cache.redis_key(package.filename)]

    def _load(self, found: Mapping[str, str]) -> Any | None:
        # pypicloud's method removes the fields from the dict that it is given.
        return self.cache._load(dict(found)) if found else None

    def _hashes(self, filenames: Iterable[str]) -> dict[str, dict[str, str]]:
        ordered = sorted(filenames)
        found = self._pipeline(*(("hgetall", self.cache.redis_key(filename)) for filename in ordered))
        return dict(zip(ordered, found, strict=True))

    def _pipeline(self, *commands: tuple[Any, ...]) -> list[Any]:
        if not commands:
            return []

        def execute() -> list[Any]:
            # Not a transaction: a cluster has none over several keys, and nothing here relies on one.
            pipe = self.db.pipeline(transaction=False)
            for method, key, *arguments in commands:
                if method == "hset":
                    pipe.hset(key, mapping=dict(zip(arguments[::2], arguments[1::2], strict=True)))
                else:
                    getattr(pipe, method)(key, *arguments)
            return list(pipe.execute())

        return self._call(execute)

    def _call(self, send: Callable[[], T]) -> T:
        """Send commands; once again if the connection is lost, as it may be after Lambda has frozen it.

        Every command can be repeated: a swap that has been made already is reported as a conflict.
        """
        self.check_running()
        try:
            return send()
        except RedisConnectionError:
            self.check_running()
            return send()


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
        """Ignore the lists, which the adapter corrects itself."""


def _is_absent(change: Change) -> bool:
    return change.snapshot.row is None and change.wanted is None


def _flat(values: Mapping[str, str]) -> list[str]:
    return [part for pair in values.items() for part in pair]
