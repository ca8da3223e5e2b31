"""The figures that may not get worse unnoticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import figures
from support.figures import check_figure


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "figures.json"
    path.write_text('{"bytes": 1000}')
    monkeypatch.setattr(figures, "FIGURES", path)
    monkeypatch.delenv(figures.UPDATE, raising=False)
    return path


@pytest.mark.parametrize("value", [0, 1000, 1030])
def test_a_figure_may_be_better_or_differ_a_little(value: int) -> None:
    check_figure("bytes", value)


def test_a_worse_figure_fails_and_says_how_the_number_is_changed() -> None:
    with pytest.raises(AssertionError, match=r"bytes is 1,031, more than 1,000: .* run `make figures`"):
        check_figure("bytes", 1031)


def test_a_figure_without_a_number_fails() -> None:
    with pytest.raises(AssertionError, match=r"files is 5, and has no number in figures\.json: run"):
        check_figure("files", 5)


def test_an_update_replaces_one_number(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(figures.UPDATE, "1")
    check_figure("files", 5)
    assert json.loads(kept.read_text()) == {"bytes": 1000, "files": 5}
