"""How the proxy of the benchmarks sums up answers that came later than they should."""

from __future__ import annotations

from benchmarks.latency import merged


def test_time_in_which_several_answers_were_late_counts_once() -> None:
    assert merged([(1.0, 3.0), (2.0, 4.0), (10.0, 10.5)]) == 3.5
    assert merged([(0.0, 5.0), (1.0, 2.0), (4.0, 6.0)]) == 6.0


def test_without_late_answers_nothing_is_left_out() -> None:
    assert merged([]) == 0
