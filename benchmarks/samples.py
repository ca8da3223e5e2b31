"""Run actions in turn, and summarize what they return by the median and the spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

#: Runs of each action.
RUNS = 9
#: Runs of what is only in a chart.
FEW = 3
#: Seconds after which one run of an action is enough.
LONG = 15.0


@dataclass(frozen=True)
class Sample:
    """The values of some runs.

    Parameters
    ----------
    values : tuple of float
        One value for each run.
    date : str
        The day of the measurement, in ISO format; empty for today's.
    is_exact : bool
        Whether the value is the same in each run, for example a number of bytes.
    """

    values: tuple[float, ...]
    date: str = ""
    is_exact: bool = False

    @property
    def median(self) -> float:
        """The median of the runs."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return min(self.values), max(self.values)


def exact(value: float) -> Sample:
    """Return the sample of a value that is the same in each run."""
    return Sample((value,), is_exact=True)


def interleaved(actions: Mapping[str, Callable[[], T]], runs: int = RUNS) -> dict[str, list[T]]:
    """Run each action several times, in turn, so that a slow minute of the machine slows all of them.

    Parameters
    ----------
    actions : mapping of str to callable
        Each returns what it measured.
    runs : int
        How often each is run. An action that takes longer than :data:`LONG` is run only once.

    Returns
    -------
    dict
        For each action, the results of its runs.
    """
    results: dict[str, list[T]] = {name: [] for name in actions}
    long: set[str] = set()
    for _ in range(runs):
        for name, action in actions.items():
            if name in long:
                continue
            started = time.perf_counter()
            results[name].append(action())
            if time.perf_counter() - started > LONG:
                long.add(name)
    return results


def timed(action: Callable[[], object]) -> float:
    """Return how many seconds an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
