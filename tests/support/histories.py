"""Histories of a bucket and the handlers of its events, interleaved at every I/O point.

One random number generator decides all of it: what happens in the bucket, which events come twice, late or in
another order, how they are batched, which handler takes the next step, and which one dies before it. A seed
is therefore a history. Handlers are greenlets that step aside before each call; nothing waits or threads.
"""

from __future__ import annotations

import datetime
import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import fakeredis
from botocore.exceptions import ClientError
from greenlet import GreenletExit, getcurrent, greenlet

from pypicloud_s3sync import compat
from pypicloud_s3sync.caches.base import CacheAdapter
from pypicloud_s3sync.caches.registry import adapter_for
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from pypicloud_s3sync.sync.packages import StoredObject

compat.apply()

BUCKET = "amzn-s3-demo-bucket"
KEYS = (
    *("a/pkg-1.0.tar.gz", "b/pkg-1.0.tar.gz", "a/pkg-2.0.tar.gz", "a/pkg-3.0.tar.gz"),
    *("a/other-1.0.tar.gz", "b/other-1.0.tar.gz"),
)
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
#: Steps after which a history that has not come to rest never will.
LIMIT = 20_000


def step_aside() -> None:
    """Let another handler go first; called before each I/O."""
    parent = getcurrent().parent
    if parent is not None:
        parent.switch()


class Bucket:
    """A versioned bucket, as HeadObject shows it; strongly consistent, as S3 is."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.seconds = 0
        self.serial = 0
        self.versions: dict[str, list[StoredObject | None]] = {key: [] for key in KEYS}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        step_aside()
        found = self.current(Key)
        if found is None:
            raise ClientError(
                {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}, "HeadObject"
            )
        return {
            "ETag": found.etag,
            "VersionId": found.version_id,
            "LastModified": found.last_modified,
            "Metadata": dict(found.metadata),
        }

    def current(self, key: str) -> StoredObject | None:
        return self.versions[key][-1] if self.versions[key] else None

    def live(self) -> list[StoredObject]:
        return [found for key in KEYS if (found := self.current(key)) is not None]

    def happen(self) -> str:
        """Let something happen to a key, and name it: S3 would send an event."""
        rng, key = self.rng, self.rng.choice(KEYS)
        versions = self.versions[key]
        what = rng.choice(("put", "put", "put", "delete", "undelete", "forget", "forget old"))
        # S3's times are whole seconds: several changes may share one.
        self.seconds += rng.choice((0, 1, 1))
        if what == "put":
            versions.append(self._object(key))
        elif what == "delete":
            versions.append(None)
        elif (what == "undelete" and versions and versions[-1] is None) or (what == "forget" and versions):
            versions.pop()
        elif what == "forget old" and len(versions) > 1:
            versions.pop(rng.randrange(len(versions) - 1))
        return key

    def _object(self, key: str) -> StoredObject:
        self.serial += 1
        name, version = posixpath.basename(key).removesuffix(".tar.gz").split("-")
        metadata = {"name": name, "version": version, "summary": f"summary {self.serial}"}
        if self.rng.random() < 0.3:
            metadata["requires-python"] = ">=3"
        modified = START + datetime.timedelta(seconds=self.seconds)
        return StoredObject(key, f"etag-{self.serial}", f"version-{self.serial}", modified, metadata)


@dataclass(frozen=True)
class State:
    """What a cache holds: comparable, and readable where it is not equal."""

    rows: dict[str, Any]
    names: list[str]
    summaries: dict[str, Any]


def expected(live: Iterable[StoredObject]) -> State:
    """What a cache has to hold, told from the objects of the bucket alone."""
    live = sorted(live, key=lambda found: (found.last_modified, found.key))
    newest = {posixpath.basename(found.key): found for found in live}
    rows = {}
    for filename, found in newest.items():
        others = sorted(
            other.key for other in live if posixpath.basename(other.key) == filename and other is not found
        )
        data = {"path": found.key}
        if "requires-python" in found.metadata:
            data["requires_python"] = found.metadata["requires-python"]
        if others:
            data["other_paths"] = others
        meta = found.metadata
        rows[filename] = (meta["name"], meta["version"], found.last_modified, meta["summary"], data)
    return state_of(rows)


def state_of(rows: dict[str, Any]) -> State:
    """Rows with the names and summaries that are theirs."""
    summaries: dict[str, Any] = {}
    for filename in sorted(rows, key=lambda filename: (rows[filename][2], filename)):
        name, _, modified, summary, _ = rows[filename]
        summaries[name] = (modified, summary)
    return State(rows, sorted(summaries), summaries)


def row_of(package: Any) -> tuple[Any, ...]:
    return package.name, package.version, package.last_modified, package.summary, dict(package.data)


class Backend:
    """A database that all handlers of a history share."""

    def index(self) -> CacheAdapter:
        """An index of a handler's own."""
        raise NotImplementedError

    def tick(self, steps: int = 1) -> None:
        """Time passes."""

    def state(self) -> State:
        """What the database holds, once nothing is under way."""
        raise NotImplementedError


