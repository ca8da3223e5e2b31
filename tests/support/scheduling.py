"""Switch between the handlers of a history, which are greenlets, before each call that does I/O."""

from __future__ import annotations

from greenlet import getcurrent


def let_others_run() -> None:
    """Return to the scheduler, which decides which handler goes on; outside of a handler, do nothing."""
    scheduler = getcurrent().parent
    if scheduler is not None:
        scheduler.switch()
