"""What every model of a database has in common."""

from __future__ import annotations

import datetime
import json
import posixpath
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from pypicloud_s3sync.caches.base import CacheAdapter
from pypicloud_s3sync.sync.packages import StoredObject
from support.states import State

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
    #: Whether a write depends on how often the same row was read before.
    counts_repeats = False

    def adapter(self, ask: Ask) -> CacheAdapter:
        """Return the real adapter, on a client that asks."""
        raise NotImplementedError

    def answer(self, request: Request, database: Any) -> tuple[Hashable, Hashable]:
        """Return the answer to a call, and the state after it."""
        raise NotImplementedError

    def serve(self, kind: str, stored: StoredObject, step: int, database: Any) -> tuple[Hashable, bool]:
        """Make a step of the server; return the state, and whether the server goes on."""
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


def text(value: Any) -> str:
    """Return a value as JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True)
