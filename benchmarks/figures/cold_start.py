"""A cold start: the time from a fresh interpreter to the end of the first event, and its memory."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import environments
from benchmarks.bench import Bench, world
from benchmarks.databases import OWN, PEER, key_of
from benchmarks.results import Figure
from benchmarks.samples import Sample, interleaved
from benchmarks.workers import Start, clients_alone, cold_start, event_of

CLIENTS = "clients"


def measure(bench: Bench) -> Iterator[Figure]:
    """Compare fresh workers, and an interpreter that only creates the two clients."""
    event = event_of([key_of("project", 1)])
    with world(bench, "dynamo") as there:
        there.reset(0)

        def start(side: str, number: int) -> Start:
            settings = there.database.settings(number)
            return cold_start(bench.path(side, "dynamo"), settings, there.s3_proxy.port, event)

        for side in (OWN, PEER):  # creates the tables, and fills the caches of the disk
            start(side, 0 if side == OWN else 1)
        runs = interleaved(
            {
                OWN: lambda: start(OWN, 0),
                PEER: lambda: start(PEER, 1),
                CLIENTS: lambda: clients_alone(environments.sdk()),
            },
            bench.sizes.runs,
        )
    seconds = {side: Sample(tuple(run.seconds for run in runs[side])) for side in runs}
    peaks = {side: Sample(tuple(run.peak for run in runs[side])) for side in runs}
    limit = 1.5 * seconds[CLIENTS].median
    yield Figure(
        "cold start: fresh interpreter to the end of the first event",
        "s",
        seconds[OWN],
        seconds[PEER],
        f"1.5 times two botocore clients alone: {limit:.2f} s",
        seconds[OWN].median <= limit,
    )
    yield Figure("two botocore clients alone, for comparison", "s", seconds[CLIENTS])
    yield Figure(
        "peak memory of the cold start", "MB", peaks[OWN], peaks[PEER], "64 MB", peaks[OWN].median <= 64
    )
    yield Figure("peak memory of the clients alone", "MB", peaks[CLIENTS])
