"""An event in a project of many files, and in a cache of many projects, on each backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.bench import Bench, Timed, World, workers, world
from benchmarks.databases import OWN, PEER, SERVERS, fill, key_of
from benchmarks.results import Chart, Line, Panel
from benchmarks.samples import FEW, Sample, interleaved
from benchmarks.workers import Worker, event_of, removal_of

LATENCY = 0.005
#: What is drawn of each event.
AXES: dict[str, Callable[[Timed], float]] = {
    "ms": lambda run: run.seconds * 1000,
    "calls": lambda run: run.calls,
    "KB received": lambda run: run.received / 1000,
    "memory (MB)": lambda run: run.memory,
}
KINDS = {"create": "Create a file", "delete": "Delete the newest file"}
TITLES = {"dynamo": "DynamoDB", "redis": "Redis", "postgres": "PostgreSQL"}
#: pypicloud's own bundle has no driver for PostgreSQL.
BACKENDS_OF = {OWN: ("dynamo", "redis", "postgres"), PEER: ("dynamo", "redis")}
LABELS = {OWN: "", PEER: ", pypicloud's own"}
NOTE = (
    "5 ms a call. Time that the servers need beyond that is left out. pypicloud's own function does not look"
    " for the newest file: a summary stays as the last event left it, even if it is that of a deleted file."
)

#: The runs by kind of event, label of the line, and size.
Lines = dict[str, dict[str, dict[int, list[Timed]]]]


@dataclass(frozen=True)
class Newest:
    """Creates and deletes the newest file of a project."""

    world: World
    worker: Worker
    key: str

    def run(self) -> dict[str, Timed]:
        """Return what both events cost."""
        self.world.s3.put(self.key)
        created = self.world.handle(self.worker, [event_of([self.key])], LATENCY)
        self.world.s3.delete(self.key)
        return {
            "create": created,
            "delete": self.world.handle(self.worker, [removal_of([self.key])], LATENCY),
        }


def measure(bench: Bench) -> Iterator[Chart]:
    """Measure both kinds of growth on each backend."""
    files: Lines = {kind: {} for kind in KINDS}
    projects: Lines = {kind: {} for kind in KINDS}
    for backend in SERVERS:
        with world(bench, backend) as there:
            sides = [side for side, backends in BACKENDS_OF.items() if backend in backends]
            _grow_files(there, sides, files)
            _grow_projects(there, sides, projects)
    for name, axis, lines in (("files", "files of the project", files), ("projects", "projects", projects)):
        for kind, title in KINDS.items():
            yield Chart(f"{name}-{kind}", f"{title}, by {axis}", axis, _panels(lines[kind]), NOTE)


def _grow_files(world: World, sides: Sequence[str], lines: Lines) -> None:
    sizes = world.bench.sizes.files
    numbers = {side: number for number, side in enumerate(sides)}
    for number in numbers.values():
        fill(
            world.database,
            number,
            [(f"p{size}", version) for size in sizes for version in range(1, size + 1)],
        )
    with workers(world, numbers) as running:
        for size in sizes:
            actions = {
                side: Newest(world, worker, key_of(f"p{size}", size + 1)).run
                for side, worker in running.items()
            }
            _collect(world, actions, size, lines)


def _grow_projects(world: World, sides: Sequence[str], lines: Lines) -> None:
    numbers = {side: number + 2 for number, side in enumerate(sides)}
    with workers(world, numbers) as running:
        filled = 0
        for size in world.bench.sizes.projects:
            for number in numbers.values():
                fill(world.database, number, [(f"q{project}", 1) for project in range(filled, size)])
            filled = size
            actions = {side: Newest(world, worker, key_of("q0", 2)).run for side, worker in running.items()}
            _collect(world, actions, size, lines)


def _collect(
    world: World, actions: dict[str, Callable[[], dict[str, Timed]]], size: int, lines: Lines
) -> None:
    for action in actions.values():  # the first event of a project that the server wrote stores a checksum
        action()
    for side, runs in interleaved(actions, min(FEW, world.bench.sizes.runs)).items():
        label = TITLES[world.database.name] + LABELS[side]
        for kind in KINDS:
            lines[kind].setdefault(label, {})[size] = [run[kind] for run in runs]


def _panels(lines: dict[str, dict[int, list[Timed]]]) -> tuple[Panel, ...]:
    return tuple(
        Panel(axis, tuple(Line(label, _points(points, value)) for label, points in lines.items()))
        for axis, value in AXES.items()
    )


def _points(
    points: dict[int, list[Timed]], value: Callable[[Timed], float]
) -> tuple[tuple[int, Sample], ...]:
    return tuple((size, Sample(tuple(map(value, runs)))) for size, runs in points.items())
