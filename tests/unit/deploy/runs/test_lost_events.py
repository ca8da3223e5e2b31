"""No event is lost while the cache is overloaded or down for hours, which are simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.models import Desired
from support.event_simulation import UNITS, Simulation, Table
from support.fakes import make_desired

pytestmark = pytest.mark.untraced

EVENTS = range(3000)
#: For a longer outage, which is as many attempts.
FEWER = range(300)
#: pypicloud's own tables have five units of capacity.
UNITS_A_SECOND = 5
HOUR = 3600


def without_net(desired: Desired) -> Desired:
    """Return a deployment whose function has no dead-letter target, as before."""
    configuration = {**desired.function.configuration, "DeadLetterConfig": {}}
    return replace(desired, function=replace(desired.function, configuration=configuration))


def desired_for(delivery: Delivery) -> Desired:
    return make_desired(s3sync__delivery=delivery)


@pytest.mark.parametrize("delivery", Delivery)
def test_three_thousand_events_at_once_overload_a_small_table_and_none_is_lost(
    delivery: Delivery, record_property: Callable[[str, object], None]
) -> None:
    done = Simulation(desired_for(delivery), Table(UNITS_A_SECOND)).run(EVENTS)
    assert (done.lost, done.failed) == ([], [])
    assert sorted(done.saved) == list(EVENTS)
    # The capacity alone needs 35 minutes.
    floor = (len(EVENTS) * UNITS - UNITS_A_SECOND * 300) / UNITS_A_SECOND
    assert max(done.saved.values()) < 2 * floor
    record_property("events", len(EVENTS))


@pytest.mark.parametrize("delivery", Delivery)
@pytest.mark.parametrize(("hours", "events"), [(4, EVENTS), (11, FEWER)], ids=["4 hours", "11 hours"])
def test_a_database_that_is_down_for_hours_loses_no_event(
    delivery: Delivery, hours: int, events: range, record_property: Callable[[str, object], None]
) -> None:
    table = Table(UNITS_A_SECOND, down_until=hours * HOUR)
    done = Simulation(desired_for(delivery), table).run(events)
    assert (done.lost, done.failed) == ([], [])
    assert sorted(done.saved) == list(events)
    record_property("events", len(events))


@pytest.mark.parametrize("delivery", Delivery)
def test_after_a_whole_day_the_events_are_in_the_dead_letter_queue(
    delivery: Delivery, record_property: Callable[[str, object], None]
) -> None:
    table = Table(UNITS_A_SECOND, down_until=24 * HOUR)
    done = Simulation(desired_for(delivery), table).run(FEWER)
    assert (done.saved, done.lost) == ({}, [])
    assert sorted(done.failed) == list(FEWER)
    record_property("events", len(FEWER))


def test_without_the_net_events_are_lost() -> None:
    """The simulation can lose events: this is what happened before."""
    desired = without_net(desired_for(Delivery.DIRECT))
    overloaded = Simulation(desired, Table(UNITS_A_SECOND)).run(EVENTS)
    assert len(overloaded.lost) > 1000
    down = Simulation(desired, Table(UNITS_A_SECOND, down_until=4 * HOUR)).run(EVENTS)
    assert len(down.lost) == len(EVENTS)
