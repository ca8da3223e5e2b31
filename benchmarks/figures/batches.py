"""Many records in one batch."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator

from benchmarks.bench import Bench, Timed, World, workers, world
from benchmarks.databases import OWN, PEER
from benchmarks.results import Chart, Figure, Line, Panel, speedup
from benchmarks.samples import FEW, Sample, interleaved
from benchmarks.workers import Worker, event_of

LATENCY = 0.02
#: Files of one project.
FILES = 50
COUNT = 1000


def measure(bench: Bench) -> Iterator[Figure | Chart]:
    """Compare batches of each size."""
    sizes = bench.sizes
    count, measured = min(COUNT, max(sizes.records)), max(sizes.peer_records)
    lines: dict[str, dict[int, list[Timed]]] = {OWN: {}, PEER: {}}
    with world(bench, "dynamo") as there, workers(there, {OWN: 0, PEER: 1}) as running:
        batches = itertools.count(1)
        for worker in running.values():
            run(there, worker, 1, batches)
        for size in sizes.records:
            actions: dict[str, Callable[[], Timed]] = {
                side: functools.partial(run, there, worker, size, batches)
                for side, worker in running.items()
                if side == OWN or size in sizes.peer_records
            }
            repeats = sizes.runs if size in (count, measured) else min(FEW, sizes.runs)
            for side, runs in interleaved(actions, repeats).items():
                lines[side][size] = runs
    yield speedup(
        "records in one batch", _wall(lines[OWN][count]), count, _wall(lines[PEER][measured]), measured
    )
    yield Chart(
        "batch",
        "Records in a batch",
        "records",
        (
            _panel("seconds", lines, lambda run: run.wall),
            _panel("calls", lines, lambda run: run.calls),
            _panel("memory of the process (MB)", lines, lambda run: run.memory),
        ),
        "DynamoDB, 20 ms a call, 50 files of each project. The emulator of DynamoDB handles one request after"
        " the other, and its time is included. More than 20 records of pypicloud's own were measured once, by"
        " `--full`.",
    )


def run(world: World, worker: Worker, count: int, batches: Iterator[int]) -> Timed:
    """Return what it costs to save new files, in one batch."""
    number = next(batches)
    keys = [f"x/b{number}x{record // FILES}-{record}.0.tar.gz" for record in range(count)]
    return world.handle(worker, [event_of(keys)], LATENCY)


def _wall(runs: list[Timed]) -> Sample:
    return Sample(tuple(run.wall for run in runs))


def _panel(axis: str, lines: dict[str, dict[int, list[Timed]]], value: Callable[[Timed], float]) -> Panel:
    labels = {OWN: "this project", PEER: "pypicloud's own"}
    return Panel(
        axis,
        tuple(
            Line(
                labels[side], tuple((size, Sample(tuple(map(value, runs)))) for size, runs in points.items())
            )
            for side, points in lines.items()
        ),
    )
