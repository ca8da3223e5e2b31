"""Three thousand events at once on small tables, in a simulation of hours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.results import Figure
from benchmarks.samples import exact
from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.resources import desire
from pypicloud_s3sync.deploy.models import CacheTables, Desired
from support.event_simulation import BURST, UNITS, Simulation, Table
from support.fakes import FINGERPRINT, IDENTITY, REGION, make_settings

EVENTS = 3000
#: The capacity of pypicloud's own tables, and what a new on-demand table takes at once:
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
TABLES = {"5/5": 5, "on-demand": 4000}
#: How many times the time that the capacity alone needs is near it.
NEAR = 1.25
#: The peer writes a row and a summary without a transaction, for half the units.
PEER_UNITS = 2


def measure(bench: Bench) -> Iterator[Figure]:
    """Compare the queue with what Lambda does without one."""
    for name, units in TABLES.items():
        desired = deployment(Delivery.SQS, on_demand=name == "on-demand")
        own = Simulation(desired, Table(units)).run(range(EVENTS))
        peer = Simulation(without_net(), Table(units * UNITS // PEER_UNITS)).run(range(EVENTS))
        lost = len(own.lost) + len(own.failed)
        title = f"{EVENTS:,} events at once, {name} tables, simulated"
        yield Figure(f"{title}: lost", "", exact(lost), exact(len(peer.lost)), "0", lost == 0, better=False)
        floor = max(EVENTS * UNITS - units * BURST, 0) / units
        seconds = max(own.saved.values())
        yield Figure(
            f"{title}: the last one saved",
            "s",
            exact(round(seconds)),
            f"{max(peer.saved.values()):,.0f} s, of those that are saved",
            f"{NEAR} times the capacity's floor: {floor * NEAR:,.0f} s" if floor else "",
            seconds <= floor * NEAR if floor else None,
            better=False,
        )


def deployment(delivery: Delivery, on_demand: bool) -> Desired:
    """Return what ``enable`` creates for a delivery and tables of a kind."""
    settings = make_settings(s3sync__delivery=delivery.value)
    return desire(settings, IDENTITY, REGION, FINGERPRINT, CacheTables(on_demand=on_demand))


def without_net() -> Desired:
    """Return a deployment like the peer's: S3 invokes the function, and nothing keeps what fails."""
    desired = deployment(Delivery.DIRECT, on_demand=False)
    configuration = {**desired.function.configuration, "DeadLetterConfig": {}}
    return replace(desired, function=replace(desired.function, configuration=configuration))
