"""The memory of a process that handles many events."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench, workers, world
from benchmarks.databases import OWN, PEER, key_of
from benchmarks.results import Chart, Figure, Line, Panel
from benchmarks.samples import Sample, exact
from benchmarks.workers import Worker, event_of

STEPS = 20
#: Records of an event, as the queue delivers them.
RECORDS = 10
#: How many MB may be added after the first tenth.
FLAT = 2.0


def measure(bench: Bench) -> Iterator[Figure | Chart]:
    """Let both sides create files, and watch their memory."""
    sizes = bench.sizes
    with world(bench, "dynamo") as there, workers(there, {OWN: 0, PEER: 1}) as running:
        there.reset(0)
        own = watch(running[OWN], sizes.events)
        peer = watch(running[PEER], sizes.peer_events)
    grown = growth(own)
    yield Figure(
        f"memory added by {sizes.events:,} events in one process",
        "MB",
        exact(round(grown, 1)),
        f"{growth(peer):.1f} MB by {sizes.peer_events:,}",
        f"flat: at most {FLAT:.0f} MB",
        grown <= FLAT,
    )
    lines = (Line("this project", own), Line("pypicloud's own", peer))
    note = f"{RECORDS} events in a batch, as the queue delivers them."
    yield Chart("memory", "Memory of one process", "events", (Panel("memory (MB)", lines),), note)


def watch(worker: Worker, count: int) -> tuple[tuple[int, Sample], ...]:
    """Return the memory after each of the steps to a number of events."""
    points = []
    for step in range(STEPS):
        numbers = range(count * step // STEPS, count * (step + 1) // STEPS)
        keys = [key_of(f"m{number // 50}", number) for number in numbers]
        events = [event_of(keys[start : start + RECORDS]) for start in range(0, len(keys), RECORDS)]
        points.append((numbers.stop, exact(round(worker.handle(events).rss, 1))))
    return tuple(points)


def growth(points: tuple[tuple[int, Sample], ...]) -> float:
    """Return what is added after the first tenth of the events."""
    return points[-1][1].median - points[STEPS // 10 - 1][1].median