class FakeDynamo:
    """The operations of DynamoDB that the index uses, with the conditions that it writes.

    The tables are consistent; the index of names shows a write only some steps after it, as none of the
    emulators does and DynamoDB may.
    """

    def __init__(self, rng: Random, lag: int) -> None:
        self.rng = rng
        self.lag = lag
        self.now = 0
        self.tables: dict[str, dict[str, Any]] = {"DynamoPackage": {}, "PackageSummary": {}}
        self.indexed: dict[str, Any] = {}
        self.coming: list[tuple[int, str, Any]] = []
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *a, **k: None))

    def tick(self, steps: int) -> None:
        self.now += steps
        for due, filename, item in [entry for entry in self.coming if entry[0] <= self.now]:
            self._show(filename, item)
            self.coming.remove((due, filename, item))

    def _show(self, filename: str, item: Any) -> None:
        self.indexed.pop(filename, None)
        if item is not None:
            self.indexed[filename] = item

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        step_aside()
        found = {}
        for table, request in RequestItems.items():
            assert request["ConsistentRead"]
            keys = [next(iter(key.values()))["S"] for key in request["Keys"]]
            found[table] = [self.tables[table][key] for key in keys if key in self.tables[table]]
        return {"Responses": found}

    def query(self, **request: Any) -> dict[str, Any]:
        step_aside()
        assert request["IndexName"] == "name-index"
        # Flywheel asks in DynamoDB's older way.
        (name,) = request["KeyConditions"]["name"]["AttributeValueList"]
        items = [item for item in self.indexed.values() if item["name"] == name]
        return {"Items": items, "Count": len(items), "ScannedCount": len(items)}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        step_aside()
        operations = [next(iter(item.items())) for item in TransactItems]
        places = [self._place(operation) for _, operation in operations]
        assert len(set(places)) == len(places), "a transaction names an item twice"
        held = [
            self._holds(operation, self.tables[place[0]].get(place[1]))
            for (_, operation), place in zip(operations, places, strict=True)
        ]
        if not all(held):
            reasons = [{"Code": "None" if fine else "ConditionalCheckFailed"} for fine in held]
            error = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")
        for (kind, operation), (table, key) in zip(operations, places, strict=True):
            if kind != "ConditionCheck":
                self._write(table, key, operation.get("Item"))
        return {}

    def _write(self, table: str, key: str, item: Any) -> None:
        self.tables[table].pop(key, None)
        if item is not None:
            self.tables[table][key] = item
        if table == "DynamoPackage":
            # Entries of one item become visible in the order of its writes.
            due = self.now + self.rng.randrange(self.lag + 1)
            earlier = [entry[0] for entry in self.coming if entry[1] == key]
            self.coming.append((max([due, *earlier]), key, item))
            self.tick(0)

    @staticmethod
    def _place(operation: dict[str, Any]) -> tuple[str, str]:
        identity = "filename" if operation["TableName"] == "DynamoPackage" else "name"
        return operation["TableName"], operation.get("Key", operation.get("Item"))[identity]["S"]

    @staticmethod
    def _holds(operation: dict[str, Any], item: Any) -> bool:
        item = item or {}
        names = operation.get("ExpressionAttributeNames", {})
        values = operation.get("ExpressionAttributeValues", {})
        for term in operation["ConditionExpression"].split(" AND "):
            if term.startswith("attribute_not_exists("):
                if names[term[21:-1]] in item:
                    return False
            else:
                name, _, value = term.split()
                if item.get(names[name]) != values[value]:
                    return False
        return True


