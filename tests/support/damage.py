"""Damage a cache behind the back of everything that keeps it right, as an operator or an outage may."""

from __future__ import annotations

import datetime
from random import Random
from typing import Any

from support.backends import Backend, Dynamo, Redis, Sql

#: Rows for which there is no object: nobody's, one that is outside of the keys, and one of a name of its own.
GHOSTS = ("pkg-9.0.tar.gz", "other-0.1.tar.gz", "ghost-1.0.tar.gz")
TIME = datetime.datetime(2026, 1, 1, 0, 0, 40, tzinfo=datetime.UTC)


def damage(rng: Random, backend: Backend) -> str:
    """Damage something, and return what."""
    kind = rng.choice(("drop", "ghost", "edit", "edit", "names"))
    filenames = sorted(backend.filenames())
    if kind == "ghost":
        filename = rng.choice(GHOSTS)
        put_row(backend, _package(backend, filename, path=f"{rng.choice(('a', 'z'))}/{filename}"))
        return f"ghost row {filename}"
    if kind == "names" and not isinstance(backend, Sql):
        return _damage_names(rng, backend)
    if not filenames:
        return "nothing"
    filename = rng.choice(filenames)
    if kind == "drop":
        _drop(backend, filename)
        return f"dropped row {filename}"
    row = backend.rows()[filename]
    change = rng.choice(("time", "path", "no path", "version", "name", "other paths"))
    data = dict(row.data)
    match change:
        case "path":
            data["path"] = rng.choice(("a/pkg-2.0.tar.gz", f"gone/{filename}"))
        case "no path":
            data.pop("path", None)
        case "other paths":
            data["other_paths"] = [f"gone/{filename}"]
    name, version = "wrong" if change == "name" else row.name, "7" if change == "version" else row.version
    time = TIME if change == "time" else row.last_modified
    if change == "name" and isinstance(backend, Redis):
        backend.db.srem(backend.cache(backend.db).redis_filename_set(row.name), filename)
    put_row(backend, backend.adapter().cache.new_package(name, version, filename, time, row.summary, **data))
    return f"{change} of {filename}"


def _package(backend: Backend, filename: str, **data: Any) -> Any:
    name, version = filename.removesuffix(".tar.gz").split("-")
    return backend.adapter().cache.new_package(name, version, filename, TIME, "ghost", **data)


def put_row(backend: Backend, package: Any) -> None:
    """Write a row past everything that keeps the cache right."""
    if isinstance(backend, Dynamo):
        adapter: Any = backend.adapter()
        backend.client._write("DynamoPackage", package.filename, adapter.tables.dump(package))
    elif isinstance(backend, Redis):
        cache = backend.cache(backend.db)
        cache.db.delete(cache.redis_key(package.filename))
        cache.save(package, save_summary=False)
    else:
        assert isinstance(backend, Sql)
        with backend.maker.begin() as session:
            session.merge(package)


def _drop(backend: Backend, filename: str) -> None:
    if isinstance(backend, Dynamo):
        backend.client._write("DynamoPackage", filename, None)
    elif isinstance(backend, Redis):
        backend.db.delete(backend.cache(backend.db).redis_key(filename))
    else:
        assert isinstance(backend, Sql)
        from pypicloud.cache.sql import SQLPackage

        with backend.maker.begin() as session:
            session.query(SQLPackage).filter_by(filename=filename).delete()


def drop_name(backend: Backend, name: str) -> None:
    """Let a cache that stores names forget one."""
    if isinstance(backend, Dynamo):
        del backend.client.tables["PackageSummary"][name]
    else:
        assert isinstance(backend, Redis)
        backend.db.srem(backend.cache(backend.db).redis_set, name)


def add_name(backend: Backend, name: str) -> None:
    """Let a cache that stores names have one without rows."""
    if isinstance(backend, Dynamo):
        item = {"name": {"S": name}, "last_modified": {"N": "1767225600"}}
        backend.client.tables["PackageSummary"][name] = item
    else:
        assert isinstance(backend, Redis)
        backend.db.sadd(backend.cache(backend.db).redis_set, name)


def _damage_names(rng: Random, backend: Backend) -> str:
    name, kind = rng.choice(("pkg", "other", "ghost")), rng.choice(("drop", "text", "time", "list"))
    if isinstance(backend, Dynamo):
        summaries = backend.client.tables["PackageSummary"]
        if kind == "drop":
            summaries.pop(name, None)
        else:
            item = summaries.get(name, {"name": {"S": name}, "last_modified": {"N": "1767225600"}})
            changed = (
                {"summary": {"S": "wrong"}} if kind == "text" else {"last_modified": {"N": "1767225699"}}
            )
            summaries[name] = {**item, **changed}
    elif isinstance(backend, Redis):
        cache = backend.cache(backend.db)
        match kind:
            case "drop":
                cache.db.delete(cache.redis_summary_key(name))
            case "list":
                files = cache.redis_filename_set(name)
                rng.choice(
                    (lambda: cache.db.delete(files), lambda: cache.db.sadd(files, f"{name}-8.tar.gz"))
                )()
            case "time":
                rng.choice((cache.db.sadd, cache.db.srem))(cache.redis_set, name)
            case "text":
                values = {"name": name, "summary": "wrong", "last_modified": "1767225600.0"}
                cache.db.hset(cache.redis_summary_key(name), mapping=values)
    return f"{kind} of the summary of {name}"
