"""Warm events: the calls and the time of a create, an overwrite and a delete."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

from benchmarks.bench import Bench, Timed, World, workers, world
from benchmarks.databases import OWN, PEER, fill, key_of
from benchmarks.results import Figure
from benchmarks.samples import Sample, exact, interleaved
from benchmarks.workers import Worker, event_of, removal_of

#: Seconds that each call takes.
LATENCIES = (0.0, 0.005, 0.02)
KINDS = ("create", "overwrite", "delete")
CALLS = 4
OVERHEAD = 1.15


def measure(bench: Bench) -> Iterator[Figure]:
    """Compare warm events with each latency."""
    with world(bench, "dynamo") as there:
        numbers = {OWN: 0, PEER: 1}
        for number in numbers.values():
            fill(there.database, number, [(f"project{number}", version) for version in range(1, 11)])
        with workers(there, numbers) as running:
            rounds = {
                side: Rounds(there, running[side], f"project{number}") for side, number in numbers.items()
            }
            for side in numbers:  # the first events are not warm
                rounds[side].run(0)
                rounds[side].run(0)
            runs = {
                latency: interleaved(
                    {side: functools.partial(rounds[side].run, latency) for side in numbers},
                    bench.sizes.runs,
                )
                for latency in LATENCIES
            }
        correct = {side: rounds[side].are_correct(number) for side, number in numbers.items()}
    for kind in KINDS:
        yield _calls(kind, [[run[kind] for run in runs[0.0][side]] for side in numbers], correct)
    for latency, kind in itertools.product(LATENCIES, KINDS):
        yield _time(latency, kind, [[run[kind] for run in runs[latency][side]] for side in numbers])


class Rounds:
    """Creates, overwrites and deletes a file a round; the deleted one is older than the newest."""

    def __init__(self, world: World, worker: Worker, project: str) -> None:
        self.world = world
        self.project = project
        self.worker = worker
        self.version = 100

    def run(self, latency: float) -> dict[str, Timed]:
        """Return what each kind of event cost."""
        self.version += 1
        key, older = key_of(self.project, self.version), key_of(self.project, self.version - 1)
        handle = functools.partial(self.world.handle, self.worker, latency=latency)
        costs = {"create": handle([event_of([key])])}
        self.world.s3.put(key)
        costs["overwrite"] = handle([event_of([key])])
        self.world.s3.delete(older)
        return {**costs, "delete": handle([removal_of([older])])}

    def are_correct(self, number: int) -> bool:
        """Return whether the row of the last overwritten file has the time of its object."""
        with self.world.database.cache(number) as cache:
            row = cache.fetch(key_of(self.project, self.version).rpartition("/")[2])
            return bool(row.last_modified.day == 2)


def _calls(kind: str, sides: list[list[Timed]], correct: dict[str, bool]) -> Figure:
    own, peer = (Sample(tuple(run.calls for run in runs)) for runs in sides)
    wrong = "" if correct[PEER] or kind != "overwrite" else f"{peer.median:.0f}, and the row stays as it was"
    return Figure(
        f"calls for a warm {kind}",
        "",
        exact(own.median),
        wrong or exact(peer.median),
        str(CALLS),
        own.median <= CALLS and correct[OWN],
        better=False,
    )


def _time(latency: float, kind: str, sides: list[list[Timed]]) -> Figure:
    own, peer = (Sample(tuple(run.seconds * 1000 for run in runs)) for runs in sides)
    limit = sides[0][0].calls * latency * 1000 * OVERHEAD
    bounded = latency == 0.005
    return Figure(
        f"a warm {kind}, {latency * 1000:.0f} ms a call",
        "ms",
        own,
        peer,
        f"the calls and 15 %: {limit:.1f} ms" if bounded else "",
        own.median <= limit if bounded else None,
    )
