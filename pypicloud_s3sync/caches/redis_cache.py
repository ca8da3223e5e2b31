"""Adapt a Redis cache: swap a row in one step, then correct the lists and the summary of its name.

pypicloud itself writes a row over the fields that its hash held before, stores the summary of the file that
was saved last, and removes a name from the list if a count that may be outdated is zero. Here a script swaps
the row only if it has not changed since it was read. A cluster can run the script too, because it touches one
key. Lists and summaries are under other keys, which a cluster cannot change in the same step. Therefore a
handler that has written them reads the rows again, until both agree: the last handler to write has then read
the rows after its write, and a handler that changes a row later corrects the lists again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pypicloud.cache.redis_cache import summary_from_package
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ..exceptions import S3SyncError
from .base import CacheAdapter, Change, Result, Results, RowKey, Snapshot, same

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


class RedisAdapter(CacheAdapter):
    """Reads and writes rows, lists and summaries of ``pypicloud.cache.redis_cache.RedisCache``."""

    unreachable = (OSError, RedisConnectionError, RedisTimeoutError)

    @property
    def db(self) -> Any:
        """The Redis client, of a single server or a cluster."""
        return self.cache.db

    def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
        """Return the rows, each with its hash as Redis holds it."""
        hashes = self._hashes([key.filename for key in keys])
        return {filename: Snapshot(self._load(found), found) for filename, found in hashes.items()}

    def write(self, changes: Sequence[Change]) -> Results:
        """Swap the rows, then correct the lists of every name that they have or had."""
        results = {change.filename: self._swap(change) for change in changes}
        by_name: dict[str, set[str]] = {}
        for change in changes:
            # Even without a swap: this may be the retry of a handler that died between the two steps.
            for name in _names(change):
                by_name.setdefault(name, set()).add(change.filename)
        for name, filenames in by_name.items():
            self._correct_name(name, filenames)
        return results

    def _swap(self, change: Change) -> Result:
        if same(change.snapshot.row, change.wanted):
            return Result.UNCHANGED
        wanted = {} if change.wanted is None else self._dump(change.wanted)
        arguments = [len(change.snapshot.raw), *_flat(change.snapshot.raw), *_flat(wanted)]
        swapped = self.db.eval(SWAP, 1, self.cache.redis_key(change.filename), *arguments)
        return Result.WRITTEN if swapped else Result.CONFLICT

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
            listed = self.db.smembers(self.cache.redis_filename_set(name))
            candidates |= listed
            loaded = {filename: self._load(found) for filename, found in self._hashes(candidates).items()}
            rows = {filename: row for filename, row in loaded.items() if row and row.name == name}
            if not self._write_lists(name, listed, rows):
                return
        raise S3SyncError(f"the rows of {name} kept changing: the next retry corrects its lists")

    def _write_lists(self, name: str, listed: set[str], rows: Mapping[str, Any]) -> bool:
        """Correct what does not follow from the rows; return whether anything was wrong."""
        newest = max(rows.values(), key=lambda row: (row.last_modified, row.filename), default=None)
        summary = {} if newest is None else self._summary_of(newest)
        named, found = self._pipeline(
            ("sismember", self.cache.redis_set, name), ("hgetall", self.cache.redis_summary_key(name))
        )
        files = self.cache.redis_filename_set(name)
        writes: list[tuple[Any, ...]] = []
        if rows.keys() - listed:
            writes.append(("sadd", files, *sorted(rows.keys() - listed)))
        if listed - rows.keys():
            writes.append(("srem", files, *sorted(listed - rows.keys())))
        if bool(named) != bool(rows):
            writes.append(("sadd" if rows else "srem", self.cache.redis_set, name))
        if found != summary:
            change = ("hset", *_flat(summary)) if summary else ("delete",)
            writes.append((change[0], self.cache.redis_summary_key(name), *change[1:]))
        if writes:
            self._pipeline(*writes)
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
        # Not a transaction: a cluster has none over several keys, and nothing here relies on one.
        pipe = self.db.pipeline(transaction=False)
        for method, key, *arguments in commands:
            if method == "hset":
                pipe.hset(key, mapping=dict(zip(arguments[::2], arguments[1::2], strict=True)))
            else:
                getattr(pipe, method)(key, *arguments)
        return list(pipe.execute())


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


def _names(change: Change) -> set[str]:
    """Return the names whose lists may contain the row; the name of a deleted row can only be guessed."""
    names = {row.name for row in (change.snapshot.row, change.wanted) if row is not None}
    return names or {name for name in (change.key.name,) if name}


def _flat(values: Mapping[str, str]) -> list[str]:
    return [part for pair in values.items() for part in pair]
