"""A model of Redis: hashes and sets."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from typing import Any

from pypicloud_s3sync.caches.base import CacheAdapter, Result
from pypicloud_s3sync.caches.redis_cache import dump_row, load_row
from pypicloud_s3sync.caches.registry import adapter_for
from support.states import State, row_of

from .base import Ask, Model, Request, Work

#: The commands that change nothing. A pipeline of them is a single step.
READS = {"hgetall", "hmget", "smembers", "sismember", "scard", "sort"}


class Redis(Model):
    """A cluster with hashes and sets. Each command of a handler that writes is a step of its own.

    A state is a sorted tuple of keys with their values: a sorted tuple of fields, or a frozenset.
    """

    def adapter(self, ask: Ask) -> CacheAdapter:
        from pypicloud.cache.redis_cache import RedisCache

        self.cache = RedisCache(storage=lambda request: None, db=self.client(ask))
        adapter = adapter_for(self.cache)
        tape: Any = ask
        _mark_rounds(adapter, tape.mark)
        return adapter

    def client(self, ask: Ask) -> Any:
        """Return a client that asks the model."""
        return _AskingCluster(ask)

    def answer(self, request: Request, database: Any) -> tuple[Hashable, Hashable]:
        keys = dict(database)
        if request[0] == "reads":
            return tuple(_command(keys, *command) for command in request[1:]), database  # type: ignore[misc]
        answer = _command(keys, *request)
        return answer, _frozen(keys)

    def serve(self, work: Work, step: int, database: Any) -> tuple[Hashable, int]:
        """Swap a row, then write its lists in a transaction, and in a second one if no file is left."""
        cache, keys = self.cache, dict(database)
        row, name = cache.redis_key(work.filename), work.stored.metadata["name"]
        files = cache.redis_filename_set(name)
        if step == 0:
            wanted = work.choose(load_row(cache, dict(keys.get(row, ()))), cache.new_package)
            keys[row] = () if wanted is None else tuple(sorted(dump_row(cache, wanted).items()))
            return _frozen(keys), 1 if wanted is None else 3
        if step == 1:
            _command(keys, "srem", files, work.filename)
            return _frozen(keys), 0 if keys.get(files) else 2
        if step == 2:
            _command(keys, "srem", cache.redis_set, name)
            _command(keys, "delete", cache.redis_summary_key(name))
            return _frozen(keys), 0
        recorder = _Recorder()
        cache.save(work.saved(cache.new_package), pipe=recorder)
        for command in recorder.commands:
            if command[1] != row:
                _command(keys, *command)
        return _frozen(keys), 0

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


class RedisServer(Redis):
    """A server, which sorts rows, and may serve others between the commands of a pipeline."""

    def client(self, ask: Ask) -> Any:
        return _AskingRedis(ask)


def _mark_rounds(adapter: Any, mark: Callable[[Hashable, bool], None]) -> None:
    """Mark what a write knows before it reads the lists of a name and before it corrects them.

    Then earlier answers count only as far as they decided which rows were swapped and which lists are left.
    The rows that were read do not count any more, nor does the number of rounds.
    """
    lists, known = adapter.lists, dict.fromkeys(("results", "names", "right", "round"), "")
    wrote = True
    swap, correct_all, right = adapter._swap, lists.correct_all, lists._right
    read, write = lists._read, lists._write

    def marked_swap(changes: Any) -> Any:
        nonlocal wrote
        found = swap(changes)
        known["results"], wrote = repr(found[0]), Result.WRITTEN in found[0].values()
        return found

    def marked_correct_all(files: Mapping[str, Any], whole: Any) -> None:
        known["names"] = repr(([(name, sorted(files[name])) for name in files], sorted(whole)))
        correct_all(files, whole)

    def marked_right(files: Any) -> Any:
        found = right(files)
        known["right"] = repr(sorted(found))
        return found

    def marked_read(*arguments: Any) -> Any:
        known["round"] = repr(arguments)
        mark(("reads", *known.values()), wrote)
        return read(*arguments)

    def marked_write(name: str, state: Any) -> Any:
        texts = [sorted(value) if isinstance(value, Set) else value for value in vars(state).values()]
        mark(("writes", *known.values(), repr(texts)), wrote)
        return write(name, state)

    adapter._swap, lists.correct_all, lists._right = marked_swap, marked_correct_all, marked_right
    lists._read, lists._write = marked_read, marked_write


def _frozen(keys: Mapping[str, Any]) -> Hashable:
    # Redis removes a key with its last field or member.
    return tuple(sorted(((key, value) for key, value in keys.items() if value), key=lambda pair: pair[0]))


def _command(keys: dict[str, Any], name: Any, key: Any, *arguments: Any) -> Hashable:
    value = keys.get(key)
    match name:
        case "hgetall" | "smembers" | "sismember":
            empty: Any = () if name == "hgetall" else frozenset()
            return arguments[0] in (value or empty) if name == "sismember" else value or empty
        case "hmget":
            return tuple(dict(value or ()).get(field) for field in arguments[0])
        case "scard":
            return len(value or ())
        case "sort":
            return _sorted(keys, value or (), *arguments)
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


def _sorted(
    keys: Mapping[str, Any], members: Any, start: int, count: int, by: str, fields: Sequence[str], desc: bool
) -> Hashable:
    """Answer SORT: a member without a row has the weight zero, and members decide between equal weights."""

    def value_of(member: str, pattern: str) -> str | None:
        key, _, field = pattern.replace("*", member, 1).partition("->")
        return member if pattern == "#" else dict(keys.get(key, ())).get(field)

    ordered = sorted(members, key=lambda it: (float(value_of(it, by) or 0), it), reverse=desc)
    return tuple(value_of(member, field) for member in ordered[start : start + count] for field in fields)


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

    def __init__(self, ask: Ask) -> None:
        self.ask = ask

    def eval(self, script: str, count: int, key: str, *arguments: Any) -> Any:
        return self.ask(*_swap(key, *arguments))

    def pipeline(self, transaction: bool) -> _AskingPipeline:
        return _AskingPipeline(self.ask)


class _AskingCluster(_AskingRedis):
    nodes_manager = None  # as a cluster has one


def _swap(key: str, expected: int, *arguments: str) -> tuple[Any, ...]:
    pairs = tuple(zip(arguments[::2], arguments[1::2], strict=True))
    return "swap", key, tuple(sorted(pairs[:expected])), tuple(sorted(pairs[expected:]))


class _AskingPipeline:
    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.commands: list[tuple[Any, ...]] = []

    def eval(self, script: str, count: int, key: str, *arguments: Any) -> None:
        self.commands.append(_swap(key, *arguments))

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda key, *arguments: self.commands.append((name, key, *arguments))

    def execute(self) -> list[Any]:
        answers: list[Any] = []
        if all(command[0] in READS for command in self.commands):
            # Others may write before the rows are sorted, and after it.
            for _, group in itertools.groupby(self.commands, lambda command: command[0] == "sort"):
                answers += self.ask("reads", *group)
        else:
            answers = [self.ask(*command) for command in self.commands]
        return [
            dict(answer) if command[0] == "hgetall" else answer
            for command, answer in zip(self.commands, answers, strict=True)
        ]
