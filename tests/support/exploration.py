"""Enumerate every interleaving of handlers and a server on a small bucket, with models of the databases.

Random histories are samples. This is a proof for a small scope: every order of the steps of the handlers and
a server, with crashes at each step, over two keys and a few operations.

The handlers run the real code. A handler is deterministic, so its next request follows from the answers that
it has had. The code is run once for each such list of answers, and never while the interleavings are
enumerated: a state is a value, and so is its hash. Two orders that lead to the same values are explored once.

The assumptions are those of the documentation:

- S3 is strongly consistent, and sends at least one event for each change. It may be taken at any time. If it
  is taken before the server has written the cache itself, it is taken again afterwards.
- An index of DynamoDB lags behind for less time than four pauses of a handler. With the server, it lags for
  less time than an event takes: what the server counts may be outdated, but not what a handler queries.
- Not explored is a server that writes one filename under two keys, which takes a read and a write of its row.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from pypicloud_s3sync.sync.packages import StoredObject
from support.histories import BUCKET, START, SequentialPool
from support.models import WRITES, Model, Request
from support.states import State, expected

#: The key, the number of the operation that wrote it.
Object = int | None


class Asked(BaseException):
    """Interrupts a handler that makes a request for which there is no answer yet."""

    def __init__(self, request: Request) -> None:
        self.request = request


class Tape:
    """Answers the requests of a handler from a list, and interrupts it after the last one."""

    def __init__(self) -> None:
        self.answers: tuple[Hashable, ...] = ()
        self.position = 0

    def __call__(self, *request: Hashable) -> Any:
        if self.position == len(self.answers):
            raise Asked(request)
        self.position += 1
        return self.answers[self.position - 1]


class Step:
    """A handler after some answers: its next request, or its end.

    Attributes
    ----------
    request : tuple or None
        None if the handler has ended.
    failed : tuple of str
        The keys that failed.
    wrote : bool
        Whether it has sent a request that writes.
    """

    def __init__(self, request: Request | None, failed: tuple[str, ...] = (), wrote: bool = False) -> None:
        self.request = request
        self.failed = failed
        self.wrote = wrote
        self.next: dict[Hashable, int] = {}


class Handlers:
    """Every handler that there can be, as a graph of steps."""

    def __init__(
        self, model: Model, objects: Callable[[str, int], StoredObject], syncer: type[Syncer]
    ) -> None:
        self.tape = Tape()
        self.objects = objects
        reader = ObjectReader(self)
        reader.pool = SequentialPool()
        adapter = model.adapter(self.tape)
        self.syncer = syncer(reader, adapter, BUCKET, pause=lambda seconds: self.tape("pause", seconds))
        self.steps: list[Step] = []
        self.histories: list[tuple[tuple[str, ...], tuple[Hashable, ...]]] = []
        self.started: dict[tuple[str, ...], int] = {}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        """Answer as boto3's client does."""
        number = self.tape("head", Key)
        if number is None:
            answer: Any = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(answer, "HeadObject")
        stored = self.objects(Key, number)
        return {
            "ETag": stored.etag,
            "VersionId": stored.version_id,
            "LastModified": stored.last_modified,
            "Metadata": dict(stored.metadata),
        }

    def start(self, batch: tuple[str, ...]) -> int:
        """Return the first step of a handler of some keys."""
        if batch not in self.started:
            self.started[batch] = self._run(batch, ())
        return self.started[batch]

    def after(self, number: int, answer: Hashable) -> int:
        """Return the step that follows an answer."""
        step = self.steps[number]
        if answer not in step.next:
            batch, answers = self.histories[number]
            wrote = step.wrote or (step.request is not None and step.request[0] in WRITES)
            step.next[answer] = self._run(batch, (*answers, answer), wrote)
        return step.next[answer]

    def _run(self, batch: tuple[str, ...], answers: tuple[Hashable, ...], wrote: bool = False) -> int:
        self.tape.answers, self.tape.position = answers, 0
        try:
            outcomes = self.syncer.converge(BUCKET, batch)
        except Asked as asked:
            step = Step(asked.request, wrote=wrote)
        else:
            failed = tuple(key for key, outcome in outcomes.items() if isinstance(outcome, Exception))
            step = Step(None, failed, wrote)
        self.steps.append(step)
        self.histories.append((batch, answers))
        return len(self.steps) - 1


@dataclass(frozen=True)
class World:
    """A state of everything.

    Parameters
    ----------
    bucket : tuple
        The number of the operation that wrote each key, or None.
    database : object
        The model's state.
    pending : tuple of int
        The events of each key that have not been taken.
    handlers : tuple
        The step, the batch and the batch's first events of each running handler, in any order.
    server : tuple or None
        What the server is doing: the operation, the key, the number of the upload, and that of its next step.
    again : frozenset of int
        The keys whose events have been taken before the server has written the cache.
    operations, crashes : int
        How many are left.
    """

    bucket: tuple[Object, ...]
    database: Hashable
    pending: tuple[int, ...]
    handlers: tuple[tuple[int, tuple[int, ...]], ...] = ()
    server: tuple[Any, ...] | None = None
    again: frozenset[int] = frozenset()
    operations: int = 0
    crashes: int = 0


