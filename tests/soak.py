"""Play many random histories on every core: ``make soak``, or ``python tests/soak.py [COUNT [SEED]]``.

COUNT is 100,000 by default. The first history has the seed SEED, by default 0. Before that, every fault is
tried at every call of every command, and the interleavings of three handlers are explored: every one of them,
or as many as fit into the memory of ``STATES`` states.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support import models
from support.backends import Backend, Dynamo, Redis, Sql
from support.exploration import explorations
from support.faults import Matrix, scenarios
from support.histories import check
from support.sites import zip_of

BACKENDS: tuple[type[Backend], ...] = (Dynamo, Redis, Sql)
#: The largest number of states of one exploration.
STATES = 3_000_000
#: The operations of each exploration, one size after the other.
OPERATIONS = (1, 2, 3, 4)


def explore() -> int:
    """Explore ever larger scopes with each model; return how many have a counterexample."""
    failed = 0
    for operations in OPERATIONS:
        scope: dict[str, Any] = {"operations": operations, "handlers": 3, "server": False, "pairs": True}
        for name, exploration in explorations((models.Sql, models.Dynamo, models.Redis), **scope):
            try:
                result = exploration.run(STATES)
            except AssertionError as error:
                print(f"{name}, {operations} operations: {error}", flush=True)
                continue
            failed += bool(result.counterexample)
            print(f"{name}, {operations} operations: {result.states:,} states", flush=True)
            print("".join(f"  {move}\n" for move in result.counterexample), end="")
    return failed


def disturb(name: str) -> tuple[str, int, list[str]]:
    """Try every fault at every call of a scenario; return how many, and what is wrong then."""
    with tempfile.TemporaryDirectory() as directory:
        bundle = Path(directory, "bundle.zip")
        bundle.write_bytes(zip_of("def handle_s3_event(event, context):\n    return {}\n"))
        (scenario,) = (scenario for scenario in scenarios() if scenario.name == name)
        matrix = Matrix(scenario, bundle)
        cases = list(matrix.cases())
        return name, len(cases), [problem for case in cases if (problem := matrix.problem(*case))]


def disturb_all() -> int:
    """Try every fault at every call of every scenario; return how many are not repaired."""
    tried = failed = 0
    with multiprocessing.Pool(os.cpu_count()) as pool:
        names = [scenario.name for scenario in scenarios()]
        for name, count, problems in pool.imap(disturb, names):
            tried, failed = tried + count, failed + len(problems)
            print(f"{name}: {count:,} faults, {len(problems)} failed", *problems, sep="\n  ", flush=True)
    print(f"{tried:,} faults at calls to AWS, each with a second run: {failed} failed", flush=True)
    return failed


def play(seed: int) -> str | None:
    """Play the history of a seed; return what failed, or None."""
    backend = BACKENDS[seed % len(BACKENDS)]
    try:
        check(seed, backend)
    except Exception as error:
        return f"{backend.__name__} {seed}: {type(error).__name__}: {error}"
    return None


def main(count: int = 100_000, seed: int = 0) -> int:
    """Play the histories of ``count`` seeds; return the exit status, which is 1 if any failed."""
    started, played, failed = time.monotonic(), 0, disturb_all() + explore()
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for failure in pool.imap_unordered(play, range(seed, seed + count), chunksize=100):
            played += 1
            if failure is not None:
                failed += 1
                print(failure, flush=True)
            if played % 5000 == 0:
                print(f"{played:,} of {count:,}", flush=True)
    names, seconds = ", ".join(backend.__name__ for backend in BACKENDS), time.monotonic() - started
    print(f"{played:,} histories of {names} from seed {seed}: {failed} failed, {seconds:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
