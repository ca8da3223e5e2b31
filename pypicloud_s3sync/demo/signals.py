"""Turn the signals that end a process into an exception."""

from __future__ import annotations

import signal
from types import FrameType

from ..devtools.processes import END_SIGNALS


class Ended(BaseException):
    """A signal that ends the process has arrived. ``except Exception`` does not catch it.

    Parameters
    ----------
    number : int
        The number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_status = 128 + number


def catch() -> None:
    """Raise :class:`Ended` on Ctrl-C, SIGTERM and SIGHUP."""
    for number in END_SIGNALS:
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    # Only once: a second Ctrl-C must not interrupt the cleanup.
    for other in END_SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Ended(number)