@dataclass(frozen=True)
class Result:
    """What an exploration has found.

    Parameters
    ----------
    states : int
        The number of states.
    at_rest : int
        How many of them are at rest: no event is pending, and nothing runs. Each was compared.
    handlers : int
        The number of different steps of the handlers, each of which was run.
    counterexample : tuple of str
        The moves that lead to a cache that does not match the bucket; empty if there are none.
    """

    states: int
    at_rest: int
    handlers: int
    counterexample: tuple[str, ...] = ()


@dataclass
class Exploration:
    """All interleavings in a scope.

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
    code: Handlers = field(init=False)

    def __post_init__(self) -> None:
        self.code = Handlers(self.model, self.object, self.syncer)
        self.effects: dict[Any, Any] = {}
        self.right: dict[Any, bool] = {}

    def object(self, key: str, number: int) -> StoredObject:
        """Return what an operation has uploaded. Two operations have the same time, in whole seconds."""
        name = self.names[self.keys.index(key)]
        version = key.rpartition("-")[2].removesuffix(".tar.gz")
        metadata = {"name": name, "version": version, "summary": f"s{number}"}
        modified = START + datetime.timedelta(seconds=number // 2)
        return StoredObject(key, f"e{number}", f"v{number}", modified, metadata)

    def run(self, limit: int = 10_000_000) -> Result:
        """Explore, the shortest histories first; stop at the first counterexample."""
        first = World(
            bucket=(None,) * len(self.keys),
            database=self.model.empty,
            pending=(0,) * len(self.keys),
            operations=self.operations,
            crashes=self.crashes,
        )
        seen: dict[World, tuple[World, str] | None] = {first: None}
        frontier, at_rest = [first], 0
        while frontier:
            found: list[World] = []
            for world in frontier:
                if not world.handlers and not any(world.pending) and world.server is None:
                    at_rest += 1
                    if not self._is_right(world):
                        return self._result(seen, at_rest, world)
                for move, following in self._moves(world):
                    if following not in seen:
                        seen[following] = (world, move)
                        found.append(following)
                assert len(seen) < limit, "the scope is too large"
            frontier = found
        return self._result(seen, at_rest)

    def _result(self, seen: dict[World, Any], at_rest: int, wrong: World | None = None) -> Result:
        moves: list[str] = []
        while wrong is not None and seen[wrong] is not None:
            wrong, move = seen[wrong]
            moves.append(move)
        return Result(len(seen), at_rest, len(self.code.steps), tuple(reversed(moves)))

    def _is_right(self, world: World) -> bool:
        place = world.bucket, world.database
        if place not in self.right:
            live = [
                self.object(key, number)
                for key, number in zip(self.keys, world.bucket, strict=True)
                if number is not None
            ]
            self.right[place] = _whole_seconds(self.model.state(world.database)) == expected(live)
        return self.right[place]

    def _moves(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield what can happen next, apart from what makes no difference.

        - If the bucket does not change any more, a read of S3 has the same answer whenever it comes.
        - A handler that crashes before it has written anything is one that has not taken its events yet.
        """
        for position, (number, _) in enumerate(world.handlers):
            request = self.code.steps[number].request
            if not world.operations and request is not None and request[0] == "head":
                yield from self._handle(world, position)
                return
        yield from self._operate(world)
        yield from self._deliver(world)
        for position in range(len(world.handlers)):
            yield from self._handle(world, position)

    def _handle(self, world: World, position: int) -> Iterator[tuple[str, World]]:
        number, batch = world.handlers[position]
        others = world.handlers[:position] + world.handlers[position + 1 :]
        drifted = self.model.drift(world.database) if self.code.steps[number].request[0] == "query" else ()  # type: ignore[index]
        for database in (world.database, *drifted):
            yield self._step(replace(world, database=database), number, batch, others)
        if world.crashes and self.code.steps[number].wrote:
            pending = _added(world.pending, batch)
            yield (
                f"the handler of {batch} crashes",
                replace(world, handlers=others, pending=pending, crashes=world.crashes - 1),
            )

    def _operate(self, world: World) -> Iterator[tuple[str, World]]:
        if world.server is not None:
            yield from self._server_step(world)
        elif world.operations:
            number = self.operations - world.operations
            for key, current in enumerate(world.bucket):
                for kind in ("put", "delete") if current is not None else ("put",):
                    written = number if kind == "put" else None
                    bucket = (*world.bucket[:key], written, *world.bucket[key + 1 :])
                    following = replace(
                        world,
                        bucket=bucket,
                        pending=_added(world.pending, (key,)),
                        operations=world.operations - 1,
                        server=(kind, key, number if kind == "put" else current, 0) if self.server else None,
                    )
                    yield f"{kind} {self.keys[key]}", following

    def _server_step(self, world: World) -> Iterator[tuple[str, World]]:
        assert world.server is not None
        kind, key, number, step = world.server
        stored = self.object(self.keys[key], number)
        for before in (world.database, *(self.model.drift(world.database) if kind == "delete" else ())):
            effect = kind, key, number, step, before
            if effect not in self.effects:
                self.effects[effect] = self.model.serve(kind, stored, step, before)
            database, more = self.effects[effect]
            server = (kind, key, number, step + 1) if more else None
            following = replace(world, database=database, server=server)
            yield f"the server's {kind}, step {step}", self._served(following)
        if world.crashes:
            crashed = replace(world, server=None, crashes=world.crashes - 1)
            yield f"the server crashes before step {step} of its {kind}", self._served(crashed)

    def _served(self, world: World) -> World:
        """Deliver again what was delivered before the server has written the cache."""
        if world.server is not None or not world.again:
            return world
        pending = _added(world.pending, tuple(world.again))
        return replace(world, pending=pending, again=frozenset(), database=self.model.settled(world.database))

    def _deliver(self, world: World) -> Iterator[tuple[str, World]]:
        if len(world.handlers) == self.handlers:
            return
        ready = [key for key, count in enumerate(world.pending) if count]
        batches = [(key,) for key in ready] + ([tuple(ready)] if self.pairs and len(ready) > 1 else [])
        for batch in batches:
            pending = tuple(count - (key in batch) for key, count in enumerate(world.pending))
            writing = {world.server[1]} if world.server is not None else set()
            first = self.code.start(tuple(self.keys[key] for key in batch))
            yield (
                f"a handler takes {batch}",
                replace(
                    world,
                    pending=pending,
                    handlers=tuple(sorted((*world.handlers, (first, batch)))),
                    again=world.again | (writing & set(batch)),
                ),
            )

    def _step(
        self,
        world: World,
        number: int,
        batch: tuple[int, ...],
        others: tuple[tuple[int, tuple[int, ...]], ...],
    ) -> tuple[str, World]:
        step = self.code.steps[number]
        assert step.request is not None
        answer, database = self._answer(world, step.request)
        following = self.code.after(number, answer)
        while (request := self.code.steps[following].request) is not None and request[0] == "pause":
            # Nobody sees a pause, only that time passes.
            database = self.model.settled(database) if request[1] == 1 else database
            following = self.code.after(following, None)
        end = self.code.steps[following]
        move = f"the handler of {batch} asks {step.request!r}: {answer!r}"[:400]
        if end.request is not None:
            handlers = tuple(sorted((*others, (following, batch))))
            return move, replace(world, database=database, handlers=handlers)
        failed = tuple(self.keys.index(key) for key in end.failed)
        pending = _added(world.pending, failed)
        return move, replace(world, database=database, handlers=others, pending=pending)

    def _answer(self, world: World, request: Request) -> tuple[Hashable, Hashable]:
        if request[0] == "head":
            return world.bucket[self.keys.index(str(request[1]))], world.database
        # The server's own index lags behind, but an event takes longer than that to be delivered.
        database = (
            self.model.settled(world.database) if self.server and request[0] == "query" else world.database
        )
        effect = request, database
        if effect not in self.effects:
            self.effects[effect] = self.model.answer(request, database)
        answered: tuple[Hashable, Hashable] = self.effects[effect]
        return answered


