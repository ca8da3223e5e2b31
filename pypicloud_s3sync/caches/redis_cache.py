"""A Redis cache: a row is swapped in one step, then its name's lists and summary are settled.

pypicloud writes a row over what its hash held before, the summary of whichever file came last, and takes a
name off the list when a count that may be old is zero. Here a script swaps the row only while it is as it was
read; a cluster runs it too, since it touches one key. Lists and summaries lie under other keys, which a
cluster can't change in the same step: so whoever writes them reads the rows again afterwards, until they
agree. The last one to write has then looked after its write, and whoever changes a row later settles it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pypicloud.cache.redis_cache import summary_from_package
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

from ..exceptions import S3SyncError
from .base import CacheIndex, Change, Result, Results, Seen, Subject, same

#: Replace a hash by another one, or by nothing, where it is as expected: the number of its fields, each with
#: its value, and the new ones. Compared as Redis has them, so no field of a row is forgotten.
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
#: How often a name's rows may change while its lists are settled, before its event is left to a retry.
ROUNDS = 20


class RedisIndex(CacheIndex):
    """Rows, lists and summaries of ``pypicloud.cache.redis_cache.RedisCache``, single or clustered."""

    unreachable = (OSError, NoConnection, NoAnswer)

    @property
    def db(self) -> Any:
        """The Redis client."""
        return self.cache.db

    def read(self, subjects: Sequence[Subject]) -> Mapping[str, Seen | Exception]:
        """The rows, each with its hash as Redis has it."""
        hashes = self._hashes([subject.filename for subject in subjects])
        return {filename: Seen(self._load(found), found) for filename, found in hashes.items()}

    def write(self, changes: Sequence[Change]) -> Results:
        """Swap the rows, then settle each name that had one of them once."""
        results = {change.filename: self._swap(change) for change in changes}
        by_name: dict[str, set[str]] = {}
        for change in changes:
            # Also where nothing was swapped: a handler may have died between the two, and this is the retry.
            for name in _names(change):
                by_name.setdefault(name, set()).add(change.filename)
        for name, filenames in by_name.items():
            self._settle(name, filenames)
        return results

    def _swap(self, change: Change) -> Result:
        if same(change.seen.row, change.wanted):
            return Result.UNCHANGED
        wanted = {} if change.wanted is None else self._dump(change.wanted)
        arguments = [len(change.seen.beside), *_flat(change.seen.beside), *_flat(wanted)]
        swapped = self.db.eval(SWAP, 1, self.cache.redis_key(change.filename), *arguments)
        return Result.WRITTEN if swapped else Result.LOST

    def _settle(self, name: str, filenames: set[str]) -> None:
        """Make a name's list of files, its place in the list of names and its summary say what its rows say.

        Parameters
        ----------
        filenames : set of str
            Rows that may be there and not on the list: those that were just swapped.
        """
        suspects = set(filenames)
        for _ in range(ROUNDS):
            listed = self.db.smembers(self.cache.redis_filename_set(name))
            suspects |= listed
            loaded = {filename: self._load(found) for filename, found in self._hashes(suspects).items()}
            rows = {filename: row for filename, row in loaded.items() if row and row.name == name}
            if not self._correct(name, listed, rows):
                return
        raise S3SyncError(f"the rows of {name} kept changing: its event is left to a retry")

    def _correct(self, name: str, listed: set[str], rows: Mapping[str, Any]) -> bool:
        """Write what the rows say where it is not so; whether anything was."""
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
        """A row's hash as pypicloud would write it."""
        recorder = _Recorder()
        self.cache.save(package, pipe=recorder, save_summary=False)
        return recorder.hashes[self.cache.redis_key(package.filename)]

    def _load(self, found: Mapping[str, str]) -> Any | None:
        # pypicloud's own takes the fields out of the dict that it is given.
        return self.cache._load(dict(found)) if found else None

    def _hashes(self, filenames: Iterable[str]) -> dict[str, dict[str, str]]:
        ordered = sorted(filenames)
        found = self._pipeline(*(("hgetall", self.cache.redis_key(filename)) for filename in ordered))
        return dict(zip(ordered, found, strict=True))

    def _pipeline(self, *commands: tuple[Any, ...]) -> list[Any]:
        # Not as a transaction: a cluster has none over several keys, and nothing here relies on one.
        pipe = self.db.pipeline(transaction=False)
        for method, key, *arguments in commands:
            if method == "hset":
                pipe.hset(key, mapping=dict(zip(arguments[::2], arguments[1::2], strict=True)))
            else:
                getattr(pipe, method)(key, *arguments)
        return list(pipe.execute())


class _Recorder:
    """Takes down what pypicloud would send in a pipeline: its serialization is its own business."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, str]] = {}

    def hmset(self, key: str, values: Mapping[str, Any]) -> None:
        # Redis has strings only, and reads back a float as its repr.
        self.hashes[key] = {
            field: value if isinstance(value, str) else repr(value) for field, value in values.items()
        }

    def sadd(self, key: str, *values: str) -> None:
        """The lists are settled by the index."""


def _names(change: Change) -> set[str]:
    """The names whose lists may speak of the row: a deleted one's can only be guessed."""
    names = {row.name for row in (change.seen.row, change.wanted) if row is not None}
    return names or {name for name in (change.subject.name,) if name}


def _flat(values: Mapping[str, str]) -> list[str]:
    return [part for pair in values.items() for part in pair]
