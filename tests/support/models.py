"""The databases of an exploration, as values: every request maps a state to an answer and a new state.

The handlers' side is the real adapter on a client that asks the model. The server's side is what pypicloud's
own cache classes do, step by step.
"""

from __future__ import annotations

import datetime
import json
import posixpath
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from pypicloud_s3sync.caches.base import CacheAdapter, Change, RowKey, Snapshot, same
from pypicloud_s3sync.caches.base import Result as Written
from pypicloud_s3sync.caches.registry import adapter_for
from pypicloud_s3sync.caches.sql import SqlAdapter
from pypicloud_s3sync.sync.packages import StoredObject
from support.fake_dynamo import FakeDynamo
from support.histories import SequentialPool
from support.states import State, row_of, state_of

#: What a handler asks: ``("head", key)``, ``("pause", seconds)``, or a call of the database.
Request = tuple[Hashable, ...]
#: Answers a request, or interrupts the handler.
Ask = Callable[..., Any]
#: The requests that may change the database.
WRITES = {"transact_write_items", "swap", "hset", "sadd", "srem", "delete", "replace"}
#: The server's clock shows fractions of a second.
FRACTION = datetime.timedelta(milliseconds=500)


class Model:
    """A database as a value."""

    empty: Hashable = ()

    def adapter(self, ask: Ask) -> CacheAdapter:
        """Return the real adapter, on a client that asks."""
        raise NotImplementedError

    def answer(self, request: Request, database: Any) -> tuple[Hashable, Hashable]:
        """Return the answer to a call, and the state after it."""
        raise NotImplementedError

    def serve(
        self, kind: str, stored: StoredObject, step: int, memory: Any, database: Any
    ) -> tuple[Hashable, Hashable, bool]:
        """Make a step of the server; return the state, what the server remembers, and whether it goes on."""
        raise NotImplementedError

    def drift(self, database: Any) -> Iterator[Hashable]:
        """Yield the states that the database may change to by itself."""
        return iter(())

    def settled(self, database: Any) -> Hashable:
        """Return the state after some seconds."""
        return database  # type: ignore[no-any-return]

    def state(self, database: Any) -> State:
        """Return the content, to compare it with the bucket."""
        raise NotImplementedError


def by_server(stored: StoredObject, factory: Callable[..., Any]) -> Any:
    """Return the package that the server saves for its own upload."""
    metadata = stored.metadata
    return factory(
        metadata["name"],
        metadata["version"],
        posixpath.basename(stored.key),
        stored.last_modified + FRACTION,
        metadata["summary"],
        path=stored.key,
    )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


