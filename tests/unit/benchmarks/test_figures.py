"""What the figures of the benchmarks make of their measurements, and the simulation of the queue."""

from __future__ import annotations

from benchmarks.bench import QUICK, Bench, Timed
from benchmarks.databases import OWN, PEER
from benchmarks.figures import events, growth, memory, queue, reconciling
from benchmarks.results import Figure
from benchmarks.samples import exact
from benchmarks.workers import event_of, removal_of


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
    def cost(seconds: float) -> list[reconciling.Cost]:
        return [reconciling.Cost(seconds, 1, 50.0)]

    lines = {OWN: {1000: cost(2), 10_000: cost(10)}, PEER: {1000: cost(30)}}
    measured, calculated = reconciling._figures(lines, 1000)
    assert (measured.ratio, measured.reached) == (15, False)
    assert (calculated.ratio, calculated.reached) == (30, True)
    assert "(pypicloud's own: 10 times that of 1,000)" in calculated.title


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
