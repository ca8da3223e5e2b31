"""Run the demo: ``python -m pypicloud_s3sync.demo [--exit]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import signals


def main(arguments: Sequence[str] | None = None) -> int:
    """Show that two regions stay in sync; the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line's where not given.

    Returns
    -------
    int
        0 where the proof held, 1 where it did not, 130 (or 143) where it was interrupted before.
    """
    parser = argparse.ArgumentParser(
        prog="python -m pypicloud_s3sync.demo",
        description="Two pypicloud servers in two regions on this machine, kept in sync.",
    )
    parser.add_argument("--exit", action="store_true", help="stop after the proof, on free ports")
    options = parser.parse_args(arguments)
    try:
        signals.catch()
        # Half a second of imports, in which Ctrl-C is no traceback either.
        from . import command

        return command.run(stay=not options.exit)
    except signals.Ended as ended:
        print("interrupted: the demo is undone", flush=True)
        return ended.exit_status


if __name__ == "__main__":
    sys.exit(main())