class Dynamo(Model):
    """Two tables, and an index that shows each write of a row later.

    A state is a text of JSON: the rows, the summaries, what the index shows, and what it does not show yet.
    """

    empty = _text([{}, {}, {}, []])

    def __init__(self) -> None:
        self.current: Any = None

    def adapter(self, ask: Ask) -> CacheAdapter:
        from dynamo3 import DynamoDBConnection
        from flywheel import Engine
        from pypicloud.cache.dynamo import DynamoCache, DynamoPackage, PackageSummary

        engine = Engine(dynamo=DynamoDBConnection(_AskingDynamo(ask)))
        engine.register(DynamoPackage, PackageSummary)
        self.cache = DynamoCache(storage=lambda request: None, engine=engine)
        adapter: Any = adapter_for(self.cache)
        adapter.tables.pool = SequentialPool()
        self.loading = adapter.tables
        return adapter  # type: ignore[no-any-return]

    def answer(self, request: Request, database: Any) -> tuple[Hashable, Hashable]:
        tables = _Tables(database)
        method, arguments = request
        try:
            answer = getattr(tables, str(method))(**json.loads(str(arguments)))
        except ClientError as error:
            answer = {"cancelled": error.response["CancellationReasons"]}
        return _text(answer), tables.frozen()

    def serve(
        self, kind: str, stored: StoredObject, step: int, memory: Any, database: Any
    ) -> tuple[Hashable, Hashable, bool]:
        """Save a row and its summary, or clear a row and, if the index shows no other one, the summary."""
        tables = _Tables(database)
        filename, name = posixpath.basename(stored.key), stored.metadata["name"]
        package = by_server(stored, self.cache.new_package)
        if kind == "put":
            from pypicloud.cache.dynamo import PackageSummary

            table, saved = [("DynamoPackage", package), ("PackageSummary", PackageSummary(package))][step]
            tables.put(table, filename if step == 0 else name, self.loading.dump(saved))
            return tables.frozen(), None, step == 0
        if step == 0:
            tables.put("DynamoPackage", filename, None)
            return tables.frozen(), None, True
        if step == 1:
            shown = sum(item["name"] == {"S": name} for item in tables.indexed.values())
            return database, None, shown == 0
        tables.put("PackageSummary", name, None)
        return tables.frozen(), None, False

    def drift(self, database: Any) -> Iterator[Hashable]:
        tables = _Tables(database)
        for filename in dict.fromkeys(filename for filename, _ in tables.hidden):
            shown = _Tables(database)
            shown.show(filename)
            yield shown.frozen()

    def settled(self, database: Any) -> Hashable:
        tables = _Tables(database)
        while tables.hidden:
            tables.show(tables.hidden[0][0])
        return tables.frozen()

    def state(self, database: Any) -> State:
        from pypicloud.cache.dynamo import DynamoPackage, PackageSummary

        rows, summaries, _, _ = json.loads(database)
        loaded = [self.loading.load(DynamoPackage, item) for item in rows.values()]
        found = [self.loading.load(PackageSummary, item) for item in summaries.values()]
        return State(
            {row.filename: row_of(row) for row in loaded},
            sorted(summary.name for summary in found),
            {summary.name: (summary.last_modified, summary.summary) for summary in found},
        )


class _Tables(FakeDynamo):
    """The fake DynamoDB with a state that can be taken out."""

    def __init__(self, state: str) -> None:
        super().__init__(Random(0), 0)
        rows, summaries, self.indexed, self.hidden = json.loads(state)
        self.tables = {"DynamoPackage": rows, "PackageSummary": summaries}

    def frozen(self) -> str:
        return _text([self.tables["DynamoPackage"], self.tables["PackageSummary"], self.indexed, self.hidden])

    def put(self, table: str, key: str, item: Any) -> None:
        self._write(table, key, item)

    def _write(self, table: str, key: str, item: Any) -> None:
        self.tables[table].pop(key, None)
        if item is not None:
            self.tables[table][key] = item
        if table == "DynamoPackage":
            # Of several writes that the index does not show yet, only the last one counts.
            self.hidden = [entry for entry in self.hidden if entry[0] != key]
            if self.indexed.get(key) != item:
                self.hidden = sorted([*self.hidden, [key, item]], key=lambda entry: str(entry[0]))

    def show(self, filename: str) -> None:
        """Let the index show the newest write of a row."""
        ((_, item),) = [entry for entry in self.hidden if entry[0] == filename]
        self.hidden = [entry for entry in self.hidden if entry[0] != filename]
        self._show(filename, item)


