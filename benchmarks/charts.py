"""Draw charts as SVG, the same bytes for the same data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from benchmarks.results import Chart, Line, Panel

#: What the labels of the peer's lines contain.
PEER = "pypicloud's own"
STYLE: dict[Any, Any] = {
    # Without this, each run has other ids.
    "svg.hashsalt": "benchmarks",
    # Text stays text.
    "svg.fonttype": "none",
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
}
#: The width and the height of a panel in inches, and how many are side by side.
SIZE = (4.4, 2.9)
COLUMNS = 2
#: A vertical axis is logarithmic if its values differ by more than this factor.
WIDE = 20


def draw(chart: Chart, directory: Path) -> Path:
    """Write a chart into a directory, and return its path."""
    path = directory / f"{chart.name}.svg"
    columns = min(COLUMNS, len(chart.panels))
    rows = math.ceil(len(chart.panels) / columns)
    with matplotlib.rc_context(STYLE):
        drawing = Drawing(figsize=(SIZE[0] * columns, SIZE[1] * rows + 0.5), layout="constrained")
        grid = list(drawing.subplots(rows, columns, squeeze=False).flat)
        for axes, panel in zip(grid, chart.panels, strict=False):
            _draw_panel(axes, panel, chart.axis)
        for axes in grid[len(chart.panels) :]:
            axes.axis("off")
        drawing.suptitle(chart.title)
        lines, labels = grid[0].get_legend_handles_labels()
        drawing.legend(lines, labels, loc="outside lower center", ncols=3, frameon=False)
        drawing.savefig(path, metadata={"Date": None, "Creator": None})
    # matplotlib leaves spaces at the ends of lines, which git calls errors.
    path.write_text("".join(f"{line.rstrip()}\n" for line in path.read_text().splitlines()))
    return path


def _draw_panel(axes: Axes, panel: Panel, axis: str) -> None:
    medians = [sample.median for line in panel.lines for _, sample in line.points]
    for line in panel.lines:
        _draw_line(axes, line)
    axes.set(xscale="log", xlabel=axis, ylabel=panel.axis)
    axes.xaxis.set_major_formatter(_plain)
    if min(medians) > 0 and max(medians) / min(medians) > WIDE:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(_plain)
    else:
        axes.set_ylim(bottom=0)


def _draw_line(axes: Axes, line: Line) -> None:
    """Draw the medians, with bars from the smallest to the largest value; the peer's are dashed."""
    sizes = [size for size, _ in line.points]
    medians = [sample.median for _, sample in line.points]
    below = [sample.median - sample.spread[0] for _, sample in line.points]
    above = [sample.spread[1] - sample.median for _, sample in line.points]
    style = "--" if PEER in line.label else "-"
    axes.errorbar(
        sizes,
        medians,
        yerr=[below, above],
        capsize=2,
        label=line.label,
        marker="o",
        markersize=3,
        linestyle=style,
    )


def _plain(value: float, position: float) -> str:
    """Return a tick's label: without an exponent."""
    return f"{value:,g}" if value < 1 else f"{value:,.0f}"
