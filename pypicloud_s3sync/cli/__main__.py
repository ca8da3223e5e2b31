"""Run ``ppc-s3sync`` as a process of its own. ``python -m pypicloud_s3sync.cli`` does the same."""

from __future__ import annotations

import sys

from ..garbage import few_collections
from .main import main


def entrypoint() -> int:
    """Run the command line with few garbage collections, and return its exit status."""
    with few_collections():
        return main()


if __name__ == "__main__":
    status = entrypoint()
    # If Ctrl-C came while a library ran code from a string, ``python -m`` would end by SIGINT although it
    # was handled. Python forgets that as it runs another string: run_eval_code_obj of CPython's
    # Python/pythonrun.c.
    exec("")  # noqa: S102 - no code
    sys.exit(status)
