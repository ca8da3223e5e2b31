"""Show what the demo does, hop by hop, and how long each took."""

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
    """One thing that happened.

    Parameters
    ----------
    step : str
        What, for example ``upload with twine``.
    where : str
        On which side, for example ``us-east-1``.
    seconds : float
    """

    step: str
    where: str
    seconds: float


class HopFailed(S3SyncError):  # noqa: N818 - it says what happened
    """A hop that did not happen; ``logs`` is what the servers said, by the name of the log."""

    def __init__(self, step: str, where: str, cause: BaseException) -> None:
        super().__init__(f"{step} ({where}): {cause}")
        self.logs: dict[str, str] = {}


class Transcript:
    """Live on a terminal, plain lines elsewhere; a table in the end.

    Parameters
    ----------
    console : rich.console.Console
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.hops: list[Hop] = []

    @contextmanager
    def hop(self, step: str, where: str) -> Iterator[None]:
        """Time what happens inside.

        Raises
        ------
        HopFailed
            In place of any other error.
        """
        start = time.monotonic()
        try:
            with self.console.status(f"{step}  [dim]{where}[/]"):
                yield
        except Exception as error:
            raise HopFailed(step, where, error) from error
        hop = Hop(step, where, time.monotonic() - start)
        self.hops.append(hop)
        self.line(f"{hop.seconds:6.2f} s  {step}  ({where})")

    def line(self, text: str) -> None:
        """One line, as it is: whatever brackets are in it and however wide it is."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def table(self) -> None:
        """Every hop with its seconds."""
        table = Table("step", "where", title="What happened")
        table.add_column("seconds", justify="right")
        for hop in self.hops:
            table.add_row(hop.step, hop.where, f"{hop.seconds:.2f}")
        self.console.print(table)

    def failure(self, failed: HopFailed) -> None:
        """The hop that failed and the ends of the logs."""
        for name, tail in failed.logs.items():
            self.line(f"--- the end of the log of {name}\n{tail or '(empty)'}")
        self.line(f"FAILED: {failed}")
