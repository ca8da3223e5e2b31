"""What people see of the steps of a run, on a terminal and in a log."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import pytest
from rich.console import Console

from pypicloud_s3sync.cli.steps import StepPrinter
from pypicloud_s3sync.deploy import Progress
from pypicloud_s3sync.devtools.processes import wait_until

CREATING = Progress("create function", "running", "creating the function sync", note="its VPC is slow")
CREATED = Progress("create function", "done", "created the function sync")


class Terminal(io.StringIO):
    """A file that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that is set by the test."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def make_console(*, terminal: bool, width: int = 200) -> Console:
    # Of the environment, only TERM counts: the tests may run with NO_COLOR or without a terminal.
    return Console(file=Terminal() if terminal else io.StringIO(), width=width, _environ={"TERM": "xterm"})


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> Iterator[Console]:
    console = make_console(terminal=False)
    yield console
    assert "\x1b" not in printed(console)


def test_in_a_log_a_step_with_a_total_is_printed_once_when_it_starts_and_when_it_ends(log: Console) -> None:
    with StepPrinter(log) as show:
        show(Progress("create role", "running", "creating the role"))
        show(Progress("build bundle", "running", "fetching", 1, 6))
        show(Progress("build bundle", "running", "fetching", 2, 6))
        show(Progress("build bundle", "done", "built the bundle"))
    assert printed(log).splitlines() == ["  … fetching", "  ✓ built the bundle"]


def test_in_a_log_a_long_step_is_printed_while_it_runs_with_the_reason(log: Console, clock: Clock) -> None:
    with StepPrinter(log, clock=clock, reminders=(0.01, 0.02)) as show:
        show(CREATING)
        wait_until(lambda: printed(log).count("\n") == 2, "the step is printed twice")
        clock.now = 75
        show(CREATED)
    assert printed(log).splitlines() == [
        "  … creating the function sync: its VPC is slow",
        "  … creating the function sync: its VPC is slow",
        "  ✓ created the function sync (1 min 15 s)",
    ]


def test_in_a_log_a_step_is_printed_again_however_early_its_thread_runs(
    log: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.run)
    with StepPrinter(log, reminders=(0,)) as show:
        show(CREATING)
    assert printed(log).splitlines() == ["  … creating the function sync: its VPC is slow"]


def test_in_a_log_a_step_that_has_ended_is_not_printed_again(log: Console) -> None:
    with StepPrinter(log, reminders=(0.001,)) as show:
        show(CREATING)
        show(CREATED)
        before = printed(log)
        with pytest.raises(Exception, match="Timed out"):
            wait_until(lambda: printed(log) != before, "more is printed", 0.1)


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_log_in_colour_has_no_moving_parts(variable: str) -> None:
    """Continuous integration sets these variables, so that rich takes a file for a terminal."""
    console = Console(file=io.StringIO(), _environ={variable: "1", "TERM": "xterm"})
    with StepPrinter(console) as show:
        show(CREATING)
        show(CREATED)
    assert printed(console) == "  ✓ created the function sync\n"


def test_a_dumb_terminal_gets_plain_lines() -> None:
    console = Console(file=Terminal(), _environ={"TERM": "dumb"})
    with StepPrinter(console) as show:
        show(CREATING)
        show(CREATED)
    assert printed(console) == "  ✓ created the function sync\n"


def test_each_line_is_flushed() -> None:
    flushed: list[str] = []

    class File(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())

    console = Console(file=File())
    with StepPrinter(console) as show:
        show(CREATED)
        assert flushed[-1] == "  ✓ created the function sync\n"


def test_a_failed_step_is_not_printed_as_done(log: Console) -> None:
    with StepPrinter(log) as show:
        show(Progress("create role", "failed", "AccessDenied"))
    assert printed(log) == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(2.9, ""), (3, " (3 s)"), (59.4, " (59 s)"), (60, " (1 min 0 s)"), (605, " (10 min 5 s)")],
)
def test_a_step_that_took_long_is_shown_with_its_time(
    log: Console, clock: Clock, seconds: float, shown: str
) -> None:
    with StepPrinter(log, clock=clock) as show:
        show(CREATING)
        clock.now = seconds
        show(CREATED)
    assert printed(log) == f"  ✓ created the function sync{shown}\n"


def test_on_a_terminal_a_step_is_shown_while_it_runs() -> None:
    console = make_console(terminal=True)
    with StepPrinter(console) as show:
        show(Progress("create role", "running", "creating the role [x]\x1b[31m", 2, 7))
        wait_until(lambda: r"creating the role [x]\x1b[31m (2 of 7)" in printed(console), "the step is shown")
        show(Progress("create role", "done", "created the role [x]"))
    assert "✓ created the role [x]" in printed(console)


def test_on_a_terminal_a_long_step_is_shown_with_its_time_and_the_reason(clock: Clock) -> None:
    console = make_console(terminal=True)
    with StepPrinter(console, clock=clock) as show:
        show(CREATING)
        wait_until(lambda: "creating the function sync" in printed(console), "the step is shown")
        assert "its VPC is slow" not in printed(console)
        clock.now = 42
        wait_until(lambda: "its VPC is slow" in printed(console), "the reason is shown")
        assert "42 s  creating the function sync" in printed(console)


def test_a_rate_is_that_of_the_last_report_while_the_time_goes_on(clock: Clock) -> None:
    """A wait of five minutes reports its seconds every five seconds."""
    console = make_console(terminal=True)
    with StepPrinter(console, clock=clock) as show:
        show(Progress("wait", "running", "waiting for S3", 0, 300))
        clock.now = 5
        show(Progress("wait", "running", "waiting for S3", 5, 300))
        clock.now = 9.6
        wait_until(lambda: "10 s  waiting for S3" in printed(console), "the time goes on")
    shown = printed(console)
    assert "5 of 300, 1/s, 4 min 55 s left" in shown
    assert "0.5" not in shown


def test_before_the_first_step_a_terminal_shows_what_is_done() -> None:
    console = make_console(terminal=True)
    with StepPrinter(console, "comparing the settings with AWS") as show:
        wait_until(lambda: "comparing the settings with AWS" in printed(console), "it is shown")
        show(CREATED)
    assert "✓ created the function sync" in printed(console)


def test_on_a_narrow_terminal_the_time_of_a_step_is_not_cut_off(clock: Clock) -> None:
    console = make_console(terminal=True, width=20)
    with StepPrinter(console, clock=clock) as show:
        show(CREATING)
        clock.now = 42
        wait_until(lambda: "42 s  creating …" in printed(console), "the step is shown in 20 columns")
