"""Warm events: the calls and the time of a create, an overwrite and a delete."""

from __future__ import annotations

import functools
import itertools
import socket
import time
from collections.abc import Iterator

from benchmarks.bench import Bench, Timed, World, workers, world
from benchmarks.databases import OWN, PEER, fill, key_of
from benchmarks.latency import CHUNK, merged
from benchmarks.results import Figure
from benchmarks.samples import Sample, exact, interleaved
from benchmarks.simulated_s3 import BUCKET
from benchmarks.workers import Worker, event_of, removal_of

#: Seconds that each call takes.
LATENCIES = (0.0, 0.005, 0.02)
KINDS = ("create", "overwrite", "delete")
CALLS = 4
#: The latency for which the time is bounded, and the limit in relation to the calls.
BOUNDED, OVERHEAD = 0.005, 1.15


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
        bare = [bare_call(there, BOUNDED) for _ in range(bench.sizes.runs)]
        correct = {side: rounds[side].are_correct(number) for side, number in numbers.items()}
    for kind in KINDS:
        yield _calls(kind, [[run[kind] for run in runs[0.0][side]] for side in numbers], correct)
    for latency, kind in itertools.product(LATENCIES, KINDS):
        yield _time(latency, kind, [[run[kind] for run in runs[latency][side]] for side in numbers])
    # What no function can be faster than: the loopback interface and the proxy take some time as well.
    yield Figure("a bare call to S3, 5 ms a call, for comparison", "ms", Sample(tuple(bare)))


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


def bare_call(world: World, latency: float) -> float:
    """Return the milliseconds of a HEAD request on an open socket, without anything else."""
    request = f"HEAD /{BUCKET}/{key_of('project0', 1)} HTTP/1.1\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", world.s3_proxy.port)) as connection:
        for seconds in (0.0, latency):  # the first call connects to the server
            world.reset(seconds)
            started = time.perf_counter()
            connection.sendall(request)
            connection.recv(CHUNK)
            passed = time.perf_counter() - started
    return (passed - merged(world.s3_proxy.usage().overdue)) * 1000


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
    bounded = latency == BOUNDED
    return Figure(
        f"a warm {kind}, {latency * 1000:.0f} ms a call",
        "ms",
        own,
        peer,
        f"the calls and 15 %: {limit:.1f} ms" if bounded else "",
        own.median <= limit if bounded else None,
    )
