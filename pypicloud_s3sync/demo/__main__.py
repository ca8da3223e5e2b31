"""Run the demo: ``python -m pypicloud_s3sync.demo [--exit]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import signals


def main(arguments: Sequence[str] | None = None) -> int:
    """Show that two regions stay in sync, and return the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments. The default is those of the process.

    Returns
    -------
    int
        0 if all steps succeeded, 1 if one failed, 130 or 143 if a signal interrupted them.
    """
    parser = argparse.ArgumentParser(
        prog="python -m pypicloud_s3sync.demo",
        description="Run two pypicloud servers in two regions on this machine, and keep them in sync.",
    )
    parser.add_argument("--exit", action="store_true", help="end after the last step; use free ports")
    options = parser.parse_args(arguments)
    try:
        signals.catch()
        # Imported here because it takes half a second, in which Ctrl-C must not print a traceback either.
        from . import command

        return command.run(stay=not options.exit)
    except signals.Ended as ended:
        print("interrupted: everything has been cleaned up", flush=True)
        return ended.exit_status


if __name__ == "__main__":
    sys.exit(main())
