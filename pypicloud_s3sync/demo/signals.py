"""Turn the signals that ask us to end into one exception."""

from __future__ import annotations

import signal
from types import FrameType

from ..devtools.processes import END_SIGNALS


class Ended(BaseException):
    """A signal asks us to end; no ``except Exception`` may stop that.

    Parameters
    ----------
    number : int
        The signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_status = 128 + number


def catch() -> None:
    """Have :class:`Ended` raised by Ctrl-C, SIGTERM and SIGHUP."""
    for number in END_SIGNALS:
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    # Once: a second Ctrl-C must not cut the cleaning up short.
    for other in END_SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Ended(number)
