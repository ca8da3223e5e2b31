"""Make the cache say what S3 holds, key by key.

S3 delivers events at least once, late and in any order, so :meth:`Syncer.converge` believes none of them:
it looks at the keys in S3, makes the cache say what it saw, and looks again. The second look is what makes
it safe beside other handlers of the same keys: whoever writes the cache last has looked at S3 after that
write, and any later change in S3 brings an event of its own. S3 has been strongly consistent since 2020:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel

The cache has one row for a filename, and one filename can lie under two keys. The row is then that of the
newest object, and remembers the other keys in its ``data``: they are looked at with it, so whatever order the
events come in, the outcome is the same, and where the newest one is deleted, the next one takes its place.
"""

from __future__ import annotations

import posixpath
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..caches.base import CacheIndex, Change, Result, Seen, Subject
from ..exceptions import S3SyncError
from .objects import Look, Looks
from .packages import guess_name, to_package

#: Seconds between the tries at a key that other handlers are changing too, or whose index lags behind; after
#: the last one, its event is left to Lambda's own retry.
PAUSES = (0.1, 0.3, 0.9, 1, 1, 1, 1, 1)
#: Where a row remembers the other keys of its filename that are live.
OTHER_KEYS = "other_paths"


@dataclass(frozen=True)
class Outcome:
    """What became of one key.

    Parameters
    ----------
    action : str
        ``saved``, ``cleared`` or ``ignored``.
    name : str
        The filename that was saved or cleared, the key that was ignored.
    """

    action: str
    name: str


@dataclass
class _Case:
    """One filename on its way: the keys that were asked for, and what was seen of all that it has."""

    filename: str
    asked: list[str] = field(default_factory=list)
    looks: dict[str, Look] = field(default_factory=dict)
    live: list[Any] = field(default_factory=list)
    seen: Seen | None = None
    wanted: Any | None = None
    done: bool = False
    error: Exception | None = None

    @property
    def is_open(self) -> bool:
        return not self.done and self.error is None


