"""An empty cache is filled from a bucket: by ``reconcile``, and by pypicloud's own rebuild.

Redis is measured at each size, also with a cache that is in sync, and with one of which one percent differs.
"""

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
from benchmarks.results import Chart, Figure, Line, Panel, speedup
from benchmarks.samples import FEW, Sample, interleaved
from benchmarks.simulated_s3 import key_of
from pypicloud_s3sync.deploy.cache.reading import WORKERS
from pypicloud_s3sync.devtools.processes import clean_environment

LATENCY = 0.02
#: The numbers of objects in the table.
COUNTS = (1000, 10_000)
IN_SYNC, DAMAGED = "in sync", "damaged"
LABELS = {
    OWN: "reconcile",
    IN_SYNC: "reconcile, already in sync",
    DAMAGED: "reconcile, 1 % differs",
    PEER: "pypicloud's own rebuild",
}
#: The rows of which one is damaged.
EVERY = 100
#: The caches by the name of their backend; the others are measured at one size, and once at a larger one.
REDIS, OTHERS = "Redis", {"dynamo": "DynamoDB", "postgres": "PostgreSQL"}
OTHERS_COUNT, OTHERS_LARGE = COUNTS
#: The objects that the peer gets with those.
OTHERS_PEER = 20
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
    measured = max(sizes.peer_objects)
    reported = sorted({min(count, max(sizes.objects)) for count in COUNTS})
    few = min(FEW, sizes.runs)
    with world(bench, "redis") as there:
        for count in sizes.objects:
            actions = {OWN: functools.partial(fill, there, OWN, count)}
            if count in sizes.peer_objects:
                actions[PEER] = functools.partial(fill, there, PEER, count)
            in_table = count in (measured, *reported)
            for kind, runs in interleaved(actions, sizes.runs if in_table else few).items():
                lines[kind][count] = runs
            _empty(there)
            _run(there, OWN, count)
            for kind, runs in interleaved(
                {
                    IN_SYNC: functools.partial(_run, there, OWN, count),
                    DAMAGED: functools.partial(repair, there, count),
                },
                few,
            ).items():
                lines[kind][count] = runs
    for count in reported:
        yield _figure(REDIS, lines[OWN][count], count, lines[PEER][measured], measured)
    for backend in sizes.others:
        yield from _other(bench, backend, OTHERS[backend])
    yield Chart(
        "reconcile",
        "Objects in a reconcile",
        "objects",
        (
            _panel("seconds", lines, lambda cost: cost.seconds),
            _panel("calls", lines, lambda cost: cost.calls),
            _panel("peak memory (MB)", lines, lambda cost: cost.peak),
        ),
        f"Redis, 20 ms a call, {WORKERS} workers, 50 files of each project. The cache is empty, in sync, or"
        " each hundredth row is lost or outdated. More than 10,000 objects, and more than 100 for pypicloud's"
        " own, were measured once, by `--full`.",
    )


def _other(bench: Bench, backend: str, label: str) -> Iterator[Figure]:
    """Compare both with another cache."""
    count = min(OTHERS_COUNT, max(bench.sizes.objects))
    with world(bench, backend) as there:
        if backend == "dynamo":
            _raise_capacity(there)
        actions = {
            OWN: functools.partial(fill, there, OWN, count),
            PEER: functools.partial(fill, there, PEER, OTHERS_PEER),
        }
        runs = interleaved(actions, bench.sizes.runs)
        yield _figure(label, runs[OWN], count, runs[PEER], OTHERS_PEER)
        if max(bench.sizes.objects) >= OTHERS_LARGE:
            large = [fill(there, OWN, OTHERS_LARGE)]
            yield _figure(label, large, OTHERS_LARGE, runs[PEER], OTHERS_PEER)


def fill(world: World, side: str, count: int) -> Cost:
    """Return what it costs a side to fill an empty cache."""
    _empty(world)
    return _run(world, side, count)


def repair(world: World, count: int) -> Cost:
    """Return what it costs to reconcile a cache of which one percent is damaged."""
    _damage(world, count)
    return _run(world, OWN, count)


def _empty(world: World) -> None:
    with world.database.cache(0) as cache:
        # pypicloud deletes all keys of Redis in a single command.
        cache.db.flushdb() if world.database.name == "redis" else cache.clear_all()


def _raise_capacity(world: World) -> None:
    """Give DynamoDB's tables on-demand capacity; reconcile waits for tables as pypicloud creates them."""
    with world.database.cache(0) as cache:
        client = cache.engine.dynamo.client
        for table in client.list_tables()["TableNames"]:
            client.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")


def _damage(world: World, count: int) -> None:
    """Damage each hundredth row: lose it or, in turn, let it be of an earlier upload."""
    with world.database.cache(0) as cache:
        for number in range(0, count, EVERY):
            row = cache.redis_key(key_of(number).rpartition("/")[2])
            cache.db.hset(row, "last_modified", "1") if number % (2 * EVERY) else cache.db.delete(row)


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


def _figure(cache: str, own: list[Cost], count: int, peer: list[Cost], measured: int) -> Figure:
    return speedup(f"objects into an empty cache ({cache})", _seconds(own), count, _seconds(peer), measured)


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
