"""Run ``ppc-s3sync`` as a process of its own. ``python -m pypicloud_s3sync.cli`` does the same."""

from __future__ import annotations

import gc
import sys

from .main import main

#: Python's default is 700 for the first; mypy has about these, for the same reason.
GARBAGE_THRESHOLDS = (200_000, 30, 30)


def entrypoint() -> int:
    """Run the command line with few garbage collections, and return its exit status.

    What a command loads, mostly AWS's service models, is in use until it ends. To visit it again and again
    takes a third of a short command's time.
    """
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    try:
        return main()
    finally:
        # Python visits everything once more as it ends, except for what is frozen.
        gc.freeze()


if __name__ == "__main__":
    status = entrypoint()
    # If Ctrl-C came while a library ran code from a string, ``python -m`` would end by SIGINT although it
    # was handled. Python forgets that as it runs another string: run_eval_code_obj of CPython's
    # Python/pythonrun.c.
    exec("")  # noqa: S102 - no code
    sys.exit(status)
