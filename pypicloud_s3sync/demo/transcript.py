"""Show the steps of the demo ("hops") and how long each took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from ..exceptions import S3SyncError


@dataclass(frozen=True)
class Hop:
    """A completed step.

    Parameters
    ----------
    step : str
        The name of the step, for example ``upload with twine``.
    place : str
        The region or machine, for example ``us-east-1``.
    seconds : float
    """

    step: str
    place: str
    seconds: float


class HopError(S3SyncError):
    """A step failed. ``logs`` holds the ends of the servers' logs, by their names."""

    def __init__(self, step: str, place: str, cause: BaseException) -> None:
        super().__init__(f"{step} ({place}): {cause}")
        self.logs: dict[str, str] = {}


class Transcript:
    """Prints the steps while they run, with a spinner on a terminal, and a table at the end.

    Parameters
    ----------
    console : rich.console.Console
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.hops: list[Hop] = []

    @contextmanager
    def hop(self, step: str, place: str) -> Iterator[None]:
        """Run a block as a step, and measure its time.

        Raises
        ------
        HopError
            Instead of any other error.
        """
        start = time.monotonic()
        try:
            with self.console.status(f"{step}  [dim]{place}[/]"):
                yield
        except Exception as error:
            raise HopError(step, place, error) from error
        hop = Hop(step, place, time.monotonic() - start)
        self.hops.append(hop)
        self.line(f"{hop.seconds:6.2f} s  {step}  ({place})")

    def line(self, text: str) -> None:
        """Print a line unchanged: without markup, and without wrapping."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def table(self) -> None:
        """Print a table of all steps with their times."""
        table = Table("step", "place", title="Steps")
        table.add_column("seconds", justify="right")
        for hop in self.hops:
            table.add_row(hop.step, hop.place, f"{hop.seconds:.2f}")
        self.console.print(table)

    def failure(self, failed: HopError) -> None:
        """Print the ends of the logs and the step that failed."""
        for name, tail in failed.logs.items():
            self.line(f"--- the end of the log of {name}\n{tail or '(empty)'}")
        self.line(f"FAILED: {failed}")
