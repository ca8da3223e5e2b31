"""The statistics of the benchmarks."""

from __future__ import annotations

import itertools

import pytest

from benchmarks import samples
from benchmarks.samples import Sample, interleaved


def test_a_sample_has_the_median_and_the_extremes_of_its_runs() -> None:
    sample = Sample((3.0, 1.0, 10.0))
    assert (sample.median, sample.spread) == (3.0, (1.0, 10.0))
    assert Sample((1.0, 2.0)).median == 1.5


def test_actions_run_in_turn_and_keep_their_own_results() -> None:
    order: list[str] = []
    numbers = itertools.count()

    def action(name: str) -> int:
        order.append(name)
        return next(numbers)

    results = interleaved({"a": lambda: action("a"), "b": lambda: action("b")}, 3)
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert results == {"a": [0, 2, 4], "b": [1, 3, 5]}


def test_an_action_that_takes_long_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "LONG", -1.0)
    assert interleaved({"a": lambda: 1, "b": lambda: 2}, 9) == {"a": [1], "b": [2]}
