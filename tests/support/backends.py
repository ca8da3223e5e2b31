"""The databases of a history: each kind of pypicloud's caches on an in-process fake of its server.

Every handler has its own adapter, which lets the other handlers run before each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import fakeredis

from pypicloud_s3sync.caches.base import CacheAdapter
from pypicloud_s3sync.caches.registry import adapter_for
from support.fake_dynamo import FakeDynamo
from support.scheduling import let_others_run
from support.states import State, row_of, state_of


class Backend:
    """A database that all handlers of a history share.

    Parameters
    ----------
    rng : random.Random
        Decides how the database behaves if it has a choice.
    """

    def __init__(self, rng: Random) -> None:
        raise NotImplementedError

    def adapter(self) -> CacheAdapter:
        """Return an adapter for one handler."""
        raise NotImplementedError

    def advance(self, steps: int = 1) -> None:
        """Let time pass."""

    def state(self) -> State:
        """Return what the database holds, after all handlers have ended."""
        raise NotImplementedError

    def rows(self) -> dict[str, Any]:
        """Return the rows at this moment, by filename."""
        raise NotImplementedError

    def filenames(self) -> set[str]:
        """Return the filenames of the rows at this moment."""
        return set(self.rows())


class Dynamo(Backend):
    """pypicloud's DynamoDB cache on :class:`.fake_dynamo.FakeDynamo`."""

    def __init__(self, rng: Random, lag: int = 12) -> None:
        self.client = FakeDynamo(rng, lag)

    def adapter(self) -> CacheAdapter:
        from dynamo3 import DynamoDBConnection
        from flywheel import Engine
        from pypicloud.cache.dynamo import DynamoCache, DynamoPackage, PackageSummary

        connection = DynamoDBConnection(self.client)
        engine = Engine(dynamo=connection)
        engine.register(DynamoPackage, PackageSummary)
        return adapter_for(DynamoCache(storage=lambda request: None, engine=engine))

    def advance(self, steps: int = 1) -> None:
        self.client.advance(steps)

    def filenames(self) -> set[str]:
        return set(self.client.tables["DynamoPackage"])

    def rows(self) -> dict[str, Any]:
        from pypicloud.cache.dynamo import DynamoPackage

        adapter: Any = self.adapter()
        items = self.client.tables["DynamoPackage"].items()
        return {filename: adapter.tables.load(DynamoPackage, item) for filename, item in items}

    def state(self) -> State:
        from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

        adapter: Any = self.adapter()
        tables = self.client.tables
        rows = [adapter.tables.load(DynamoPackage, item) for item in tables["DynamoPackage"].values()]
        summaries = [adapter.tables.load(PackageSummary, item) for item in tables["PackageSummary"].values()]
        return State(
            {row.filename: row_of(row) for row in rows},
            sorted(summary.name for summary in summaries),
            {summary.name: (summary.last_modified, summary.summary) for summary in summaries},
        )


class _Pipeline:
    """A pipeline whose commands are separate steps, as in a cluster, which has no transactions."""

    def __init__(self, db: Any) -> None:
        self.db = db
        self.commands: list[Callable[[], Any]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self.db, name)
        return lambda *args, **kwargs: self.commands.append(lambda: method(*args, **kwargs))

    def execute(self) -> list[Any]:
        return [command() for command in self.commands]


class _SteppingRedis:
    """A Redis client that lets other handlers run before each command."""

    nodes_manager: None

    def __init__(self, db: Any) -> None:
        self.db = db

    def pipeline(self, transaction: bool = True) -> Any:
        return _Pipeline(self)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.db, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            let_others_run()
            return method(*args, **kwargs)

        return call


class Redis(Backend):
    """pypicloud's Redis cache on a fake server that makes no step of a pipeline atomic."""

    def __init__(self, rng: Random) -> None:
        self.db = fakeredis.FakeStrictRedis(server=fakeredis.FakeServer(), decode_responses=True)

    def cache(self, db: Any) -> Any:
        from pypicloud.cache.redis_cache import RedisCache

        return RedisCache(storage=lambda request: None, db=db)

    def adapter(self) -> CacheAdapter:
        return adapter_for(self.cache(_SteppingRedis(self.db)))

    def rows(self) -> dict[str, Any]:
        cache = self.cache(self.db)
        rows = [cache._load(self.db.hgetall(key)) for key in self.db.scan_iter(cache.redis_key("*"))]
        return {row.filename: row for row in rows}

    def state(self) -> State:
        cache = self.cache(self.db)
        keys = list(self.db.scan_iter(cache.redis_key("*")))
        rows = {row.filename: row_of(row) for row in (cache._load(self.db.hgetall(key)) for key in keys)}
        listed = {name: self.db.smembers(cache.redis_filename_set(name)) for name in cache.distinct()}
        assert {filename for filenames in listed.values() for filename in filenames} == rows.keys(), (
            "the lists of files do not match the rows"
        )
        summaries = {s["name"]: (s["last_modified"], s["summary"]) for s in cache.summary()}
        return State(rows, cache.distinct(), summaries)


class RedisCluster(Redis):
    """The same as a cluster, which cannot sort the rows of several servers."""

    def adapter(self) -> CacheAdapter:
        db = _SteppingRedis(self.db)
        db.nodes_manager = None  # as a cluster has one
        return adapter_for(self.cache(db))


class UnadaptedRedis(Redis):
    """The same through pypicloud's own methods, to show why they are not enough."""

    def adapter(self) -> CacheAdapter:
        return CacheAdapter(self.cache(_SteppingRedis(self.db)))


class _Custom:
    """A cache class that is none of pypicloud's."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cache, name)


class Custom(Redis):
    """A custom cache, which only its public methods can read and write."""

    def adapter(self) -> CacheAdapter:
        return CacheAdapter(_Custom(self.cache(_SteppingRedis(self.db))))


class Sql(Backend):
    """pypicloud's SQL cache on SQLite. A transaction is a single step, because it locks its row."""

    def __init__(self, rng: Random) -> None:
        from pypicloud.cache.sql import create_schema
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker
        from sqlalchemy.pool import StaticPool

        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        create_schema(engine)
        self.maker = sessionmaker(bind=engine)

    def adapter(self) -> CacheAdapter:
        from pypicloud.cache.sql import SQLCache

        from pypicloud_s3sync.caches.sql import SqlAdapter

        class SteppingAdapter(SqlAdapter):
            @contextmanager
            def _transaction(self) -> Iterator[Any]:
                let_others_run()
                with super()._transaction() as session:
                    yield session

        return SteppingAdapter(SQLCache(storage=lambda request: None, dbmaker=self.maker))

    def rows(self) -> dict[str, Any]:
        from pypicloud.cache.sql import SQLPackage

        with self.maker() as session:
            rows = {row.filename: row for row in session.query(SQLPackage).all()}
            session.expunge_all()
            return rows

    def state(self) -> State:
        from pypicloud.cache.sql import SQLPackage

        with self.maker() as session:
            # Names and summaries are queries over the rows.
            return state_of({row.filename: row_of(row) for row in session.query(SQLPackage).all()})
