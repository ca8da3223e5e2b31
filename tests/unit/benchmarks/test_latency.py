"""The proxy of the benchmarks counts late answers, and ends with the benchmark."""

from __future__ import annotations

import multiprocessing

from benchmarks.latency import _serve, merged


def test_time_in_which_several_answers_were_late_counts_once() -> None:
    assert merged([(1.0, 3.0), (2.0, 4.0), (10.0, 10.5)]) == 3.5
    assert merged([(0.0, 5.0), (1.0, 2.0), (4.0, 6.0)]) == 6.0


def test_without_late_answers_nothing_is_left_out() -> None:
    assert merged([]) == 0


def test_a_proxy_ends_with_a_benchmark_that_is_killed() -> None:
    ours, its = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(its, 1), daemon=True)
    process.start()
    its.close()
    assert ours.recv() > 0
    ours.close()
    process.join(60)
    assert process.exitcode == 0
