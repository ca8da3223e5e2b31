"""Enumerate the next steps from a state: of the bucket, the server, the events and the handlers."""

from __future__ import annotations

import datetime
import posixpath
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.packages import StoredObject
from support.answers import Answers
from support.handler_steps import Handlers
from support.histories import START
from support.models import Model, Work
from support.outcome_tables import Table
from support.silent_steps import SilentSteps
from support.state_space import DATABASE_BITS, Array, Columns, Layout, Moves, Object, Region


@dataclass
class Transitions:
    """The transitions in a scope.

    Parameters
    ----------
    model : Model
        The database.
    keys : tuple of str
    names : tuple of str
        The name in the metadata of each key.
    syncer : type of Syncer
        Another class shows which errors the exploration can find.
    operations : int
        The number of uploads and deletions.
    server : bool
        Whether the server makes them, and writes the cache itself. Otherwise S3 replicates them.
    handlers : int
        The handlers that run at the same time.
    crashes : int
        How many handlers or operations of the server may end at any step.
    pairs : bool
        Whether a handler may take the events of both keys.
    existing : int
        How many of the keys have an object and a row at the beginning.
    replicated : int
        How many of the other keys have an object that S3 has replicated, and whose event is pending.
    late : bool
        Whether the index may lag behind for longer than an event takes, although a server writes.
    reduced : bool
        Whether states and orders that make no difference are left out.
    """

    model: Model
    keys: tuple[str, ...]
    names: tuple[str, ...]
    syncer: type[Syncer] = Syncer
    operations: int = 4
    server: bool = True
    handlers: int = 2
    crashes: int = 1
    pairs: bool = False
    existing: int = 0
    replicated: int = 0
    late: bool = False
    reduced: bool = True
    code: Handlers = field(init=False)

    def __post_init__(self) -> None:
        #: Beside the server, an index lags for less time than an event takes, so pauses make no difference.
        self.times = not self.reduced or not self.server or self.late
        self.code = Handlers(self.model, self.object, self.syncer, self.reduced, self.times)
        self.layout = Layout(len(self.keys), self.handlers)
        drifts = not self.server or self.late
        self.answers = Answers(self.model, self.keys, self.code, drifts, self.times, self.reduced)
        self.databases = self.answers.databases
        self.silent = SilentSteps(self.answers.outcomes, self.answers.after_writing, self.reduced)
        self.settling = Table(lambda database: [(self.answers.settled(database),)], 1)
        self.wrote = np.zeros(0, bool)

    def object(self, key: str, number: int) -> StoredObject:
        """Return what an operation has uploaded. Two operations have the same time, in whole seconds."""
        name = self.names[self.keys.index(key)]
        version = key.rpartition("-")[2].removesuffix(".tar.gz")
        metadata = {"name": name, "version": version, "summary": f"s{number}"}
        modified = START + datetime.timedelta(seconds=number // 2)
        return StoredObject(key, f"e{number}", f"v{number}", modified, metadata)

    def beginning(self) -> tuple[tuple[Object, ...], int, int]:
        """Upload some objects, each with a handler for its event or, if it is replicated, a pending event.

        The index shows the last one of the others later.

        Returns
        -------
        tuple
            The bucket, the database and the pending events.
        """
        bucket: tuple[Object, ...] = (None,) * len(self.keys)
        database, first = self.databases.of(self.model.empty), self.existing + self.replicated
        for key in range(self.existing):
            bucket = (*bucket[:key], key, *bucket[key + 1 :])
            step, database = self.code.start((self.keys[key],)), self.answers.settled(database)
            while step:
                step, database, _ = self.answers.outcomes(bucket, step, database)[-1]
        bucket = (*range(first), *bucket[first:])
        return bucket, database, sum(1 << key for key in range(self.existing, first))

    def moves(self, region: Region, places: Array) -> Iterator[Moves]:
        """Yield what can happen next, apart from what makes no difference.

        - A step that nobody else sees is made as late as possible (:mod:`.silent_steps`).
        - If the bucket does not change any more, a read of S3 has the same answer whenever it comes.
        - A handler that crashes before it has written anything is one that has not taken its events yet.
        - Beside the server, only its deletions see that an index lags. Without them, it does not.
        """
        if (region.bucket, not region.operations) != (self.silent.bucket, self.answers.is_last):
            self.answers.is_last = not region.operations
            self.silent.enter(region.bucket)
        self._look_at_steps()
        columns = Columns(np.arange(len(places), dtype=np.uint64), *self.layout.unpack(places))
        yield from self._operate(region, columns)
        yield from self._deliver(region, columns)
        for slot in range(self.handlers):
            yield from self._handle(region, columns, slot)

    def _look_at_steps(self) -> None:
        """Know of each step whether its handler has written, and whose events it has."""
        steps = self.code.steps
        self.layout.check(len(self.databases.values), len(steps))
        if len(self.wrote) < len(steps):
            self.wrote = np.array([step.wrote for step in steps])
            self.events = np.array([self.answers.events(step.batch) for step in steps], np.uint64)

    def _handle(self, region: Region, columns: Columns, slot: int) -> Iterator[Moves]:
        running = columns.of(columns.steps[slot] != 0)
        numbers = running.steps[slot]
        rows, (following, after, failed) = self.silent.outcomes.expand(
            numbers << np.uint64(DATABASE_BITS) | running.database
        )
        kind = "asks", slot
        yield from self._moves(running.of(rows), kind, region, region, failed, after, (slot, following))
        if region.crashes:
            then = running.of(self.wrote[numbers])
            crashed, events = region._replace(crashes=region.crashes - 1), self.events[then.steps[slot]]
            kind = "crashes", slot
            yield from self._moves(then, kind, region, crashed, events, then.database, (slot, 0))

    def _operate(self, region: Region, columns: Columns) -> Iterator[Moves]:
        if region.server is not None:
            yield from self._serve(region, columns)
        elif region.operations:
            number = self.existing + self.replicated + self.operations - region.operations
            for key, current in enumerate(region.bucket):
                for kind in ("put", "delete") if current is not None else ("put",):
                    written = number if kind == "put" else None
                    bucket = (*region.bucket[:key], written, *region.bucket[key + 1 :])
                    server = (kind, key, number if kind == "put" else current, 0) if self.server else None
                    then = Region(region.operations - 1, region.crashes, bucket, server)
                    move = kind, self.keys[key]
                    yield from self._moves(columns, move, region, then, 1 << key, columns.database)

    def _serve(self, region: Region, columns: Columns) -> Iterator[Moves]:
        assert region.server is not None
        kind, key, number, step = region.server
        work = Work(kind, self.object(self.keys[key], number), self._others(region.bucket, key))

        def serve(database: Any) -> Iterator[tuple[int, Hashable]]:
            for before in (database, *(self.model.drift(database) if kind == "delete" else ())):
                after, following = self.model.serve(work, step, before)
                yield following, after

        cause, move = (region.server, region.bucket), ("the server's", kind, step)
        served = Table(lambda database: self.answers.effect(cause, database, serve), 2)
        rows, (steps, after) = served.expand(columns.database)
        then, ends = columns.of(rows), steps == 0
        for following in np.unique(steps[~ends]):
            goes_on, server = steps == following, (kind, key, number, int(following))
            busy = region._replace(server=server)
            yield from self._moves(then.of(goes_on), move, region, busy, 0, after[goes_on])
        yield from self._served(then.of(ends), move, region, region, after[ends])
        if region.crashes:
            crashed = region._replace(crashes=region.crashes - 1)
            move = "the server crashes before", kind, step
            yield from self._served(columns, move, region, crashed, columns.database)

    def _others(self, bucket: tuple[Object, ...], key: int) -> dict[str, StoredObject]:
        """Return the other objects that have the filename of a key."""
        filename = posixpath.basename(self.keys[key])
        return {
            other: self.object(other, number)
            for other, number in zip(self.keys, bucket, strict=True)
            if number is not None and other != self.keys[key] and posixpath.basename(other) == filename
        }

    def _served(
        self, then: Columns, kind: tuple[Any, ...], before: Region, region: Region, after: Array
    ) -> Iterator[Moves]:
        """Deliver again what was delivered before the server has written the cache."""
        if region.again and not self.late:
            after = self._all_settled(after)
        following = region._replace(server=None, again=0)
        return self._moves(then, kind, before, following, region.again, after)

    def _deliver(self, region: Region, columns: Columns) -> Iterator[Moves]:
        numbers = range(len(self.keys))
        batches = [(key,) for key in numbers] + ([tuple(numbers)] if self.pairs else [])
        is_free = columns.steps == 0
        for batch in batches:
            events = np.uint64(sum(1 << key for key in batch))
            then = columns.of(is_free.any(axis=0) & (columns.pending & events == events))
            keys = tuple(self.keys[key] for key in batch)
            first = self.code.start(keys)
            slots = (then.steps == 0).argmax(axis=0)
            again = region.again | (int(events) & 1 << region.server[1] if region.server is not None else 0)
            then = then._replace(pending=then.pending & ~events)
            kind, following = ("a handler takes", *keys), region._replace(again=again)
            yield from self._moves(then, kind, region, following, 0, then.database, (slots, first))

    def _moves(
        self,
        then: Columns,
        kind: tuple[Any, ...],
        before: Region,
        region: Region,
        events: Any,
        database: Array,
        step: tuple[Any, Any] | None = None,
    ) -> Iterator[Moves]:
        """Yield moves to a region. Its databases have a lagging index only if a later step can read it."""
        deletes = region.operations or (region.server is not None and region.server[0] == "delete")
        if self.reduced and self.server and not self.late and not deletes:
            database = self._all_settled(database)
        after = then.after(events, database, step)
        changed = (database != then.database) | (before.bucket != region.bucket)
        yield after.of(~changed).moves(kind, region, self.layout)
        if changed.any():
            others = [slot for slot in range(self.handlers) if step is None or slot != step[0]]
            found = self._overtaken(after.of(changed), then.database[changed], region.bucket, others)
            yield found.moves(kind, region, self.layout)

    def _overtaken(
        self, columns: Columns, before: Array, bucket: tuple[Object, ...], slots: list[int]
    ) -> Columns:
        """Return the places after a change, with all silent steps that others may have made before it."""
        for slot in slots:
            rows, steps = self.silent.overtaken(bucket, columns.steps[slot], before, columns.database)
            columns, before = columns.of(rows), before[rows]
            columns.steps[slot] = steps
        return columns

    def _all_settled(self, databases: Array) -> Array:
        _, outcomes = self.settling.expand(databases)
        settled: Array = outcomes[0]
        return settled
