"""Run the garbage collector less often in a process that runs one command."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Python's default is 700 for the first; mypy has about these, for the same reason.
THRESHOLDS = (200_000, 30, 30)


@contextmanager
def few_collections() -> Iterator[None]:
    """Run a command with few garbage collections, and without one as the process ends.

    What a command loads, mostly AWS's service models, is in use until it ends. To visit it again and again
    takes a third of a short command's time.
    """
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        # Python visits everything once more as it ends, except for what is frozen.
        gc.freeze()
