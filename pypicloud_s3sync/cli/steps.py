"""Print the steps that a run reports: live on a terminal, otherwise as plain lines, each flushed at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from ..deploy import Progress
from .console import print_line
from .progress import amount
from .text import one_line

#: From this time on, in seconds, a step is a long one: how long it takes is shown.
LONG = 3
#: One after the other, ten each second.
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
#: Without a terminal: when a step that still runs is printed again, in seconds since its start.
REMINDERS = (10, 60, 180, 300, 600)


class StepPrinter:
    """Shows the steps of a run during a ``with`` block.

    On a terminal, the current step is shown with the time since its start, and what makes it slow. In a log,
    a step that takes time is printed when it starts, and again from time to time while it runs.

    Parameters
    ----------
    console : rich.console.Console
    first : str, optional
        What a terminal shows until the first step begins.
    clock : callable, optional
        Returns the time in seconds.
    reminders : tuple of float, optional
        See :data:`REMINDERS`.
    """

    def __init__(
        self,
        console: Console,
        first: str = "",
        clock: Callable[[], float] = time.monotonic,
        reminders: tuple[float, ...] = REMINDERS,
    ) -> None:
        self.console = console
        self._clock = clock
        self._reminders = reminders
        # TERM=dumb cannot move the cursor. FORCE_COLOR makes a file a terminal for rich, but not for us.
        self._live = console.is_terminal and not console.is_dumb_terminal and _is_a_terminal(console)
        self._stack = ExitStack()
        self._step: str | None = None
        self._current = Progress("", "running", first) if first else None
        self._started = self._reported = clock()
        self._printed = ""
        self._ended = threading.Event()

    def __enter__(self) -> StepPrinter:
        if self._live:
            self._stack.enter_context(
                Live(_Current(self._show), console=self.console, transient=True, refresh_per_second=8)
            )
        return self

    def __exit__(self, *error: object) -> None:
        self._end()
        self._stack.close()

    def __call__(self, progress: Progress) -> None:
        """Show the progress of a step."""
        if progress.state == "running":
            self._run(progress)
            return
        seconds = self._clock() - self._started if progress.step == self._step else 0
        self._end()
        if progress.state != "failed":
            print_line(self.console, f"  ✓ {progress.message}{_elapsed(seconds)}")

    def _run(self, progress: Progress) -> None:
        is_new = progress.step != self._step
        self._reported = self._clock()
        if is_new:
            self._end()
            self._step, self._started = progress.step, self._reported
        self._current = progress
        # The thread looks at the current step, so that has to be set before.
        if is_new and not self._live and not self.console.quiet:
            self._ended = threading.Event()
            threading.Thread(target=self._remind, args=[self._ended], daemon=True).start()
        # A step with a total takes time, so a log says that it has begun.
        if not self._live and progress.total and progress.message != self._printed:
            self._printed = progress.message
            print_line(self.console, f"  … {progress.message}")

    def _end(self) -> None:
        self._ended.set()
        self._step = self._current = None

    def _remind(self, ended: threading.Event) -> None:
        passed = 0.0
        for reminder in self._reminders:
            if ended.wait(reminder - passed):
                return
            passed = reminder
            current = self._current
            if current is not None and not ended.is_set():
                note = f": {current.note}" if current.note else ""
                count = self._amount(current)
                count = f": {count}" if count and not count.startswith("(") else ""
                print_line(self.console, f"  … {current.message}{_elapsed(passed)}{count}{note}")

    def _amount(self, current: Progress) -> str:
        """Return how much of a step is done, with the rate at the last report: more may be done by now."""
        return amount(current.done, current.total, self._reported - self._started)

    def _show(self) -> RenderableType:
        """Return what is shown of the current step: its message and time, and why it may be slow."""
        current = self._current
        if current is None:
            return Text()
        seconds = self._clock() - self._started
        # The time comes first, so that a long message on a narrow terminal does not hide it.
        passed = f"{seconds:.0f} s  " if seconds >= LONG else ""
        count = self._amount(current)
        frame = SPINNER[int(seconds * 10) % len(SPINNER)]
        line = f"  {frame} {passed}{one_line(current.message)}{' ' if count else ''}{count}"
        shown: list[RenderableType] = [Text(line, no_wrap=True, overflow="ellipsis")]
        if current.note and seconds >= LONG:
            # The console itself does not wrap lines.
            note = Text(one_line(current.note), no_wrap=False, overflow="fold")
            shown.append(Padding(note, (0, 0, 0, 4)))
        return Group(*shown)


class _Current:
    """Renders the current step again for each frame."""

    def __init__(self, show: Callable[[], RenderableType]) -> None:
        self._show = show

    def __rich__(self) -> RenderableType:
        return self._show()


def _is_a_terminal(console: Console) -> bool:
    isatty = getattr(console.file, "isatty", None)
    return isatty is not None and isatty()


def _elapsed(seconds: float) -> str:
    if seconds < LONG:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f" ({minutes} min {rest} s)" if minutes else f" ({rest} s)"
