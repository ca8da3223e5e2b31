"""Reconcile a cache with its bucket in short steps, each of which continues where the one before ended.

The function works only for minutes, and keeps nothing between two invocations. Therefore it does not list
both sides and compare them, but makes up to three passes, whose state fits into a message:

- ``bucket``: page by page of the bucket, the rows of the same filenames are read, and what differs is
  converged. Rows that agree are counted.
- ``count``: all rows are counted, which DynamoDB does in many steps;
- ``rows``: only if the cache has more rows than the first pass, the objects of its rows are looked at, name
  by name, until as many rows without an object were found.

An unchanged bucket costs its listing and a read of each row. Only a filename with several keys is looked at
in any case, if they are not on the same page. Summaries of names of which no row differs are not checked.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..caches.base import RowKey, Snapshot
from ..exceptions import EventError, S3SyncError
from ..sync.converge import Syncer
from ..sync.filenames import guess_name
from ..sync.pending import Outcome
from .bucket import listed_objects
from .differences import differences, key_of
from .models import Difference, Kind, ListedObject, ListedRow, a_tenth
from .scans import scan_of
from .scans.base import Scan, read_rows, row_of

BUCKET, COUNT, ROWS, DONE = "bucket", "count", "rows", "done"
#: The most keys of one step, and of one step if there is little time.
PAGE, SHORT_PAGE = 1000, 100
#: Keys that may fail in one invocation, or before they are handed over: an answer has at most 6 MB.
#: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_FAILED = 1000
#: Seconds that a long step may take; with less time, the steps are short.
LONG = 30


@dataclass(frozen=True)
class State:
    """How far a reconciliation is, and what it has done.

    Parameters
    ----------
    phase : str
        ``bucket``, ``count``, ``rows`` or ``done``.
    cursor : str
        The last key, filename or name that was looked at.
    objects : int
        The number of objects that were listed.
    agreeing : int
        The number of rows whose object was listed.
    rows : int
        The number of rows that were counted after the first pass.
    added, repaired, deleted : int
        The number of rows that were added, corrected and deleted.
    kept : int
        The number of rows without an object, if there are too many to be deleted.
    failed : int
        The number of keys that could not be converged.
    """

    phase: str = BUCKET
    cursor: str = ""
    objects: int = 0
    agreeing: int = 0
    rows: int = 0
    added: int = 0
    repaired: int = 0
    deleted: int = 0
    kept: int = 0
    failed: int = 0

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> State:
        """Return the state in a document.

        Raises
        ------
        EventError
            The document is no state.
        """
        try:
            state = cls(**document)
        except TypeError:
            raise EventError("the request to reconcile has unknown fields: run ppc-s3sync enable") from None
        for name, value in asdict(state).items():
            if type(value) is not type(getattr(cls, name)):
                raise EventError(f"the request to reconcile has no valid {name}: run ppc-s3sync enable")
        if state.phase not in (BUCKET, COUNT, ROWS, DONE):
            raise EventError("the request to reconcile has no valid phase: run ppc-s3sync enable")
        return state

    def document(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return asdict(self)


@dataclass
class Pass:
    """The steps of one invocation.

    ``failed`` has the error of each key that could not be converged. If there are many, ``hand_over`` takes
    them, and empties it; without it, the invocation ends.
    """

    syncer: Syncer
    s3: Any
    state: State
    failed: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    hand_over: Callable[[dict[str, str]], None] | None = None

    def __post_init__(self) -> None:
        if self.syncer.bucket is None:
            raise S3SyncError("no bucket is set: run ppc-s3sync enable")
        self._bucket: str = self.syncer.bucket
        self._scan: Scan = _scan_of(self.syncer.adapter)

    def run(self, seconds: float | None = None) -> State:
        """Make steps until everything is done, or the next step might not end in time.

        Parameters
        ----------
        seconds : float, optional
            The time that is left. At least one step is made in any case.
        """
        deadline = float("inf") if seconds is None else self.clock() + seconds
        longest = 0.0
        while self.state.phase != DONE:
            begun = self.clock()
            if longest and begun + 2 * longest > deadline:
                break
            size = PAGE if deadline - begun >= LONG else SHORT_PAGE
            self.state = self._step(size)
            longest = max(longest, self.clock() - begun)
            if len(self.failed) >= MOST_FAILED:
                if self.hand_over is None:
                    break
                self.hand_over(self.failed)
        self.state = replace(self.state, failed=self.state.failed + len(self.failed))
        return self.state

    def _step(self, size: int) -> State:
        if self.state.phase == BUCKET:
            return self._step_of_bucket(size)
        return self._count(self.state) if self.state.phase == COUNT else self._step_of_rows(size)

    def _step_of_bucket(self, size: int) -> State:
        state = self.state
        start = {"StartAfter": state.cursor} if state.cursor else {}
        prefix = self.syncer.prefix
        page = self.s3.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=size, **start)
        listed = page.get("Contents", [])
        found = listed_objects(listed, prefix)
        rows = self._rows_of(found)
        different = list(differences(sorted(found), sorted(rows.values()), prefix))
        outcomes = self._converge(different)
        keys = {stored.key for stored in found}
        agreeing = {row.filename for row in rows.values() if row.key in keys}
        saved = {item.filename for item in different if _saved(outcomes, item)}
        # An object may have been looked at for nothing, or an event may have been faster.
        written = [item.kind for item in different if any(found.written for found in _saved(outcomes, item))]
        added = written.count(Kind.MISSING)
        state = replace(
            state,
            objects=state.objects + len(found),
            agreeing=state.agreeing + len(agreeing | saved),
            added=state.added + added,
            repaired=state.repaired + len(written) - added,
        )
        if page.get("IsTruncated"):
            return replace(state, cursor=listed[-1]["Key"])
        return self._count(replace(state, phase=COUNT, cursor=""))

    def _count(self, state: State) -> State:
        """Count rows; after the last ones, everything is done unless there are rows that were not seen."""
        found = self._scan.count_from(state.cursor)
        if found is None:
            return replace(state, phase=DONE, rows=state.agreeing)
        rows, cursor = state.rows + found[0], found[1]
        state = replace(state, rows=rows, cursor=cursor)
        if cursor:
            return state
        surplus = rows - state.agreeing
        if surplus <= 0:
            return replace(state, phase=DONE)
        if surplus > a_tenth(rows):
            return replace(state, phase=DONE, kept=surplus)
        return replace(state, phase=ROWS)

    def _step_of_rows(self, size: int) -> State:
        state = self.state
        names = sorted(name for name in self._scan.list_names() if name > state.cursor)
        rows: list[ListedRow] = []
        for name in names:
            for part in self._scan.rows([name]):
                rows += part
            state = replace(state, cursor=name)
            if len(rows) >= size:
                break
        else:
            state = replace(state, phase=DONE)
        looked_at = [
            Difference(Kind.GONE, row.filename, (key_of(row, self.syncer.prefix),), row.name) for row in rows
        ]
        outcomes = self._converge(looked_at)
        deleted = sum(
            isinstance(outcome, Outcome) and outcome.action == "cleared" for outcome in outcomes.values()
        )
        state = replace(state, deleted=state.deleted + deleted)
        if state.deleted >= state.rows - state.agreeing:
            return replace(state, phase=DONE)
        return state

    def _rows_of(self, found: Sequence[ListedObject]) -> dict[str, ListedRow]:
        """Return the rows of the filenames in a page of the bucket."""
        filenames = {stored.filename for stored in found}
        if not filenames:
            return {}
        keys = [RowKey(name, guess_name(name)) for name in sorted(filenames)]
        # A row that cannot be read looks missing: its error is that of the attempt to repair it.
        return {
            filename: row_of(found.row)
            for filename, found in read_rows(self.syncer.adapter, keys).items()
            if isinstance(found, Snapshot) and found.row is not None
        }

    def _converge(self, different: Iterable[Difference]) -> Mapping[str, Outcome | Exception]:
        keys = [key for item in different for key in item.keys]
        outcomes = self.syncer.converge(self._bucket, keys) if keys else {}
        for key, outcome in outcomes.items():
            if isinstance(outcome, Exception):
                self.failed[key] = f"{type(outcome).__name__}: {outcome}"
        return outcomes


#: A scan adds handlers to the client of its adapter, which the function keeps between its invocations.
_scan_of = functools.lru_cache(maxsize=1)(scan_of)


def _saved(outcomes: Mapping[str, Outcome | Exception], difference: Difference) -> list[Outcome]:
    """Return the outcomes of a difference whose row is right now."""
    found = (outcomes[key] for key in difference.keys)
    return [outcome for outcome in found if isinstance(outcome, Outcome) and outcome.action == "saved"]
