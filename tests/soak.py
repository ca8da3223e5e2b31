"""Play many random histories on every core: ``make soak``, or ``python tests/soak.py [COUNT [SEED]]``.

COUNT is 100,000 by default. The first history has the seed SEED, by default 0. Before that, every fault is
tried at every call of every command, and the interleavings of two handlers, with and without a server, and of
three handlers are explored: all of them, in every scope that has no more than ``STATES`` states.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support import models
from support.backends import Backend, Dynamo, Redis, RedisCluster, Sql
from support.exploration import explorations
from support.faults import Matrix, scenarios
from support.histories import check
from support.sites import zip_of

BACKENDS: tuple[type[Backend], ...] = (Dynamo, Redis, RedisCluster, Sql)
#: The largest number of states of one exploration, which then takes minutes and a few hundred megabytes.
STATES = 10_000_000
#: The operations of each exploration, one size after the other.
OPERATIONS = (1, 2, 3, 4)
#: Two handlers beside the server, and two or three without it.
SCOPES_OF_HANDLERS: tuple[dict[str, Any], ...] = (
    {"handlers": 2, "server": True},
    {"handlers": 2, "server": False},
    {"handlers": 3, "server": False, "pairs": True},
)
#: A server that writes one filename under two keys takes a read and a write of its row.
NOT_BESIDE_THE_SERVER = "one filename under two keys"


def explore() -> int:
    """Explore ever larger scopes with each model; return how many have a counterexample."""
    failed, too_large = 0, set()
    for operations, scope in itertools.product(OPERATIONS, SCOPES_OF_HANDLERS):
        size: dict[str, Any] = {"operations": operations, **scope}
        for name, exploration in explorations(
            (models.Sql, models.Dynamo, models.Redis, models.RedisServer), **size
        ):
            if (name, *scope.items()) in too_large:
                continue
            if scope["server"] and name.endswith(NOT_BESIDE_THE_SERVER):
                continue
            started = time.monotonic()
            try:
                result = exploration.run(STATES)
            except AssertionError as error:
                too_large.add((name, *scope.items()))
                print(f"{name}, {size}: {error}", flush=True)
                continue
            failed += bool(result.counterexample)
            states = f"{result.states:,} states, at most {result.most:,} at a time"
            print(f"{name}, {size}: {states}, {time.monotonic() - started:.0f} s", flush=True)
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
