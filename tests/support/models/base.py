"""What every model of a database has in common."""

from __future__ import annotations

import datetime
import json
import posixpath
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NamedTuple

from pypicloud_s3sync.caches.base import CacheAdapter
from pypicloud_s3sync.caches.key_repairs import remaining, uploaded
from pypicloud_s3sync.sync.packages import StoredObject, to_package
from pypicloud_s3sync.sync.pending import listed_keys
from support.states import State

#: What a handler asks: ``("head", key)``, ``("pause", seconds)``, or a call of the database.
Request = tuple[Hashable, ...]
#: Answers a request, or interrupts the handler.
Ask = Callable[..., Any]
#: The requests that may change the database.
WRITES = {"transact_write_items", "swap", "hset", "sadd", "srem", "delete", "replace"}
#: The server's clock shows fractions of a second.
FRACTION = datetime.timedelta(milliseconds=500)


class Work(NamedTuple):
    """What the server does.

    Parameters
    ----------
    kind : str
        ``put`` or ``delete``.
    stored : StoredObject
        The object that it has uploaded or deleted.
    others : dict
        The other objects with its filename in the bucket, by key.
    """

    kind: str
    stored: StoredObject
    others: Mapping[str, StoredObject]

    @property
    def filename(self) -> str:
        """The filename of the row."""
        return posixpath.basename(self.stored.key)

    def choose(self, row: Any | None, factory: Callable[..., Any]) -> Any | None:
        """Return the row that the server writes for the present one; None for no row."""
        if self.kind == "put":
            return uploaded(by_server(self.stored, factory), row)
        return remaining({*listed_keys(row)} - {self.stored.key}, lambda key: self.find(key, factory))

    def find(self, key: str, factory: Callable[..., Any]) -> Any | None:
        """Return the package in another object, or None if it does not exist."""
        return to_package(self.others[key], factory) if key in self.others else None

    def saved(self, factory: Callable[..., Any]) -> Any:
        """Return the package that the server has saved, apart from its other keys."""
        if self.kind == "put":
            return by_server(self.stored, factory)
        return remaining(self.others, lambda key: self.find(key, factory))


class Model:
    """A database as a value."""

    empty: Hashable = ()
    #: Whether a write depends on how often the same row was read before.
    counts_repeats = False

    def adapter(self, ask: Ask) -> CacheAdapter:
        """Return the real adapter, on a client that asks."""
        raise NotImplementedError

    def answer(self, request: Request, database: Any) -> tuple[Hashable, Hashable]:
        """Return the answer to a call, and the state after it."""
        raise NotImplementedError

    def serve(self, work: Work, step: int, database: Any) -> tuple[Hashable, int]:
        """Make a step of the server; return the state, and the number of its next step, or 0 at the end.

        The server reads a row, and replaces it if it has not changed since. This is one step: whatever it has
        read before counts only if the row is the same.
        """
        raise NotImplementedError

    def refused(self, request: Request) -> Hashable | None:
        """Return the answer to a write that fails because of a revision; None if it compares no revision.

        A revision is unique, which a state cannot show: it would tell states apart that are otherwise equal.
        So the revision in a state is always the same, and a handler that has read one is told apart instead,
        if what has the revision (:meth:`revised`) has been written since. This assumes that a handler reads
        it once in an attempt. Between two attempts, one that was restored counts as unchanged.
        """
        return None

    def has_revision(self, answer: Hashable) -> bool:
        """Return whether an answer shows a revision."""
        return False

    def revised(self, database: Any) -> Hashable:
        """Return the part of a state that has a revision. Each step that writes it changes it."""
        return None

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


def text(value: Any) -> str:
    """Return a value as JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True)
