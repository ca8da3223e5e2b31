"""Write results as Markdown: the table of figures, and the numbers of each chart."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Chart, Figure, Results
from benchmarks.samples import RUNS, Sample

#: The most rows of a chart's numbers: its lines show the others.
MOST_ROWS = 12
HEADER = ("figure", "pypicloud's own", "this project", "ratio", "must reach", "reached")


def report(results: Results) -> str:
    """Return the report."""
    today = results.machine.date
    lines = [
        "# Results of the benchmarks",
        "",
        "Written by `make bench`: do not edit. The [documentation]"
        "(https://pypicloud-s3sync.readthedocs.io/en/latest/benchmarks.html) says what was measured and how.",
        "",
        f"Measured on: {results.machine}.",
        "",
        f"Each figure is the median of {RUNS} runs of both sides in turn, with the smallest and the largest"
        " value in parentheses. If a run takes more than 15 seconds, it is made only once, and marked. So are"
        " the three runs of sizes that are only in a chart. A figure without parentheses is the same in every"
        " run. A figure with a date is from an earlier run.",
        "",
        *rows(HEADER, [row(figure, today) for figure in results.figures]),
        "",
    ]
    for chart in results.charts:
        lines += section(chart, today)
    return "\n".join(lines)


def row(figure: Figure, today: str = "") -> list[str]:
    """Return the cells of a figure."""
    peer = figure.peer if isinstance(figure.peer, str) else show(figure.peer, figure.unit, today)
    ratio = "" if figure.ratio is None else number(figure.ratio)
    reached = {True: "yes", False: "**no**", None: ""}[figure.reached]
    return [figure.title, peer, show(figure.own, figure.unit, today), ratio, figure.must, reached]


def section(chart: Chart, today: str) -> list[str]:
    """Return a chart with its numbers."""
    lines = [f"## {chart.title}", "", f"![{chart.title}]({chart.name}.svg)", ""]
    if chart.note:
        lines += [chart.note, ""]
    for panel in chart.panels:
        sizes = sorted({size for line in panel.lines for size, _ in line.points})
        known = {line.label: dict(line.points) for line in panel.lines}
        cells = [
            [
                f"{size:,}",
                *(show(known[label][size], "", today) if size in known[label] else "" for label in known),
            ]
            for size in some(sizes)
        ]
        lines += [f"{panel.axis}:", "", *rows((chart.axis, *known), cells), ""]
    return lines


def some(sizes: Sequence[int]) -> list[int]:
    """Return at most so many sizes, as far from each other, with the first and the last."""
    count = min(len(sizes), MOST_ROWS)
    return [sizes[round(number * (len(sizes) - 1) / max(1, count - 1))] for number in range(count)]


def rows(header: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    table = [header, ["---"] * len(header), *cells]
    return [f"| {' | '.join(line)} |" for line in table]


def show(sample: Sample, unit: str, today: str = "") -> str:
    """Return a sample as text: the median, its unit, the spread, and what is unusual about its runs."""
    notes = []
    low, high = map(number, sample.spread)
    if low != high:
        notes.append(f"{low}-{high}")
    if len(sample.values) != RUNS and not sample.is_exact:
        notes.append("1 run" if len(sample.values) == 1 else f"{len(sample.values)} runs")
    if sample.date and sample.date != today:
        notes.append(sample.date)
    text = f"{number(sample.median)} {unit}".rstrip()
    return f"{text} ({'; '.join(notes)})" if notes else text


def number(value: float) -> str:
    """Return a number with about three digits."""
    if value == int(value):
        return f"{value:,.0f}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"
