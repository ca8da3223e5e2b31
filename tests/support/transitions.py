"""Enumerate the next steps from a state: of the bucket, the server, the events and the handlers."""

from __future__ import annotations

import datetime
import posixpath
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.packages import StoredObject
from support.handler_steps import Handlers
from support.histories import START
from support.models import Model, Request, Work
from support.state_space import Array, Columns, Layout, Moves, Numbers, Object, Region, expand


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
        self.databases = Numbers()
        self.effects: dict[Any, Any] = {}
        self.is_read = np.zeros(0, bool)

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
            step, database = self.code.start((self.keys[key],)), self._settled(database)
            while step:
                step, database, _ = self._answered(bucket, step << 32 | database)[-1]
        bucket = (*range(first), *bucket[first:])
        return bucket, database, sum(1 << key for key in range(self.existing, first))

    def moves(self, region: Region, places: Array) -> Iterator[Moves]:
        """Yield what can happen next, apart from what makes no difference.

        - If the bucket does not change any more, a read of S3 has the same answer whenever it comes.
        - A handler that crashes before it has written anything is one that has not taken its events yet.
        - Beside the server, only its deletions see that an index lags. Without them, it does not.
        """
        self._look_at_steps()
        columns = Columns(np.arange(len(places), dtype=np.uint64), *self.layout.unpack(places))
        if self.reduced and not region.operations:
            reads = self.is_read[columns.steps]
            first = np.where(reads.any(axis=0), reads.argmax(axis=0), self.handlers)
            for slot in range(self.handlers):
                yield from self._handle(region, columns.of(first == slot), slot)
            columns = columns.of(first == self.handlers)
        yield from self._operate(region, columns)
        yield from self._deliver(region, columns)
        for slot in range(self.handlers):
            yield from self._handle(region, columns, slot)

    def _look_at_steps(self) -> None:
        """Know of each step whether it reads S3, whether its handler has written, and whose events it has."""
        steps = self.code.steps
        self.layout.check(len(self.databases.values), len(steps))
        if len(self.is_read) < len(steps):
            self.is_read = np.array(
                [step.request is not None and step.request[0] == "head" for step in steps]
            )
            self.wrote = np.array([step.wrote for step in steps])
            self.events = np.array([self._events(step.batch) for step in steps], np.uint64)

    def _events(self, keys: tuple[str, ...]) -> int:
        """Return the set of the events of some keys."""
        return sum(1 << self.keys.index(key) for key in keys)

    def _handle(self, region: Region, columns: Columns, slot: int) -> Iterator[Moves]:
        running = columns.of(columns.steps[slot] != 0)
        numbers = running.steps[slot]
        # The answer of S3 does not depend on the database, but a pause may follow in a handler of two files.
        reads = self.is_read[numbers] & (not self.pairs)
        keys = numbers << np.uint64(32) | np.where(reads, np.uint64(0), running.database)
        rows, (following, after, failed) = expand(keys, partial(self._answered, region.bucket), 3)
        then = running.of(rows)
        after = np.where(reads[rows], then.database, after)
        yield self._moves(then, ("asks", slot), region, failed, after, (slot, following))
        if region.crashes:
            then = running.of(self.wrote[numbers])
            crashed, events = region._replace(crashes=region.crashes - 1), self.events[then.steps[slot]]
            yield self._moves(then, ("crashes", slot), crashed, events, then.database, (slot, 0))

    def _answered(self, bucket: tuple[Object, ...], at: int) -> list[tuple[int, int, int]]:
        """Return what may follow a request: the next step, the database, and the events that failed."""
        number, database = at >> 32, at & (1 << 32) - 1
        request = self.code.steps[number].request
        assert request is not None
        if request[0] == "head":
            answers = [(bucket[self.keys.index(str(request[1]))], database)]
        else:
            answers = self._effect(("asks", request), database, partial(self._answers, request))
        return [outcome for answer, after in answers for outcome in self._after(number, answer, after)]

    def _answers(self, request: Request, database: Hashable) -> Iterator[tuple[Hashable, Hashable]]:
        if request[0] != "query":
            yield self.model.answer(request, database)
        elif self.server and not self.late:
            # The server's own index lags behind, but an event takes longer than that to be delivered.
            yield self.model.answer(request, self.model.settled(database))
        else:
            for drifted in (database, *self.model.drift(database)):
                yield self.model.answer(request, drifted)

    def _after(self, number: int, answer: Hashable, database: int) -> Iterator[tuple[int, int, int]]:
        """Yield what may follow an answer; the code that does not count its attempts may always give up."""
        following = self.code.after(number, answer)
        while (request := self.code.steps[following].request) is not None and request[0] == "pause":
            if self.reduced:
                yield 0, database, self._events(self.code.steps[following].conflicts)
            # Nobody sees a pause, only that time passes.
            database = self._settled(database) if self.times and request[1] == 1 else database
            following = self.code.after(following, None)
        end = self.code.steps[following]
        yield (0, database, self._events(end.failed)) if end.request is None else (following, database, 0)

    def _settled(self, database: int) -> int:
        ((_, settled),) = self._effect(
            ("settles",), database, lambda value: [(None, self.model.settled(value))]
        )
        return settled

    def _effect(
        self, cause: Hashable, database: int, effect: Callable[[Any], Iterable[tuple[Hashable, Hashable]]]
    ) -> list[tuple[Any, int]]:
        """Return the answers of the model, each with the number of the database after it."""
        if (cause, database) not in self.effects:
            answers = effect(self.databases.values[database])
            self.effects[cause, database] = [(answer, self.databases.of(after)) for answer, after in answers]
        found: list[tuple[Any, int]] = self.effects[cause, database]
        return found

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
                    yield self._moves(columns, move, then, 1 << key, columns.database)

    def _serve(self, region: Region, columns: Columns) -> Iterator[Moves]:
        assert region.server is not None
        kind, key, number, step = region.server
        work = Work(kind, self.object(self.keys[key], number), self._others(region.bucket, key))

        def serve(database: Any) -> Iterator[tuple[int, Hashable]]:
            for before in (database, *(self.model.drift(database) if kind == "delete" else ())):
                after, following = self.model.serve(work, step, before)
                yield following, after

        cause = region.server, region.bucket
        rows, (next_steps, after) = expand(
            columns.database, lambda database: self._effect(cause, database, serve), 2
        )
        then = columns.of(rows)._replace(database=after)
        for following in np.unique(next_steps[next_steps > 0]):
            more, server = then.of(next_steps == following), (kind, key, number, int(following))
            busy = region._replace(server=server)
            yield self._moves(more, ("the server's", kind, step), busy, 0, more.database)
        yield self._served(("the server's", kind, step), region, then.of(next_steps == 0))
        if region.crashes:
            crashed = region._replace(crashes=region.crashes - 1)
            yield self._served(("the server crashes before", kind, step), crashed, columns)

    def _others(self, bucket: tuple[Object, ...], key: int) -> dict[str, StoredObject]:
        """Return the other objects that have the filename of a key."""
        filename = posixpath.basename(self.keys[key])
        return {
            other: self.object(other, number)
            for other, number in zip(self.keys, bucket, strict=True)
            if number is not None and other != self.keys[key] and posixpath.basename(other) == filename
        }

    def _served(self, kind: tuple[Any, ...], region: Region, then: Columns) -> Moves:
        """Deliver again what was delivered before the server has written the cache."""
        after = then.database
        if region.again and not self.late:
            after = self._all_settled(after)
        following = region._replace(server=None, again=0)
        return self._moves(then, kind, following, region.again, after)

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
            yield self._moves(then, kind, following, 0, then.database, (slots, first))

    def _moves(
        self,
        then: Columns,
        kind: tuple[Any, ...],
        region: Region,
        events: Any,
        database: Array,
        step: tuple[Any, Any] | None = None,
    ) -> Moves:
        """Return moves to a region. Its databases have a lagging index only if a later step can read it."""
        deletes = region.operations or (region.server is not None and region.server[0] == "delete")
        if self.reduced and self.server and not self.late and not deletes:
            database = self._all_settled(database)
        return then.moves(kind, region, self.layout, events, database, step)

    def _all_settled(self, databases: Array) -> Array:
        _, outcomes = expand(databases, lambda database: [(self._settled(database),)], 1)
        settled: Array = outcomes[0]
        return settled
