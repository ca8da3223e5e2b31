"""Run the AWS emulator without its own replication, which sends no notifications at the destination.

:mod:`.replicator` replicates in its place. Unnecessary once the emulator's replicas notify as those of S3 do:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/NotificationHowTo.html
"""

from __future__ import annotations

import sys
from typing import Any

from ..devtools import ministack_process
from ..embedded import EmbeddedAws

#: The functions of ministack 1.5 that replicate an object and a delete marker.
FUNCTIONS = ("_maybe_replicate", "_maybe_replicate_delete_marker")


class QuietAws(EmbeddedAws):
    """The embedded AWS, which stores replication rules and leaves it to others to follow them."""

    arguments = ("-m", __name__)


def main() -> None:
    """Run the emulator in this process."""
    from ministack.services import s3

    for name in FUNCTIONS:
        if not hasattr(s3, name):
            sys.exit(f"this version of ministack has no function {name} to switch off: install ministack 1.5")
        setattr(s3, name, _replicate_nothing)
    ministack_process.main()


def _replicate_nothing(*arguments: Any) -> None:
    """Take the place of a function that replicates."""


if __name__ == "__main__":
    main()
