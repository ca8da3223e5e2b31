"""Provide what every figure needs: bundles, sizes, and workers that talk to servers with a latency."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import environments, simulated_s3
from benchmarks.databases import OWN, PEER, SERVERS, Database
from benchmarks.latency import Proxy, merged, proxy
from benchmarks.samples import RUNS
from benchmarks.simulated_s3 import SimulatedS3
from benchmarks.workers import Event, Worker
from pypicloud_s3sync.deploy.bundle import Bundle

#: The ``db.url`` that selects the driver in a bundle.
URLS = {"postgres": "postgresql://user@host/name"}


@dataclass(frozen=True)
class Sizes:
    """The sizes to measure.

    Parameters
    ----------
    runs : int
        Runs of each figure.
    records, objects : tuple of int
        Records in a batch, and objects in a reconcile.
    peer_records, peer_objects : tuple of int
        Those of them that the peer gets: it handles one after the other, and needs minutes for a thousand.
    files, projects : tuple of int
        Files of a project, and projects.
    events, peer_events : int
        Events in one process.
    others : tuple of str
        The caches beside Redis whose reconcile is measured.
    """

    runs: int = RUNS
    records: tuple[int, ...] = (1, 10, 20, 100, 1000, 10_000)
    peer_records: tuple[int, ...] = (1, 10, 20)
    objects: tuple[int, ...] = (10, 100, 1000, 10_000)
    peer_objects: tuple[int, ...] = (10, 100)
    files: tuple[int, ...] = (10, 1000, 20_000)
    projects: tuple[int, ...] = (10, 1000, 20_000)
    events: int = 20_000
    peer_events: int = 200
    others: tuple[str, ...] = ("dynamo",)


#: To try the benchmark itself.
QUICK = Sizes(1, (1, 10), (1, 10), (10, 100), (10,), (10, 50), (10, 50), 200, 20)
#: With sizes that take hours.
FULL = Sizes(
    peer_records=(1, 10, 20, 1000),
    objects=(10, 100, 1000, 10_000, 100_000, 1_000_000),
    peer_objects=(10, 100, 1000, 10_000),
    others=("dynamo", "postgres"),
)


@dataclass
class Bench:
    """The bundles of both sides, built when they are first needed."""

    sizes: Sizes
    _bundles: dict[str, Bundle] = field(default_factory=dict)
    _paths: dict[str, Path] = field(default_factory=dict)

    def bundle(self, backend: str) -> Bundle:
        """Return this project's bundle for a backend."""
        if backend not in self._bundles:
            cache = "sql" if backend in URLS else backend
            self._bundles[backend] = environments.own_bundle(cache, URLS.get(backend))
        return self._bundles[backend]

    def path(self, side: str, backend: str) -> list[Path]:
        """Return the directories that a side's worker imports from: its bundle and the SDK."""
        name = PEER if side == PEER else f"{OWN}-{backend}"
        if name not in self._paths:
            self._paths[name] = (
                environments.unpacked_peer()
                if side == PEER
                else environments.unpack(self.bundle(backend).data, name)
            )
        return [self._paths[name], environments.sdk()]


@dataclass(frozen=True)
class Timed:
    """The cost of some events.

    Parameters
    ----------
    seconds : float
        The time of the handler, with a latency for each call. What a server needed more is left out.
    calls : int
        The calls to S3 and to the database.
    received : int
        The bytes of their answers.
    memory : float
        The memory of the worker, in MB.
    wall : float
        The time that really went by.
    """

    seconds: float
    calls: int
    received: int
    memory: float
    wall: float


@dataclass(frozen=True)
class World:
    """A simulated S3 and a database, each behind a proxy."""

    bench: Bench
    database: Database
    s3: SimulatedS3
    s3_proxy: Proxy

    def worker(self, side: str, number: int) -> Worker:
        """Start a worker of a side on one of the databases."""
        path = self.bench.path(side, self.database.name)
        return Worker(path, self.database.settings(number), self.s3_proxy.port)

    def reset(self, latency: float) -> None:
        """Give S3 and the database a latency in seconds, and begin to count."""
        self.s3_proxy.reset(latency)
        self.database.proxy.reset(latency)

    def handle(self, worker: Worker, events: Sequence[Event], latency: float) -> Timed:
        """Return what it costs a worker to handle some events, one after the other."""
        self.reset(latency)
        answer = worker.handle(events)
        usages = [self.s3_proxy.usage(), self.database.proxy.usage()]
        late = merged(interval for usage in usages for interval in usage.overdue)
        calls, received = (
            sum(values) for values in zip(*((u.calls, u.received) for u in usages), strict=True)
        )
        return Timed(answer.seconds - late, calls, received, answer.rss, answer.seconds)


@contextlib.contextmanager
def world(bench: Bench, backend: str) -> Iterator[World]:
    """Start S3 and a database."""
    with SERVERS[backend]() as database, simulated_s3.serving() as s3, proxy(s3.port) as s3_proxy:
        yield World(bench, database, s3, s3_proxy)


@contextlib.contextmanager
def workers(world: World, numbers: Mapping[str, int]) -> Iterator[dict[str, Worker]]:
    """Start a worker for each side, on a database of its own."""
    with contextlib.ExitStack() as stack:
        yield {side: stack.enter_context(world.worker(side, number)) for side, number in numbers.items()}