class Dynamo(Backend):
    """pypicloud's DynamoDB cache on the fake."""

    def __init__(self, rng: Random, lag: int = 12) -> None:
        self.client = FakeDynamo(rng, lag)

    def index(self) -> CacheAdapter:
        from dynamo3 import DynamoDBConnection
        from flywheel import Engine
        from pypicloud.cache.dynamo import DynamoCache, DynamoPackage, PackageSummary

        connection = DynamoDBConnection(self.client)
        engine = Engine(dynamo=connection)
        engine.register(DynamoPackage, PackageSummary)
        return adapter_for(DynamoCache(storage=lambda request: None, engine=engine))

    def tick(self, steps: int = 1) -> None:
        self.client.tick(steps)

    def state(self) -> State:
        index: Any = self.index()
        from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

        rows = [index._load(DynamoPackage, item) for item in self.client.tables["DynamoPackage"].values()]
        summaries = [
            index._load(PackageSummary, item) for item in self.client.tables["PackageSummary"].values()
        ]
        return State(
            {row.filename: row_of(row) for row in rows},
            sorted(summary.name for summary in summaries),
            {summary.name: (summary.last_modified, summary.summary) for summary in summaries},
        )


class _Pipeline:
    """A pipeline that others may come between at every command: a cluster's is no transaction."""

    def __init__(self, db: Any) -> None:
        self.db = db
        self.commands: list[Callable[[], Any]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self.db, name)
        return lambda *args, **kwargs: self.commands.append(lambda: method(*args, **kwargs))

    def execute(self) -> list[Any]:
        return [command() for command in self.commands]


class _SteppingRedis:
    """A Redis client that steps aside before each command."""

    def __init__(self, db: Any) -> None:
        self.db = db

    def pipeline(self, transaction: bool = True) -> Any:
        return _Pipeline(self)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.db, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            step_aside()
            return method(*args, **kwargs)

        return call


class Redis(Backend):
    """pypicloud's Redis cache on a fake server, as clustered as can be."""

    own_methods_only = False

    def __init__(self, rng: Random) -> None:
        self.db = fakeredis.FakeStrictRedis(server=fakeredis.FakeServer(), decode_responses=True)

    def cache(self, db: Any) -> Any:
        from pypicloud.cache.redis_cache import RedisCache

        return RedisCache(storage=lambda request: None, db=db)

    def index(self) -> CacheAdapter:
        cache = self.cache(_SteppingRedis(self.db))
        return CacheAdapter(cache) if self.own_methods_only else adapter_for(cache)

    def state(self) -> State:
        cache = self.cache(self.db)
        keys = list(self.db.scan_iter(cache.redis_key("*")))
        rows = {row.filename: row_of(row) for row in (cache._load(self.db.hgetall(key)) for key in keys)}
        listed = {name: self.db.smembers(cache.redis_filename_set(name)) for name in cache.distinct()}
        assert {file for files in listed.values() for file in files} == rows.keys(), (
            "the lists are not the rows"
        )
        summaries = {s["name"]: (s["last_modified"], s["summary"]) for s in cache.summary()}
        return State(rows, cache.distinct(), summaries)


class RedisByItself(Redis):
    """The same through pypicloud's own methods: what there is to repair."""

    own_methods_only = True


class Sql(Backend):
    """pypicloud's SQL cache on SQLite, whose transactions are single steps: a row is locked in them."""

    def __init__(self, rng: Random) -> None:
        from pypicloud.cache.sql import create_schema
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker
        from sqlalchemy.pool import StaticPool

        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        create_schema(engine)
        self.maker = sessionmaker(bind=engine)

    def cache(self) -> Any:
        from pypicloud.cache.sql import SQLCache

        return SQLCache(storage=lambda request: None, dbmaker=self.maker)

    def index(self) -> CacheAdapter:
        index: Any = adapter_for(self.cache())
        transaction = index._transaction

        def stepping() -> Any:
            step_aside()
            return transaction()

        index._transaction = stepping
        return index  # type: ignore[no-any-return]

    def state(self) -> State:
        from pypicloud.cache.sql import SQLPackage

        with self.maker() as session:
            return state_of({row.filename: row_of(row) for row in session.query(SQLPackage).all()})


