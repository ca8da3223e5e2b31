"""The charts of the benchmarks."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results import Chart, Line, Panel
from benchmarks.samples import Sample

# The benchmarks are not measured, and tracing matplotlib takes long.
pytestmark = pytest.mark.untraced

LINES = (Line("this project", ((10, Sample((1.0, 2.0, 3.0))), (1000, Sample((5.0,))))),)
CHART = Chart("files", "Growth of files", "files", (Panel("ms", LINES), Panel("calls", LINES)))


@pytest.fixture
def charts() -> Any:
    """The module, which imports matplotlib; that takes too long for every worker to do it."""
    from benchmarks import charts

    return charts


def test_a_chart_is_an_svg_with_its_title_axes_and_lines(charts: Any, tmp_path: Path) -> None:
    path = charts.draw(CHART, tmp_path)
    assert path == tmp_path / "files.svg"
    texts = {text for element in ET.parse(path).iter() for text in element.itertext()}
    assert {"Growth of files", "files", "ms", "calls", "this project"} <= {text.strip() for text in texts}


def test_the_same_data_gives_the_same_bytes(charts: Any, tmp_path: Path) -> None:
    first = charts.draw(CHART, tmp_path).read_bytes()
    assert charts.draw(CHART, tmp_path).read_bytes() == first
