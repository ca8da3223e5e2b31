"""The states of an exploration as numbers, many in an array."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np

#: The key, the number of the operation that wrote it.
Object = int | None
#: Places of one region, or numbers of steps or databases.
Array = np.ndarray[Any, np.dtype[np.uint64]]


#: The bits of the number of a database, at most.
DATABASE_BITS = 16


class Region(NamedTuple):
    """The part of a state that never comes back once it has changed.

    Parameters
    ----------
    operations, crashes : int
        How many are left.
    bucket : tuple
        The number of the operation that wrote each key, or None.
    server : tuple or None
        What the server is doing: the operation, the key, the number of the upload, and that of its next step.
    again : int
        The keys whose events have been taken before the server has written the cache, as a set of bits.
    """

    operations: int
    crashes: int
    bucket: tuple[Object, ...]
    server: tuple[str, int, Any, int] | None = None
    again: int = 0

    @property
    def order(self) -> tuple[Any, ...]:
        """A value that is greater in each region that can be reached from this one."""
        step = 9 if self.server is None else self.server[3]
        busy = -self.crashes, step, self.again.bit_count()
        return -self.operations, repr(self.bucket), *busy, repr(self)


class Layout:
    """Packs the rest of a state, its place, into 64 bits.

    They hold the pending events, the number of the database, and those of the steps of the running handlers,
    which are interchangeable. Step 0 is that of a handler that does not run.

    Parameters
    ----------
    events, handlers : int
    """

    def __init__(self, events: int, handlers: int) -> None:
        self.events, self.handlers = events, handlers
        # More handlers are explored with fewer databases.
        self.database_bits = DATABASE_BITS if handlers < 3 else 14
        self.step_bits = (64 - events - self.database_bits) // handlers

    def pack(self, pending: Any, database: Any, steps: Array) -> Array:
        """Return the places of columns of steps."""
        place = np.zeros(steps.shape[1], np.uint64)
        for column in np.sort(steps, axis=0):
            place = place << np.uint64(self.step_bits) | column
        place = place << np.uint64(self.database_bits) | database
        packed: Array = place << np.uint64(self.events) | pending
        return packed

    def check(self, databases: int, steps: int) -> None:
        """Raise AssertionError if there are more databases or steps than bits for their numbers."""
        assert databases <= 1 << self.database_bits, "too many databases"
        assert steps <= 1 << self.step_bits, "too many steps of the handlers"

    def unpack(self, places: Array) -> tuple[Array, Array, Array]:
        """Return the pending events, the databases, and a row of steps for each handler that may run."""
        pending, rest = _split(places, self.events)
        database, rest = _split(rest, self.database_bits)
        steps = []
        for _ in range(self.handlers):
            step, rest = _split(rest, self.step_bits)
            steps.append(step)
        return pending, database, np.array(steps)


def _split(values: Array, bits: int) -> tuple[Array, Array]:
    return values & np.uint64((1 << bits) - 1), values >> np.uint64(bits)


class Moves(NamedTuple):
    """Moves of one kind that lead from places of one region to places of one region.

    Parameters
    ----------
    kind : tuple
        What happens.
    region : Region
        Where they lead.
    sources : array
        The index of the place from which each of them starts.
    places : array
    """

    kind: tuple[Any, ...]
    region: Region
    sources: Array
    places: Array


class Columns(NamedTuple):
    """Places, unpacked.

    Parameters
    ----------
    sources : array
        The index of each place.
    pending, database : array
    steps : array
        A row for each handler that may run.
    """

    sources: Array
    pending: Array
    database: Array
    steps: Array

    def of(self, chosen: Any) -> Columns:
        """Return the chosen ones, by their indexes or a mask."""
        return Columns(
            self.sources[chosen], self.pending[chosen], self.database[chosen], self.steps[:, chosen]
        )

    def after(self, events: Any, database: Array, step: tuple[Any, Any] | None) -> Columns:
        """Return these places with further events, a new database, and a handler's new step."""
        steps = self.steps
        if step is not None:
            steps = steps.copy()
            steps[step[0], np.arange(steps.shape[1])] = step[1]
        return Columns(self.sources, self.pending | np.asarray(events, np.uint64), database, steps)

    def moves(self, kind: tuple[Any, ...], region: Region, layout: Layout) -> Moves:
        """Return the moves that lead to these places of a region."""
        return Moves(kind, region, self.sources, layout.pack(self.pending, self.database, self.steps))


class Numbers:
    """Numbers values in the order in which they come."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.numbers: dict[Hashable, int] = {}

    def of(self, value: Hashable) -> int:
        """Return the number of a value."""
        number = self.numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


def unique(places: Array) -> Array:
    """Return the different places, sorted."""
    places = np.sort(places)
    return places[np.append(True, places[1:] != places[:-1])] if len(places) else places


def without(places: Array, seen: Array) -> Array:
    """Return the places that have not been seen; both are sorted."""
    if not len(seen):
        return places
    positions = np.minimum(np.searchsorted(seen, places), len(seen) - 1)
    found: Array = places[seen[positions] != places]
    return found
