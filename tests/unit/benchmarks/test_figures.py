"""What the figures of the benchmarks make of their measurements, and the simulation of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from benchmarks.bench import QUICK, Bench, Timed
from benchmarks.databases import OWN, PEER
from benchmarks.figures import events, growth, memory, queue, reconciling
from benchmarks.results import Figure, speedup
from benchmarks.samples import exact
from benchmarks.workers import Answer, Event, event_of, removal_of


def timed(seconds: float, calls: int = 4) -> Timed:
    return Timed(seconds, calls, 1000, 60.0, seconds)


def test_an_event_must_not_take_longer_than_its_calls_and_15_percent() -> None:
    within = events._time(0.005, "create", [[timed(0.0229)], [timed(0.1)]])
    assert (within.must, within.reached) == ("the calls and 15 %: 23.0 ms", True)
    assert events._time(0.005, "create", [[timed(0.0231)], [timed(0.1)]]).reached is False
    assert events._time(0.02, "create", [[timed(0.1)], [timed(0.2)]]).reached is None


def test_a_row_that_stays_as_it_was_is_named() -> None:
    sides = [[timed(1)], [timed(1, calls=3)]]
    wrong = events._calls("overwrite", sides, {OWN: True, PEER: False})
    assert (wrong.peer, wrong.reached) == ("3, and the row stays as it was", True)
    assert events._calls("create", sides, {OWN: True, PEER: False}).peer == exact(3)
    assert events._calls("create", sides, {OWN: False, PEER: True}).reached is False


def test_memory_that_is_added_after_the_first_tenth_counts() -> None:
    points = tuple((number, exact(50.0 if number < 2 else 60.0 + number)) for number in range(memory.STEPS))
    assert memory.growth(points) == 60 + memory.STEPS - 1 - 50


def test_a_size_for_which_the_peer_needs_minutes_is_calculated_and_said_to_be() -> None:
    own, peer = [reconciling.Cost(10, 1, 50.0)], [reconciling.Cost(3, 1, 50.0)]
    calculated = reconciling._figure("Redis", own, 10_000, peer, 100)
    assert (calculated.ratio, calculated.reached) == (30, True)
    assert calculated.title == (
        "10,000 objects into an empty cache (Redis), 20 ms a call (pypicloud's own: 100 times that of 100)"
    )


def test_a_size_that_both_sides_had_is_compared_as_it_is() -> None:
    measured = speedup("records in one batch", exact(2), 1000, exact(30), 1000)
    assert (measured.ratio, measured.reached) == (15, False)
    assert measured.title == "1,000 records in one batch, 20 ms a call"


def test_every_record_is_in_a_batch_as_the_queue_delivers_it() -> None:
    class Worker:
        keys: ClassVar[list[str]] = []

        def handle(self, events: Sequence[Event]) -> Answer:
            self.keys.extend(record["s3"]["object"]["key"] for event in events for record in event["Records"])
            assert all(len(event["Records"]) <= memory.RECORDS for event in events)
            return Answer(1.0, 1.0, 60.0, 60.0)

    points = memory.watch(Worker(), 500)  # type: ignore[arg-type]
    assert len(Worker.keys) == len(set(Worker.keys)) == points[-1][0] == 500


def test_growth_has_a_panel_for_each_of_the_costs() -> None:
    panels = growth._panels({"Redis": {10: [timed(0.01), timed(0.03), timed(0.02)]}})
    assert [panel.axis for panel in panels] == ["ms", "calls", "KB received", "memory (MB)"]
    assert [panel.lines[0].points[0][1].median for panel in panels] == [20, 4, 1, 60]


def test_the_queue_loses_nothing_and_lambda_alone_does() -> None:
    figures = {figure.title: figure for figure in queue.measure(Bench(QUICK))}
    lost = figures["3,000 events at once, 5/5 tables, simulated: lost"]
    assert isinstance(lost, Figure)
    assert not isinstance(lost.peer, str)
    assert lost.own.median == 0 < lost.peer.median
    assert all(figure.reached is not False for figure in figures.values())


def test_events_name_the_keys_and_what_happened() -> None:
    (created,) = event_of(["x/a-1.0.tar.gz"])["Records"]
    (removed,) = removal_of(["x/a-1.0.tar.gz"])["Records"]
    assert (
        created["s3"] == removed["s3"] == {"bucket": {"name": "bucket"}, "object": {"key": "x/a-1.0.tar.gz"}}
    )
    assert created["eventName"].startswith("ObjectCreated")
    assert removed["eventName"].startswith("ObjectRemoved")
