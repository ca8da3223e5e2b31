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
from dataclasses import dataclass, field, replace
from typing import Any

from ..caches.base import RowKey, Snapshot
from ..exceptions import S3SyncError
from ..sync.converge import Syncer
from ..sync.filenames import guess_name
from ..sync.pending import Outcome, PendingFile
from .bucket import list_page
from .differences import differences, key_of
from .known_objects import KnownObjects
from .learning import unspelled
from .models import Difference, Kind, Known, ListedObject, ListedRow, a_tenth
from .scans import scan_of
from .scans.base import Scan, read_rows, row_of
from .state import BUCKET, COUNT, DONE, ROWS, State

#: The most keys of one step, and of one step if there is little time.
PAGE, SHORT_PAGE = 1000, 100
#: Keys that may fail in one invocation, or before they are handed over: an answer has at most 6 MB.
#: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_FAILED = 1000
#: Seconds that a long step may take; with less time, the steps are short.
LONG = 30


@dataclass
class Pass:
    """The steps of one invocation.

    ``failed`` has the error of each key that could not be converged. If there are many, ``hand_over`` takes
    them, and empties it; without it, the invocation ends. ``known`` is what earlier invocations have read.
    """

    syncer: Syncer
    s3: Any
    state: State
    failed: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    hand_over: Callable[[dict[str, str]], None] | None = None
    known: KnownObjects = field(default_factory=KnownObjects)

    def __post_init__(self) -> None:
        syncer = self.syncer
        if syncer.bucket is None:
            raise S3SyncError("no bucket is set: run ppc-s3sync enable")
        self.bucket: str = syncer.bucket
        self._scan: Scan = _scan_of(syncer.adapter)
        self._learned: list[tuple[Known, int]] = []
        # The function keeps its syncer, which also converges events.
        self._syncer = syncer.variant(settled=self._learn)

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
        prefix = self.syncer.prefix
        page, cursor = list_page(self.s3, self.bucket, prefix, state.cursor, size)
        known = {it.key: it for it in self.known.of_page(page)}
        found = [stored._replace(known=known.get(stored.key)) for stored in page.objects]
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
        if cursor:
            return replace(state, cursor=cursor)
        self.known.end()
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
        outcomes = self._syncer.converge(self.bucket, keys) if keys else {}
        self.known.add(self._learned)
        self._learned.clear()
        for key, outcome in outcomes.items():
            if isinstance(outcome, Exception):
                self.failed[key] = f"{type(outcome).__name__}: {outcome}"
        return outcomes

    def _learn(self, file: PendingFile) -> None:
        """Note what only the metadata of a file's objects says."""
        self._learned += unspelled(file)


#: A scan adds handlers to the client of its adapter, which the function keeps between its invocations.
_scan_of = functools.lru_cache(maxsize=1)(scan_of)


def _saved(outcomes: Mapping[str, Outcome | Exception], difference: Difference) -> list[Outcome]:
    """Return the outcomes of a difference whose row is right now."""
    found = (outcomes[key] for key in difference.keys)
    return [outcome for outcome in found if isinstance(outcome, Outcome) and outcome.action == "saved"]
