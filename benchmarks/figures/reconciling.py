"""An empty cache is filled from a bucket: by ``reconcile``, and by pypicloud's own rebuild."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import environments
from benchmarks.bench import Bench, World, world
from benchmarks.databases import OWN, PEER
from benchmarks.results import Chart, Figure, Line, Panel
from benchmarks.samples import Sample, interleaved
from pypicloud_s3sync.devtools.processes import clean_environment

LATENCY = 0.02
COUNT = 10_000
TIMES = 20
IN_SYNC = "in sync"
LABELS = {OWN: "reconcile", IN_SYNC: "reconcile, already in sync", PEER: "pypicloud's own rebuild"}
SCRIPTS = {OWN: "reconcile.py", PEER: "rebuild.py"}


@dataclass(frozen=True)
class Cost:
    """The time, the calls to S3 and to the database, and the peak of the memory in MB."""

    seconds: float
    calls: int
    peak: float


#: The runs by kind and number of objects.
Lines = dict[str, dict[int, list[Cost]]]


def measure(bench: Bench) -> Iterator[Figure | Chart]:
    """Compare both on buckets of each size."""
    sizes = bench.sizes
    lines: Lines = {kind: {} for kind in LABELS}
    with world(bench, "redis") as there:
        for count in sizes.objects:
            actions: dict[str, Callable[[], dict[str, Cost]]] = {OWN: functools.partial(fill, there, count)}
            if count in sizes.peer_objects:
                actions[PEER] = functools.partial(rebuild, there, count)
            for runs in interleaved(actions, sizes.runs).values():
                for kind in runs[0]:
                    lines[kind][count] = [run[kind] for run in runs]
    yield from _figures(lines, max(sizes.peer_objects))
    yield Chart(
        "reconcile",
        "Objects in a reconcile",
        "objects",
        (
            _panel("seconds", lines, lambda cost: cost.seconds),
            _panel("calls", lines, lambda cost: cost.calls),
            _panel("peak memory (MB)", lines, lambda cost: cost.peak),
        ),
        "Redis, 20 ms a call, 32 workers, 50 files of each project. The cache is empty, or in sync.",
    )


def fill(world: World, count: int) -> dict[str, Cost]:
    """Return what it costs to reconcile an empty cache, and again."""
    _empty(world)
    return {OWN: _run(world, OWN, count), IN_SYNC: _run(world, OWN, count)}


def rebuild(world: World, count: int) -> dict[str, Cost]:
    """Return what it costs the peer to fill an empty cache."""
    _empty(world)
    return {PEER: _run(world, PEER, count)}


def _empty(world: World) -> None:
    with world.database.cache(0) as cache:
        cache.db.flushdb()


def _run(world: World, side: str, count: int) -> Cost:
    """Return what a process of its own costs."""
    world.reset(LATENCY)
    url = f"http://127.0.0.1:{world.s3_proxy.port}"
    s3 = {"storage.endpoint_url": url, "storage.addressing_style": "path", "s3sync.endpoint_url": url}
    keys = {"storage.aws_access_key_id": "key", "storage.aws_secret_access_key": "secret"}
    settings = {
        **world.database.settings(0),
        **s3,
        **keys,
        "pypi.storage": "s3",
        "storage.prefix": str(count),
    }
    document = _document(side, settings)
    calls = world.s3_proxy.usage().calls + world.database.proxy.usage().calls
    return Cost(document["seconds"], calls, document["peak"] / 1024)


def _document(side: str, settings: Mapping[str, str]) -> dict[str, float]:
    own = Path(sys.executable)
    python = own if side == OWN else environments.peer().directory / "bin" / "python"
    command = [str(python), str(environments.SCRIPTS / SCRIPTS[side]), json.dumps(settings)]
    result = subprocess.run(command, env=clean_environment(), capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{command} failed:\n{result.stderr}")
    document: dict[str, float] = json.loads(result.stdout)
    return document


def _figures(lines: Lines, measured: int) -> Iterator[Figure]:
    """Yield the figure that both sides were measured with, and that of a size the peer needs minutes for."""
    own, peer = lines[OWN], _seconds(lines[PEER][measured])
    yield _figure(measured, _seconds(own[measured]), peer)
    if COUNT in own and measured < COUNT:
        times = COUNT // measured
        scaled = Sample(tuple(value * times for value in peer.values))
        yield _figure(
            COUNT, _seconds(own[COUNT]), scaled, f" (pypicloud's own: {times} times that of {measured:,})"
        )


def _figure(count: int, own: Sample, peer: Sample, note: str = "") -> Figure:
    return Figure(
        f"{count:,} objects into an empty cache (Redis), 20 ms a call{note}",
        "s",
        own,
        peer,
        f"{TIMES} times",
        peer.median / own.median >= TIMES,
    )


def _seconds(costs: list[Cost]) -> Sample:
    return Sample(tuple(cost.seconds for cost in costs))


def _panel(axis: str, lines: Lines, value: Callable[[Cost], float]) -> Panel:
    return Panel(
        axis,
        tuple(
            Line(
                LABELS[side],
                tuple((count, Sample(tuple(map(value, costs)))) for count, costs in points.items()),
            )
            for side, points in lines.items()
        ),
    )
