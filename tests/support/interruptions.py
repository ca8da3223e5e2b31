"""Kill runs of a deployment after their mutating calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.sites import Killed, Site


def mutating_calls(site: Site, run: Callable[[], object]) -> list[str]:
    """Call ``run`` and return the mutating calls that it made, in order."""
    site.watch.mutations.clear()
    run()
    return list(site.watch.mutations)


def calls_of_killed_runs(site: Site, run: Callable[[], object]) -> list[str]:
    """Kill each run after its first mutating call, until one makes none; return the calls of all runs.

    After every call, a new run starts from what the earlier ones left. So the runs visit each state that a
    killed run can leave, without a deployment from nothing for each. They go on correctly if their calls are
    those of a single run, possibly in another order: nothing is repeated and nothing is left out. They do not
    show a resumed run that goes on to its end; use :func:`kill` for that.
    """
    calls: list[str] = []
    for _ in range(40):
        site.watch.mutations.clear()
        site.watch.kill_after = 1
        try:
            run()
        except Killed:
            calls += site.watch.mutations
        else:
            return calls
        finally:
            site.watch.kill_after = None
    raise AssertionError(f"the runs never end: {calls}")


def kill(site: Site, run: Callable[[], object], after: int) -> None:
    """Call ``run`` and kill it after this number of mutating calls."""
    site.watch.mutations.clear()
    site.watch.kill_after = after
    try:
        with pytest.raises(Killed):
            run()
    finally:
        site.watch.kill_after = None