class InOrder:
    """Stands for the pool of threads: looks one after the other."""

    map = staticmethod(map)


@dataclass
class History:
    """One history, from the first event to the rest after the last.

    Parameters
    ----------
    rng : random.Random
        Decides everything.
    backend : Backend
    syncer : type of Syncer
        Another one, to see what it lets through.
    """

    rng: Random
    backend: Backend
    syncer: type[Syncer] = Syncer
    handlers: int = 4
    log: list[str] = field(default_factory=list)

    def run(self) -> Bucket:
        """Play it to its end; the bucket as it is then."""
        bucket = Bucket(self.rng)
        left, pending, running = self.rng.randrange(2, 14), list[str](), list[greenlet]()
        at_work: dict[int, list[str]] = {}
        for _ in range(LIMIT):
            moves = ["bucket"] * (left > 0) + ["deliver"] * bool(pending and len(running) < self.handlers)
            moves += ["step"] * (4 * bool(running)) + ["die"] * (bool(running) and self.rng.random() < 0.05)
            if not moves:
                return bucket
            move = self.rng.choice(moves)
            self.backend.tick()
            if move == "bucket":
                left -= 1
                key = bucket.happen()
                self.log.append(f"{key}: {bucket.current(key)}")
                # At least once: sometimes twice; in any order, since they are taken from anywhere below.
                pending += [key] * self.rng.choice((1, 1, 2))
            elif move == "deliver":
                batch = self._batch(pending)
                handler = greenlet(self._handler(bucket, batch))
                at_work[id(handler)] = batch
                running.append(handler)
                self.log.append(f"handler {id(handler) % 1000} takes {batch}")
            else:
                handler = self.rng.choice(running)
                if move == "die":
                    handler.throw(GreenletExit)
                    failed = at_work[id(handler)]
                    self.log.append(f"handler {id(handler) % 1000} dies")
                else:
                    failed = handler.switch() or []
                if handler.dead:
                    running.remove(handler)
                    # Lambda delivers again what failed.
                    pending += [key for key in failed if isinstance(key, str)]
        raise AssertionError("\n".join(["the history never comes to rest:", *self.log[:40]]))

    def _batch(self, pending: list[str]) -> list[str]:
        count = min(len(pending), self.rng.choice((1, 1, 2, 3)))
        return [pending.pop(self.rng.randrange(len(pending))) for _ in range(count)]

    def _handler(self, bucket: Bucket, batch: Iterable[str]) -> Callable[[], list[str]]:
        def run() -> list[str]:
            looks = ObjectReader(bucket)
            looks.pool = InOrder()  # type: ignore[assignment]
            syncer = self.syncer(looks, self.backend.index(), BUCKET, pause=self._pause)
            outcomes = syncer.converge(BUCKET, list(batch))
            failed = {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, Exception)}
            self.log += [f"{key} failed: {error!r}" for key, error in failed.items()]
            return list(failed)

        return run

    def _pause(self, seconds: float) -> None:
        self.backend.tick(5)
        step_aside()


def check(seed: int, backend: type[Backend], syncer: type[Syncer] = Syncer) -> None:
    """Play the history of a seed; AssertionError where the cache is not equal to the bucket in the end."""
    check_with(Random(seed), backend, syncer)


def check_with(rng: Random, backend: type[Backend], syncer: type[Syncer] = Syncer) -> None:
    history = History(rng, backend(rng), syncer)  # type: ignore[call-arg]
    bucket = history.run()
    found, wanted = history.backend.state(), expected(bucket.live())
    assert found == wanted, "\n".join(["the cache is not the bucket:", *history.log])


def diverging(backend: type[Backend], syncer: type[Syncer], seeds: Iterable[int]) -> Iterator[int]:
    """The seeds after whose histories the cache is not equal to the bucket."""
    for seed in seeds:
        try:
            check(seed, backend, syncer)
        except AssertionError:
            yield seed
