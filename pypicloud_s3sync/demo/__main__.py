"""Run the demo: ``python -m pypicloud_s3sync.demo [--exit | --write-ini FILE]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..garbage import few_collections
from . import signals
from .development_ini import write_ini


def main(arguments: Sequence[str] | None = None) -> int:
    """Show that two regions stay in sync, and return the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments. The default is those of the process.

    Returns
    -------
    int
        0 if all steps succeeded, 1 if one failed, 2 if the ini file cannot be written, 130 or 143 if a signal
        interrupted them.
    """
    parser = argparse.ArgumentParser(
        prog="python -m pypicloud_s3sync.demo",
        description="Run two pypicloud servers in two regions on this machine, and keep them in sync.",
    )
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--exit", action="store_true", help="end after the last step; use free ports")
    modes.add_argument(
        "--write-ini",
        metavar="FILE",
        nargs="?",
        const="development.ini",
        help="do not run the demo, but write an ini file for a single server with an AWS emulator"
        " (default: development.ini)",
    )
    options = parser.parse_args(arguments)
    if options.write_ini is not None:
        return write_ini(Path(options.write_ini))
    try:
        signals.catch()
        # Imported here because it takes half a second, in which Ctrl-C must not print a traceback either.
        from . import command

        return command.run(stay=not options.exit)
    except signals.Ended as ended:
        print("interrupted: everything has been cleaned up", flush=True)
        return ended.exit_status


if __name__ == "__main__":
    with few_collections():
        sys.exit(main())