class _AskingDynamo:
    """A boto3 client that asks the model."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *a, **k: None))

    def batch_get_item(self, RequestItems: Any) -> Any:
        return json.loads(self.ask("batch_get_item", _text({"RequestItems": RequestItems})))

    def query(self, **request: Any) -> Any:
        return json.loads(self.ask("query", _text(request)))

    def transact_write_items(self, TransactItems: Any) -> Any:
        answer = json.loads(self.ask("transact_write_items", _text({"TransactItems": TransactItems})))
        if "cancelled" in answer:
            response: Any = {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": answer["cancelled"],
            }
            raise ClientError(response, "TransactWriteItems")
        return answer


#: The commands that change nothing. A pipeline of them is a single step.
READS = {"hgetall", "smembers", "sismember"}


class Redis(Model):
    """Hashes and sets. Each command of a handler that writes is a step of its own, as in a cluster.

    A state is a sorted tuple of keys with their values: a sorted tuple of fields, or a frozenset.
    """

    def adapter(self, ask: Ask) -> CacheAdapter:
        from pypicloud.cache.redis_cache import RedisCache

        self.cache = RedisCache(storage=lambda request: None, db=_AskingRedis(ask))
        return adapter_for(self.cache)

    def answer(self, request: Request, database: Any) -> tuple[Hashable, Hashable]:
        keys = dict(database)
        if request[0] == "reads":
            return tuple(_command(keys, *command) for command in request[1:]), database  # type: ignore[misc]
        answer = _command(keys, *request)
        return answer, _frozen(keys)

    def serve(
        self, kind: str, stored: StoredObject, step: int, memory: Any, database: Any
    ) -> tuple[Hashable, Hashable, bool]:
        """Save and clear are transactions; clear has a second one if no file of the name is left."""
        cache, keys = self.cache, dict(database)
        package = by_server(stored, cache.new_package)
        files, name = cache.redis_filename_set(package.name), package.name
        if kind == "put":
            recorder = _Recorder()
            cache.save(package, pipe=recorder)
            for command in recorder.commands:
                _command(keys, *command)
            return _frozen(keys), None, False
        if step == 0:
            _command(keys, "delete", cache.redis_key(package.filename))
            _command(keys, "srem", files, package.filename)
            return _frozen(keys), None, not keys.get(files)
        _command(keys, "srem", cache.redis_set, name)
        _command(keys, "delete", cache.redis_summary_key(name))
        return _frozen(keys), None, False

    def state(self, database: Any) -> State:
        cache, keys = self.cache, dict(database)
        prefix = cache.redis_key("")
        rows = {}
        for key, value in keys.items():
            if key.startswith(prefix):
                row = cache._load(dict(value))
                rows[row.filename] = row_of(row)
        names = sorted(keys.get(cache.redis_set, ()))
        listed = {
            key.removeprefix(cache.redis_filename_set("")): value
            for key, value in keys.items()
            if key.startswith(cache.redis_filename_set("")) and key != cache.redis_set
        }
        wanted: dict[str, set[str]] = {}
        for filename, row in rows.items():
            wanted.setdefault(row[0], set()).add(filename)
        summaries = {}
        for name in names:
            # A list of files that does not follow from the rows shows up as a wrong summary.
            found = dict(keys.get(cache.redis_summary_key(name), ()))
            if found and listed.get(name, frozenset()) == wanted.get(name, set()):
                modified = datetime.datetime.fromtimestamp(float(found["last_modified"]), datetime.UTC)
                summaries[name] = (modified, found["summary"])
        extra = sorted(set(listed) - set(names))
        return State(rows, names + extra, summaries)


def _frozen(keys: Mapping[str, Any]) -> Hashable:
    # Redis removes a key with its last field or member.
    return tuple(sorted(((key, value) for key, value in keys.items() if value), key=lambda pair: pair[0]))


def _command(keys: dict[str, Any], name: Any, key: Any, *arguments: Any) -> Hashable:
    value = keys.get(key)
    match name:
        case "hgetall" | "smembers" | "sismember":
            empty: Any = () if name == "hgetall" else frozenset()
            return arguments[0] in (value or empty) if name == "sismember" else value or empty
        case "sadd":
            keys[key] = frozenset(value or ()) | set(arguments)
        case "srem":
            keys[key] = frozenset(value or ()) - set(arguments)
        case "delete":
            keys.pop(key, None)
        case "hset":
            keys[key] = tuple(sorted((dict(value or ()) | dict(arguments[0])).items()))
        case "swap":
            before, after = arguments
            if dict(value or ()) != dict(before):
                return 0
            keys[key] = tuple(sorted(after))
            return 1
        case _:
            raise AssertionError(f"unknown command {name}")
    return None


class _Recorder:
    """Records the commands of a pipeline."""

    def __init__(self) -> None:
        self.commands: list[tuple[Any, ...]] = []

    def hmset(self, key: str, values: Mapping[str, Any]) -> None:
        fields = {name: value if isinstance(value, str) else repr(value) for name, value in values.items()}
        self.commands.append(("hset", key, tuple(sorted(fields.items()))))

    def sadd(self, key: str, *values: str) -> None:
        self.commands.append(("sadd", key, *values))


class _AskingRedis:
    """A Redis client that asks the model; a pipeline asks for one command after the other."""

    nodes_manager = None  # as a cluster has one

    def __init__(self, ask: Ask) -> None:
        self.ask = ask

    def smembers(self, key: str) -> set[str]:
        return set(self.ask("smembers", key))

    def eval(self, script: str, count: int, key: str, expected: int, *arguments: str) -> Any:
        pairs = tuple(zip(arguments[::2], arguments[1::2], strict=True))
        return self.ask("swap", key, tuple(sorted(pairs[:expected])), tuple(sorted(pairs[expected:])))

    def pipeline(self, transaction: bool) -> _AskingPipeline:
        return _AskingPipeline(self.ask)


class _AskingPipeline:
    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.commands: list[tuple[Any, ...]] = []

    def hset(self, key: str, mapping: Mapping[str, str]) -> None:
        self.commands.append(("hset", key, tuple(sorted(mapping.items()))))

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda key, *arguments: self.commands.append((name, key, *arguments))

    def execute(self) -> list[Any]:
        if all(command[0] in READS for command in self.commands):
            answers = self.ask("reads", *self.commands)
        else:
            answers = [self.ask(*command) for command in self.commands]
        return [
            dict(answer) if command[0] == "hgetall" else answer
            for command, answer in zip(self.commands, answers, strict=True)
        ]


class Sql(Model):
    """A table. A transaction is one step, because it locks its row; so is one of the server.

    A state is a sorted tuple of the rows' contents.
    """

    def adapter(self, ask: Ask) -> CacheAdapter:
        return _AskingSqlAdapter(ask)

    def answer(self, request: Request, database: Any) -> tuple[Hashable, Hashable]:
        rows = {row[0]: row for row in database}
        if request[0] == "select":
            filenames: Any = request[1]
            return tuple(rows.get(filename) for filename in filenames), database
        _, filename, before, after = request
        if rows.get(filename) != before:
            return Written.CONFLICT, database
        return Written.WRITTEN, _table(rows, filename, after)

    def serve(
        self, kind: str, stored: StoredObject, step: int, memory: Any, database: Any
    ) -> tuple[Hashable, Hashable, bool]:
        rows = {row[0]: row for row in database}
        package = by_server(stored, _package)
        return _table(rows, package.filename, _row(package) if kind == "put" else None), None, False

    def state(self, database: Any) -> State:
        return state_of({row[0]: row_of(_loaded(row)) for row in database})


def _table(rows: dict[Any, Any], filename: Any, row: Any) -> Hashable:
    left = {key: value for key, value in rows.items() if key != filename}
    return tuple(sorted((left | ({} if row is None else {filename: row})).values()))


def _package(*arguments: Any, **options: Any) -> Any:
    from pypicloud.models import Package

    return Package(*arguments, **options)


def _row(package: Any) -> Hashable:
    return (
        package.filename,
        package.name,
        package.version,
        package.last_modified,
        package.summary,
        _text(package.data),
    )


def _loaded(row: Any) -> Any:
    filename, name, version, modified, summary, data = row
    return _package(name, version, filename, modified, summary, **json.loads(data))


class _AskingSqlAdapter(SqlAdapter):
    """The SQL adapter whose transactions ask the model."""

    def __init__(self, ask: Ask) -> None:
        super().__init__(SimpleNamespace(new_package=_package))
        self.ask = ask

    def read(self, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
        filenames = tuple(key.filename for key in keys)
        rows = self.ask("select", filenames)
        return {
            filename: Snapshot(None if row is None else _loaded(row))
            for filename, row in zip(filenames, rows, strict=True)
        }

    def _write(self, change: Change) -> Written:
        row, wanted = change.snapshot.row, change.wanted
        if same(row, wanted):
            return Written.UNCHANGED
        before, after = (None if package is None else _row(package) for package in (row, wanted))
        answer: Written = self.ask("replace", change.filename, before, after)
        return answer
