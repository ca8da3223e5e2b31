"""The table of the benchmarks."""

from __future__ import annotations

import pytest

from benchmarks import table
from benchmarks.machine import Machine
from benchmarks.results import Chart, Figure, Line, Panel, Results
from benchmarks.samples import RUNS, Sample, exact

TODAY = "2026-11-26"
MACHINE = Machine("Some CPU", 2, "Linux x86_64", "3.12.1", 0.3, TODAY)


def runs(*values: float, date: str = TODAY) -> Sample:
    """Return a sample of as many runs as usual."""
    return Sample(values + (values[-1],) * (RUNS - len(values)), date)


@pytest.mark.parametrize(
    ("value", "text"),
    [(4.0, "4"), (0.1234, "0.12"), (12.34, "12.3"), (234.5, "234"), (20000.0, "20,000"), (0.0, "0")],
)
def test_a_number_has_about_three_digits(value: float, text: str) -> None:
    assert table.number(value) == text


def test_a_sample_shows_its_spread_and_what_is_unusual() -> None:
    assert table.show(runs(1.5, 2.25, 1.75), "s", TODAY) == "1.75 s (1.50-2.25)"
    assert table.show(Sample((100.5,), TODAY), "s", TODAY) == "100 s (1 run)"
    assert table.show(exact(4), "", TODAY) == "4"
    assert table.show(runs(2.0, date="2026-11-01"), "MB", TODAY) == "2 MB (2026-11-01)"


@pytest.mark.parametrize("count", [0, 1, 2, table.MOST_ROWS, 40])
def test_the_numbers_of_a_chart_are_a_few_of_its_sizes(count: int) -> None:
    sizes = list(range(10, 10 + count))
    shown = table.some(sizes)
    assert len(shown) == len(set(shown)) == min(count, table.MOST_ROWS)
    assert shown[:1] == sizes[:1]
    assert shown[-1:] == sizes[-1:]


def test_a_row_says_whether_the_figure_is_reached() -> None:
    figure = Figure("bundle", "MB", exact(2.5), exact(50), "2 MB", False)
    assert table.row(figure) == ["bundle", "50 MB", "2.50 MB", "20", "2 MB", "**no**"]
    assert table.row(Figure("plan", "s", exact(1), "has none", "2 s", True))[1:] == [
        "has none",
        "1 s",
        "",
        "2 s",
        "yes",
    ]
    assert table.row(Figure("clients", "s", exact(1)))[1:] == ["", "1 s", "", "", ""]


def test_the_report_names_the_machine_and_has_every_figure_and_chart() -> None:
    lines = (Line("own", ((10, exact(1)), (100, exact(2)))), Line("peer", ((10, exact(5)),)))
    chart = Chart("files", "Growth", "files", (Panel("ms", lines),), "A note.")
    text = table.report(Results(MACHINE, (Figure("bundle", "MB", exact(2)),), (chart,)))
    assert "Some CPU, 2 cores, Linux x86_64, Python 3.12.1, 2026-11-26." in text
    assert "| bundle |  | 2 MB |  |  |  |" in text
    assert "![Growth](files.svg)\n\nA note." in text
    assert "| files | own | peer |\n| --- | --- | --- |\n| 10 | 1 | 5 |\n| 100 | 2 |  |" in text


def test_a_busy_machine_is_named_as_such() -> None:
    assert str(MACHINE).endswith("2026-11-26")
    busy = Machine("CPU", 2, "Linux", "3.12.1", 7.5, TODAY)
    assert str(busy).endswith("2026-11-26, load 7.5 when it began")
