"""The data of the benchmarks: ratios, and what is kept from earlier runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from benchmarks import results
from benchmarks.machine import Machine
from benchmarks.results import Chart, Figure, Line, Panel, Results
from benchmarks.samples import Sample, exact

MACHINE = Machine("CPU", 2, "Linux", "3.12.1", 0.1, "2026-11-26")


def chart_of(points: dict[int, Sample]) -> Chart:
    return Chart("growth", "Growth", "files", (Panel("ms", (Line("own", tuple(points.items())),)),), "Note.")


def test_the_ratio_is_that_of_the_medians() -> None:
    figure = Figure("time", "s", Sample((1.0, 2.0, 9.0)), Sample((40.0, 50.0, 41.0)))
    assert figure.ratio == 20.5


def test_a_figure_that_cannot_be_compared_has_no_ratio() -> None:
    assert Figure("time", "s", exact(1), "does not run").ratio is None
    assert Figure("calls", "", exact(4), exact(5), better=False).ratio is None
    assert Figure("lost", "", exact(0), exact(5)).ratio is None


def test_results_are_the_same_after_they_were_saved(tmp_path: Path) -> None:
    figures = (
        Figure("time", "s", Sample((1.0, 2.0), "2026-11-25"), exact(3), "1 s", False),
        Figure("enable", "s", exact(1), "does not run"),
    )
    saved = Results(MACHINE, figures, (chart_of({1: Sample((1.0,)), 10: exact(2)}),))
    results.save(saved, tmp_path / "results.json")
    assert results.load(tmp_path / "results.json", MACHINE) == saved


def test_before_the_first_run_there_are_no_results(tmp_path: Path) -> None:
    assert results.load(tmp_path / "results.json", MACHINE) == Results(MACHINE)


def test_a_new_figure_replaces_the_earlier_one_and_keeps_its_place() -> None:
    first, second = Figure("a", "s", exact(1)), Figure("b", "s", exact(2))
    better = dataclasses.replace(first, own=exact(0.5))
    assert Results(MACHINE, (first, second)).merged([better]).figures == (better, second)


def test_only_larger_sizes_of_an_earlier_run_stay_in_the_chart() -> None:
    known = Results(MACHINE).merged([chart_of({10: exact(1), 50: exact(2), 1_000_000: exact(9)})])
    (chart,) = known.merged([chart_of({10: exact(2), 100: exact(3)})]).charts
    assert chart == chart_of({10: exact(2), 100: exact(3), 1_000_000: exact(9)})


def test_each_sample_gets_the_date_of_its_run_and_keeps_an_earlier_one() -> None:
    figure = Figure("time", "s", Sample((1.0,)), Sample((2.0,), "2026-11-01"))
    dated = results.dated(figure, "2026-11-26")
    assert dated == Figure("time", "s", Sample((1.0,), "2026-11-26"), Sample((2.0,), "2026-11-01"))
    chart = results.dated(chart_of({1: Sample((1.0,))}), "2026-11-26")
    assert chart == chart_of({1: Sample((1.0,), "2026-11-26")})
