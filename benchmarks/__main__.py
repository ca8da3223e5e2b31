"""Run the benchmarks: ``python -m benchmarks [--quick | --full] [GROUP …]``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import charts, results, table
from benchmarks.bench import FULL, QUICK, Bench, Sizes
from benchmarks.figures import (
    batches,
    bundle,
    cold_start,
    commands,
    events,
    growth,
    memory,
    queue,
    reconciling,
    server_start,
)
from benchmarks.machine import this_machine
from benchmarks.results import Chart, Figure, Results

DIRECTORY = Path(__file__).parent
#: The groups, in the order of the table.
GROUPS: dict[str, Callable[[Bench], Iterable[Figure | Chart]]] = {
    "bundle": bundle.measure,
    "cold-start": cold_start.measure,
    "events": events.measure,
    "batches": batches.measure,
    "queue": queue.measure,
    "reconcile": reconciling.measure,
    "commands": commands.measure,
    "server-start": server_start.measure,
    "memory": memory.measure,
    "growth": growth.measure,
}


def main() -> None:
    """Measure, print the table, and write the report and its charts."""
    parser = argparse.ArgumentParser(
        prog="make bench", description="Measure both sides, and write results.md."
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"only these: {', '.join(GROUPS)}")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="one run of tiny sizes, which writes nothing")
    sizes.add_argument("--full", action="store_true", help="also the sizes that take an hour")
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(GROUPS):
        parser.error(f"unknown group {', '.join(unknown)}: choose from {', '.join(GROUPS)}")
    # Without bytecode files, each process would compile all that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    chosen = arguments.groups or list(GROUPS)
    if arguments.quick:
        with tempfile.TemporaryDirectory() as directory:
            run(chosen, QUICK, Path(directory))
    else:
        run(chosen, FULL if arguments.full else Sizes(), DIRECTORY, whole=not arguments.groups)


def run(groups: Iterable[str], sizes: Sizes, directory: Path, whole: bool = True) -> None:
    """Measure some groups, and write the report into a directory.

    A whole run replaces the table. Of the charts, only sizes remain that it did not measure.
    """
    path, machine = directory / "results.json", this_machine()
    known = results.load(path, machine)
    if whole:
        known = replace(known, figures=())
    bench = Bench(sizes)
    started = time.perf_counter()
    for name in groups:
        measured = list(_measured(name, bench, machine.date))
        # Saved after each group: a run that is interrupted keeps what it has measured.
        known = known.merged(measured)
        results.save(known, path)
        (directory / "results.md").write_text(table.report(known))
    for chart in known.charts:
        charts.draw(chart, directory)
    _print(known, time.perf_counter() - started)


def _measured(name: str, bench: Bench, date: str) -> Iterator[Figure | Chart]:
    started = time.perf_counter()
    for item in GROUPS[name](bench):
        yield results.dated(item, date)
    print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def _print(known: Results, seconds: float) -> None:
    console = Console(width=None if sys.stdout.isatty() else 200)
    shown = Table(*table.HEADER)
    for figure in known.figures:
        shown.add_row(*(cell.replace("[", r"\[") for cell in table.row(figure, known.machine.date)))
    console.print(shown)
    missed = sum(figure.reached is False for figure in known.figures)
    print(f"{known.machine}\n{missed} figures are missed. The run took {seconds / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
