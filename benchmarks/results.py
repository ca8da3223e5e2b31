"""The data of a report: figures for its table, and charts. They are kept as JSON between runs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.samples import Sample

#: How many times as fast as the peer this project must handle many records or objects.
TIMES = 20


@dataclass(frozen=True)
class Figure:
    """A row of the table.

    Parameters
    ----------
    title : str
        What was measured.
    unit : str
        ``s``, ``ms``, ``MB``, or nothing for a number.
    own : Sample
        This project.
    peer : Sample or str
        pypicloud's own function on the same work, or why there is no such figure.
    must : str
        What the figure must reach.
    reached : bool or None
        Whether it does; None if nothing must be reached.
    better : bool
        Whether the ratio of the sides says something.
    """

    title: str
    unit: str
    own: Sample
    peer: Sample | str = ""
    must: str = ""
    reached: bool | None = None
    better: bool = True

    @property
    def ratio(self) -> float | None:
        """The peer's figure divided by this project's."""
        if not self.better or isinstance(self.peer, str) or not self.own.median:
            return None
        return self.peer.median / self.own.median


def speedup(subject: str, own: Sample, count: int, peer: Sample, measured: int) -> Figure:
    """Return how many times as fast as the peer this project is.

    Parameters
    ----------
    subject : str
        What is done with the records or objects.
    own, peer : Sample
        The seconds of both sides.
    count, measured : int
        The records or objects of each side. If the peer had fewer, its time is calculated: it handles one
        after the other.
    """
    note = ""
    if measured < count:
        times = count // measured
        peer = dataclasses.replace(peer, values=tuple(value * times for value in peer.values))
        note = f" (pypicloud's own: {times:,} times that of {measured:,})"
    reached = peer.median / own.median >= TIMES
    return Figure(f"{count:,} {subject}, 20 ms a call{note}", "s", own, peer, f"{TIMES} times", reached)


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Parameters
    ----------
    label : str
    points : tuple of pairs
        A size, and what was measured with it.
    """

    label: str
    points: tuple[tuple[int, Sample], ...]


@dataclass(frozen=True)
class Panel:
    """Lines with the same axes."""

    axis: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Chart:
    """Panels with the same horizontal axis.

    Parameters
    ----------
    name : str
        The name of its file, without the suffix.
    title : str
    axis : str
        What is on the horizontal axis.
    panels : tuple of Panel
    note : str
        What to know about the lines.
    """

    name: str
    title: str
    axis: str
    panels: tuple[Panel, ...]
    note: str = ""


@dataclass(frozen=True)
class Results:
    """Everything that is known, from the last run and, for the largest sizes, from earlier ones."""

    machine: Machine
    figures: tuple[Figure, ...] = ()
    charts: tuple[Chart, ...] = field(default=())

    def merged(self, measured: Iterable[Figure | Chart]) -> Results:
        """Return results with new measurements in place of earlier ones of the same title."""
        figures = {figure.title: figure for figure in self.figures}
        charts = {chart.name: chart for chart in self.charts}
        for item in measured:
            if isinstance(item, Figure):
                figures[item.title] = item
            else:
                charts[item.name] = _with_larger_sizes(item, charts.get(item.name))
        return dataclasses.replace(self, figures=tuple(figures.values()), charts=tuple(charts.values()))


def _with_larger_sizes(chart: Chart, earlier: Chart | None) -> Chart:
    """Return a chart with the points of an earlier one for sizes that are larger than the new ones."""
    known = (
        {}
        if earlier is None
        else {(panel.axis, line.label): dict(line.points) for panel in earlier.panels for line in panel.lines}
    )
    panels = tuple(
        Panel(
            panel.axis,
            tuple(
                Line(line.label, (*line.points, *_larger(line, known.get((panel.axis, line.label), {}))))
                for line in panel.lines
            ),
        )
        for panel in chart.panels
    )
    return dataclasses.replace(chart, panels=panels)


def _larger(line: Line, known: dict[int, Sample]) -> list[tuple[int, Sample]]:
    largest = max((size for size, _ in line.points), default=0)
    return [(size, sample) for size, sample in known.items() if size > largest]


def dated(item: Figure | Chart, date: str) -> Figure | Chart:
    """Return a measurement whose samples have a date."""
    document = dataclasses.asdict(item)
    _set_dates(document, date)
    return _figure(document) if isinstance(item, Figure) else _chart(document)


def save(results: Results, path: Path) -> None:
    """Write results as JSON."""
    path.write_text(json.dumps(dataclasses.asdict(results), indent=1) + "\n")


def load(path: Path, machine: Machine) -> Results:
    """Return the results in a file, or none if there is no file; the machine is that of the next run."""
    if not path.exists():
        return Results(machine)
    document = json.loads(path.read_text())
    return Results(
        machine,
        tuple(_figure(figure) for figure in document["figures"]),
        tuple(_chart(chart) for chart in document["charts"]),
    )


def _set_dates(value: Any, date: str) -> None:
    if isinstance(value, dict):
        if "values" in value:
            value["date"] = value["date"] or date
        for part in value.values():
            _set_dates(part, date)
    elif isinstance(value, list | tuple):
        for part in value:
            _set_dates(part, date)


def _sample(document: dict[str, Any]) -> Sample:
    return Sample(tuple(document["values"]), document["date"], document["is_exact"])


def _figure(document: dict[str, Any]) -> Figure:
    peer = document["peer"]
    sides = {"own": _sample(document["own"]), "peer": peer if isinstance(peer, str) else _sample(peer)}
    return Figure(**{**document, **sides})


def _chart(document: dict[str, Any]) -> Chart:
    panels = tuple(
        Panel(
            panel["axis"],
            tuple(
                Line(line["label"], tuple((size, _sample(sample)) for size, sample in line["points"]))
                for line in panel["lines"]
            ),
        )
        for panel in document["panels"]
    )
    return Chart(**{**document, "panels": panels})