def _added(pending: tuple[int, ...], keys: tuple[int, ...]) -> tuple[int, ...]:
    """Return the pending events with one more for each key.

    One is as good as two that are pending at once: a handler may have taken the first before the second came.
    """
    return tuple(min(count + keys.count(key), 1) for key, count in enumerate(pending))


def _whole_seconds(state: State) -> State:
    """Return a state as if S3 had written it: the server's times have fractions of a second."""
    rows = {
        filename: (name, version, modified.replace(microsecond=0), summary, data)
        for filename, (name, version, modified, summary, data) in state.rows.items()
    }
    summaries = {
        name: (modified.replace(microsecond=0), summary)
        for name, (modified, summary) in state.summaries.items()
    }
    return State(rows, state.names, summaries)


#: The keys and the names in their metadata.
SCOPES: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "two files of one name": (("a/pkg-1.0.tar.gz", "a/pkg-2.0.tar.gz"), ("pkg", "pkg")),
    "one filename under two keys": (("a/pkg-1.0.tar.gz", "b/pkg-1.0.tar.gz"), ("pkg", "pkg")),
    "a filename that is split wrongly": (("a/my-3d-1.0.tar.gz", "a/my-3d-2.0.tar.gz"), ("my-3d", "my-3d")),
}


def explorations(models: tuple[type[Model], ...], **scope: Any) -> Iterator[tuple[str, Exploration]]:
    """Yield an exploration of each scope with each model."""
    for model, (name, (keys, names)) in itertools.product(models, SCOPES.items()):
        yield f"{model.__name__}, {name}", Exploration(model(), keys, names, **scope)
