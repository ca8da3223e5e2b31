"""Draw charts as SVG, the same bytes for the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from benchmarks.results import Chart, Line, Panel

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
SIZE = (4.2, 3.4)


def draw(chart: Chart, directory: Path) -> Path:
    """Write a chart into a directory, and return its path."""
    path = directory / f"{chart.name}.svg"
    width, height = SIZE
    with matplotlib.rc_context(STYLE):
        drawing = Drawing(figsize=(width * len(chart.panels), height), layout="constrained")
        for axes, panel in zip(
            drawing.subplots(1, len(chart.panels), squeeze=False)[0], chart.panels, strict=True
        ):
            _draw_panel(axes, panel, chart.axis)
        drawing.suptitle(chart.title)
        drawing.savefig(path, metadata={"Date": None, "Creator": None})
    # matplotlib leaves spaces at the ends of lines, which git calls errors.
    path.write_text("".join(f"{line.rstrip()}\n" for line in path.read_text().splitlines()))
    return path


def _draw_panel(axes: Axes, panel: Panel, axis: str) -> None:
    for line in panel.lines:
        _draw_line(axes, line)
    axes.set(xscale="log", yscale="log", xlabel=axis, ylabel=panel.axis)
    axes.legend(frameon=False)


def _draw_line(axes: Axes, line: Line) -> None:
    """Draw the medians, with bars from the smallest to the largest value."""
    sizes = [size for size, _ in line.points]
    medians = [sample.median for _, sample in line.points]
    below = [sample.median - sample.spread[0] for _, sample in line.points]
    above = [sample.spread[1] - sample.median for _, sample in line.points]
    axes.errorbar(sizes, medians, yerr=[below, above], label=line.label, marker="o", markersize=3, capsize=2)
