"""Try faults, random histories and interleavings on every core: ``make soak``, or ``python tests/soak.py``.

First the tests marked with ``soak`` run, which ``make test`` leaves out, and those with random examples, of
which they try 67 times as many. Then every fault is tried at every call of every command, random histories
are played, and at last the interleavings of two and three handlers are explored: every one of them, in ever
larger scopes. Each part prints what it has done. ``--large`` adds the scopes that take longer than everything
else together.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pypicloud_s3sync.garbage import few_collections
from support import faults, models, replication_faults
from support.backends import Backend, Dynamo, Redis, RedisCluster, Sql
from support.exploration import SCOPES, Exploration
from support.histories import check
from support.sites import zip_of

BACKENDS: tuple[type[Backend], ...] = (Dynamo, Redis, RedisCluster, Sql)


class Handlers(NamedTuple):
    """The handlers of some explorations, and the largest number of operations with each model.

    Parameters
    ----------
    text : str
    scope : dict
    operations, large : dict
        By default, and with ``--large``.
    """

    text: str
    scope: dict[str, Any]
    operations: dict[type[models.Model], int]
    large: dict[type[models.Model], int]


HANDLERS = (
    Handlers(
        "two handlers beside the server",
        {"handlers": 2, "server": True},
        {models.Sql: 4, models.Dynamo: 3, models.Redis: 3, models.RedisServer: 3},
        {models.Dynamo: 4, models.Redis: 4, models.RedisServer: 4},
    ),
    Handlers(
        "two handlers",
        {"handlers": 2, "server": False},
        {models.Sql: 4, models.Dynamo: 4, models.Redis: 4, models.RedisServer: 4},
        {},
    ),
    Handlers(
        "three handlers",
        {"handlers": 3, "server": False, "pairs": True},
        {models.Sql: 4, models.Dynamo: 2, models.Redis: 2, models.RedisServer: 2},
        {models.Dynamo: 3, models.Redis: 3, models.RedisServer: 3},
    ),
)


class Task(NamedTuple):
    """An exploration. The model and the keys are named, because a process must be able to take it."""

    handlers: int
    model: str
    keys: str
    operations: int


def tasks(large: bool) -> Iterator[Task]:
    """Yield the explorations."""
    for index, handlers in enumerate(HANDLERS):
        for model, operations in (handlers.operations | (handlers.large if large else {})).items():
            for keys in SCOPES:
                yield from (Task(index, model.__name__, keys, count) for count in range(1, operations + 1))


def explore(task: Task) -> tuple[str, int, tuple[str, ...]]:
    """Explore a scope; return its text, the number of states, and the moves of a counterexample."""
    handlers, started = HANDLERS[task.handlers], time.monotonic()
    model, (keys, names) = getattr(models, task.model), SCOPES[task.keys]
    with few_collections():
        result = Exploration(model(), keys, names, operations=task.operations, **handlers.scope).run()
    text = (
        f"{task.model}, {handlers.text}, {task.keys}, operations: {task.operations}, "
        f"{result.states:,} states, at most {result.most:,} at a time, {time.monotonic() - started:.0f} s"
    )
    return text, result.states, result.counterexample


def explore_all(large: bool = False) -> int:
    """Explore every scope; return how many have a counterexample."""
    states = failed = done = 0
    chosen = sorted(tasks(large), key=lambda task: task.operations)
    with multiprocessing.Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        for text, count, counterexample in pool.imap_unordered(explore, chosen):
            states, failed, done = states + count, failed + bool(counterexample), done + 1
            print(f"{done} of {len(chosen)}: {text}", *counterexample, sep="\n  ", flush=True)
    print(f"{states:,} states of {done} explorations: {failed} have a counterexample", flush=True)
    return failed


def run_marked_tests() -> int:
    """Run the tests marked with ``soak`` and those with random examples; return 1 if any of them failed."""
    workers = ["-n", str(os.cpu_count()), "--dist", "loadgroup"]
    # With so many examples, a test takes longer than the usual limit.
    chosen = ["-m", "soak or hypothesis", "--hypothesis-profile", "soak", "--timeout", "1800"]
    command = [sys.executable, "-m", "pytest", *chosen, *workers]
    return int(subprocess.run(command, cwd=Path(__file__).parents[1]).returncode != 0)


class Disturbed(NamedTuple):
    """A scenario of ``enable`` and ``disable``, or one of ``replicate``."""

    replicate: bool
    name: str


def disturbed() -> Iterator[Disturbed]:
    """Yield the scenarios that are disturbed."""
    yield from (Disturbed(False, scenario.name) for scenario in faults.scenarios())
    yield from (Disturbed(True, scenario.name) for scenario in replication_faults.scenarios())


def matrix_of(chosen: Disturbed, bundle: Path) -> faults.Matrix | replication_faults.Matrix:
    """Return the faults of a scenario."""
    if chosen.replicate:
        return replication_faults.Matrix(
            next(scenario for scenario in replication_faults.scenarios() if scenario.name == chosen.name)
        )
    return faults.Matrix(
        next(scenario for scenario in faults.scenarios() if scenario.name == chosen.name), bundle
    )


def disturb(chosen: Disturbed) -> tuple[str, int, list[str]]:
    """Try every fault at every call of a scenario; return how many, and what is wrong then."""
    with tempfile.TemporaryDirectory() as directory:
        bundle = Path(directory, "bundle.zip")
        bundle.write_bytes(zip_of("def handle_s3_event(event, context):\n    return {}\n"))
        matrix = matrix_of(chosen, bundle)
        cases = list(matrix.cases())
        text = f"{'replicate, ' if chosen.replicate else ''}{chosen.name}"
        return text, len(cases), [problem for case in cases if (problem := matrix.problem(*case))]


def disturb_all() -> int:
    """Try every fault at every call of every scenario; return how many are not repaired."""
    tried = failed = 0
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for text, count, problems in pool.imap(disturb, disturbed()):
            tried, failed = tried + count, failed + len(problems)
            print(f"{text}: {count:,} faults, {len(problems)} failed", *problems, sep="\n  ", flush=True)
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


def play_all(count: int, seed: int) -> int:
    """Play the histories of ``count`` seeds; return how many failed."""
    played = failed = 0
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for failure in pool.imap_unordered(play, range(seed, seed + count), chunksize=100):
            played += 1
            if failure is not None:
                failed += 1
                print(failure, flush=True)
            if played % 5000 == 0:
                print(f"{played:,} of {count:,} histories", flush=True)
    names = ", ".join(backend.__name__ for backend in BACKENDS)
    print(f"{played:,} histories of {names} from seed {seed}: {failed} failed", flush=True)
    return failed


def main(arguments: list[str]) -> int:
    """Run all parts; return the exit status, which is 1 if anything failed."""
    parser = argparse.ArgumentParser(
        prog="make soak SOAK_ARGS=",
        description="Run the longest tests, and try faults, random histories and interleavings."
        " It takes one to two hours on two cores.",
    )
    parser.add_argument("count", nargs="?", type=int, default=100_000, help="histories (default: 100,000)")
    parser.add_argument("seed", nargs="?", type=int, default=0, help="seed of the first one (default: 0)")
    parser.add_argument("--large", action="store_true", help="explore larger scopes, too: it takes hours")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    parts: dict[str, Callable[[], int]] = {
        "tests": run_marked_tests,
        "faults": disturb_all,
        "histories": lambda: play_all(options.count, options.seed),
        "explorations": lambda: explore_all(options.large),
    }
    failed = 0
    for name, run in parts.items():
        print(f"== {name}, after {time.monotonic() - started:.0f} s", flush=True)
        failed += run()
    print(f"{failed} failed, {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