class Syncer:
    """Converges a cache on a bucket.

    Parameters
    ----------
    looks : Looks
        At S3.
    index : CacheIndex
        The cache, as it is read and written here.
    bucket : str or None
        The only bucket whose keys are looked at; None for any, as for a function that was built by hand.
    prefix : str
        ``storage.prefix``: keys elsewhere are none of ours.
    pause : callable, optional
        Waits for some seconds, between two tries.
    """

    def __init__(
        self,
        looks: Looks,
        index: CacheIndex,
        bucket: str | None,
        prefix: str = "",
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self.looks = looks
        self.index = index
        self.bucket = bucket
        self.prefix = prefix
        self.pause = pause or _sleep

    def converge(self, bucket: str, keys: Iterable[str]) -> dict[str, Outcome | Exception]:
        """Make the cache say what S3 holds under each of the keys; one that fails stops no other.

        Returns
        -------
        dict
            By key, what became of it, or the error: whatever S3 or the cache raise, since nothing but a 404
            of S3 means that an object is absent; S3SyncError where its object or row kept changing.
        """
        outcomes: dict[str, Outcome | Exception] = {}
        cases: dict[str, _Case] = {}
        for key in keys:
            if not self._is_ours(bucket, key):
                outcomes[key] = Outcome("ignored", key)
                continue
            filename = posixpath.basename(key)
            cases.setdefault(filename, _Case(filename)).asked.append(key)
        self._settle(bucket, list(cases.values()))
        for case in cases.values():
            outcomes |= {key: case.error or self._outcome(case, key) for key in case.asked}
        return outcomes

    def _is_ours(self, bucket: str, key: str) -> bool:
        return self.bucket in (None, bucket) and key.startswith(self.prefix) and not key.endswith("/")

    def _settle(self, bucket: str, cases: list[_Case]) -> None:
        self._look(bucket, [(case, key) for case in cases for key in case.asked])
        for turn, pause in enumerate((*PAUSES, None)):
            results = self._try(bucket, cases, turn)
            self._look_again(bucket, [case for case in cases if results.get(case.filename) is Result.WRITTEN])
            cases = [case for case in cases if case.is_open]
            if not cases:
                return
            lost = [case for case in cases if results.get(case.filename) is Result.LOST]
            if lost and pause is not None:
                self.pause(pause)
                self._look(bucket, [(case, key) for case in lost for key in case.looks])
        for case in cases:
            case.error = S3SyncError(
                f"s3://{bucket}/{case.asked[0]} or its row changed at each of {turn + 1} looks: "
                "it is left to the next event"
            )

    def _try(self, bucket: str, cases: list[_Case], turn: int) -> Mapping[str, Result]:
        """Read the rows, look at the other keys that they name, and write what is to be."""
        cases = [case for case in cases if case.is_open]
        self._build(cases)
        subjects = {case.filename: _subject(case) for case in cases}
        self._each(cases, lambda some: self.index.read([subjects[case.filename] for case in some]), _take_row)
        others = [(case, key) for case in cases for key in _keys_of(case.seen) if key not in case.looks]
        self._look(bucket, others)
        self._build(case for case, _ in others)
        for case in cases:
            if case.is_open:
                case.wanted = _wanted(case)
        results: dict[str, Result] = {}

        def write(some: list[_Case]) -> Mapping[str, Result | Exception]:
            changes = [Change(subjects[c.filename], c.seen or Seen(None), c.wanted, turn) for c in some]
            return self.index.write(changes)

        def take(case: _Case, result: Any) -> None:
            results[case.filename] = result
            case.done = result is Result.UNCHANGED

        self._each([case for case in cases if case.is_open], write, take)
        return results

    def _each(
        self,
        cases: list[_Case],
        call: Callable[[list[_Case]], Mapping[str, Any]],
        take: Callable[[_Case, Any], None],
    ) -> None:
        """Call for all of the cases at once; where that fails, for each alone, to know whose fault it is."""
        if not cases:
            return
        try:
            results = call(cases)
        except Exception as error:
            if len(cases) > 1 and not isinstance(error, self.index.unreachable):
                for case in cases:
                    self._each([case], call, take)
                return
            results = {case.filename: error for case in cases}
        for case in cases:
            result = results[case.filename]
            if isinstance(result, Exception):
                case.error = result
            else:
                take(case, result)

    def _build(self, cases: Iterable[_Case]) -> None:
        """Make the packages under the filenames' keys, the newest first."""
        for case in cases:
            stored = [look for look in case.looks.values() if look is not None]
            stored.sort(key=lambda look: (look.last_modified, look.key), reverse=True)
            packages = [to_package(look, self.index.cache.new_package) for look in stored]
            case.live = [package for package in packages if package is not None]

    def _outcome(self, case: _Case, key: str) -> Outcome:
        wanted, row = case.wanted, None if case.seen is None else case.seen.row
        if wanted is None:
            return Outcome("cleared", case.filename) if case.looks[key] is None else Outcome("ignored", key)
        replaced = case.looks[key] is None and row is not None and row.data.get("path") == key
        if wanted.data["path"] == key or replaced:
            return Outcome("saved", case.filename)
        return Outcome("ignored", key)

    def _look_again(self, bucket: str, written: list[_Case]) -> None:
        """The second look: a case is done where S3 still says what was written."""
        before = {case.filename: dict(case.looks) for case in written}
        self._look(bucket, [(case, key) for case in written for key in case.looks])
        for case in written:
            case.done = case.looks == before[case.filename]

    def _look(self, bucket: str, wanted: list[tuple[_Case, str]]) -> None:
        for (case, key), found in zip(wanted, self.looks.at(bucket, [key for _, key in wanted]), strict=True):
            if isinstance(found, Exception):
                case.error = found
            else:
                case.looks[key] = found


def _subject(case: _Case) -> Subject:
    return Subject(case.filename, case.live[0].name if case.live else guess_name(case.filename))


def _wanted(case: _Case) -> Any | None:
    """The row that the cache is to have: the newest object's, with the keys of the others."""
    if not case.live:
        return None
    newest, *others = case.live
    if others:
        newest.data = {**newest.data, OTHER_KEYS: sorted(package.data["path"] for package in others)}
    return newest


def _take_row(case: _Case, seen: Seen) -> None:
    case.seen = seen


def _keys_of(seen: Seen | None) -> list[str]:
    """The keys that a row speaks of; rows of old versions of pypicloud have no path."""
    if seen is None or seen.row is None:
        return []
    path = seen.row.data.get("path")
    return [*([path] if path else []), *seen.row.data.get(OTHER_KEYS, [])]


def _sleep(seconds: float) -> None:
    """Wait, but never as long as the handler beside this one."""
    time.sleep(seconds * random.uniform(0.5, 1))  # noqa: S311 - spreads, keeps no secret
