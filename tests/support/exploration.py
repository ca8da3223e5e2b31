"""Enumerate every interleaving of handlers and a server on a small bucket, with models of the databases.

Random histories are samples. This is a proof for a small scope: every order of the steps of the handlers and
a server, with crashes at each step, over two keys and a few operations.

The handlers run the real code, once for each list of answers that a handler may get (:mod:`.handler_steps`),
and never while the interleavings are enumerated. Then a state is a few numbers (:mod:`.state_space`), and two
orders that lead to the same numbers are explored once. So are two orders that differ only in when a step is
made that nobody else sees (:mod:`.silent_steps`).

The assumptions are those of the documentation:

- S3 is strongly consistent, and sends at least one event for each change. It may be taken at any time. If it
  is taken before the server has written the cache itself, it is taken again afterwards.
- An index of DynamoDB lags behind for less time than four pauses of a handler. With the server, it lags for
  less time than an event takes: what the server counts may be outdated, but not what a handler queries.
- A handler may give up after every conflict, and its event is taken again, or try as often as it likes.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from support.state_space import Array, Object, Region, unique, without
from support.states import State, expected
from support.transitions import Transitions


@dataclass(frozen=True)
class Result:
    """What an exploration has found.

    Parameters
    ----------
    states : int
        The number of states.
    most : int
        The largest number of states that were kept at the same time.
    handlers : int
        The number of different steps of the handlers.
    at_rest : frozenset
        The bucket and the database of each state at rest: no event is pending, and nothing runs or lags.
    counterexample : tuple of str
        The moves that lead to a cache that does not match the bucket; empty if there are none.
    """

    states: int
    most: int
    handlers: int
    at_rest: frozenset[Hashable]
    counterexample: tuple[str, ...] = ()


class Exploration(Transitions):
    """All interleavings in a scope."""

    def run(self, limit: int = 1_000_000_000) -> Result:
        """Explore region by region; stop at the first counterexample.

        Only the places of one region are kept, and those that have been reached of later regions.
        """
        states = most = 0
        at_rest: set[Hashable] = set()
        for region, kept, found in self._frontiers():
            states, most = states + len(found), max(most, kept)
            assert states < limit, f"more than {limit:,} states"
            for place in self._resting(region, found):
                database = int(place) >> self.layout.events
                end = region.bucket, self.model.settled(self.databases.values[database])
                if end in at_rest:
                    continue
                at_rest.add(end)
                if not self._is_right(region.bucket, database):
                    moves = list(self._trace((region, place), states))[::-1]
                    return Result(states, most, len(self.code.steps), frozenset(at_rest), tuple(moves))
        return Result(states, most, len(self.code.steps), frozenset(at_rest))

    def _frontiers(self) -> Iterator[tuple[Region, int, Array]]:
        """Yield places that are reached for the first time: their region, and how many places are kept.

        A place counts as reached if it has been reached with more crashes left, because then even more can
        follow.
        """
        bucket, database, pending = self.beginning()
        first = Region(self.operations, self.crashes, bucket)
        nothing = np.zeros((self.handlers, 1), np.uint64)
        reached = {first: [self.layout.pack(np.uint64(pending), np.uint64(database), nothing)]}
        queue = [(first.order, first)]
        #: What has been reached with more crashes left.
        before: dict[Region, Array] = {}
        while queue:
            _, region = heapq.heappop(queue)
            known = before.pop(region, np.zeros(0, np.uint64))
            found = without(unique(np.concatenate(reached.pop(region))), known)
            seen = np.sort(np.concatenate([known, found]), kind="stable")
            before = {other: places for other, places in before.items() if other.bucket == region.bucket}
            waiting = sum(len(some) for some in (*before.values(), *itertools.chain(*reached.values())))
            while len(found):
                yield region, len(seen) + waiting, found
                within = [np.zeros(0, np.uint64)]
                for moves in self.moves(region, found):
                    if moves.region == region:
                        within.append(moves.places)
                        continue
                    if moves.region not in reached:
                        reached[moves.region] = []
                        heapq.heappush(queue, (moves.region.order, moves.region))
                    later = reached[moves.region]
                    later.append(unique(moves.places))
                    if len(later) == 16:
                        later[:] = [unique(np.concatenate(later))]
                found = without(unique(np.concatenate(within)), seen)
                # Both are sorted, and the stable sort merges them.
                seen = np.sort(np.concatenate([seen, found]), kind="stable")
            if self.reduced and region.crashes:
                before[region._replace(crashes=region.crashes - 1)] = seen

    def _resting(self, region: Region, places: Array) -> Array:
        """Return the places where no event is pending and no handler runs."""
        pending, _, steps = self.layout.unpack(places)
        resting: Array = places[(pending == 0) & (steps == 0).all(axis=0) & (region.server is None)]
        return resting

    def _is_right(self, bucket: tuple[Object, ...], database: int) -> bool:
        objects = zip(self.keys, bucket, strict=True)
        live = [self.object(key, number) for key, number in objects if number is not None]
        return _whole_seconds(self.model.state(self.databases.values[database])) == expected(live)

    def _trace(self, wrong: tuple[Region, int], states: int) -> Iterator[str]:
        """Yield the moves that lead to a place, the last one first; explore again up to there."""
        past: list[tuple[Region, Array]] = []
        for region, _, found in self._frontiers():
            past.append((region, found))
            states -= len(found)
            if not states:
                break
        for region, found in reversed(past):
            for moves in self.moves(region, found):
                is_wrong = (moves.places == wrong[1]) & (moves.region == wrong[0])
                if is_wrong.any():
                    source = found[moves.sources[is_wrong][0]]
                    yield self._text(moves.kind, source)
                    wrong = region, source
                    break

    def _text(self, kind: tuple[Any, ...], source: Any) -> str:
        _, _, steps = self.layout.unpack(np.array([source]))
        verb, *details = kind
        if verb in ("asks", "crashes"):
            step = self.code.steps[int(steps[details[0], 0])]
            return f"the handler of {step.batch} {verb} {step.request!r}"[:600]
        return " ".join(map(str, kind))


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
