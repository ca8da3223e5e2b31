"""Run the AWS emulator without its own replication, which sends no notifications at the destination.

:mod:`.replicator` replicates in its place. Unnecessary once the emulator's replicas notify as those of S3 do:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/NotificationHowTo.html
"""

from __future__ import annotations

import sys
from typing import Any

import botocore.session

from ..embedded import EmbeddedAws

#: The functions of ministack 1.5 that replicate an object and a delete marker.
FUNCTIONS = ("_maybe_replicate", "_maybe_replicate_delete_marker")


class QuietAws(EmbeddedAws):
    """The embedded AWS, which stores replication rules and leaves it to others to follow them."""

    arguments = ("-m", __name__)


def main() -> None:
    """Run the emulator in this process."""
    from ministack import app
    from ministack.services import s3

    for name in FUNCTIONS:
        if not hasattr(s3, name):
            sys.exit(f"this version of ministack has no function {name} to switch off: install ministack 1.5")
        setattr(s3, name, _replicate_nothing)
    spare_models()
    app.main()


def spare_models() -> None:
    """Let ministack know the names of AWS's services without their models.

    ``ppc-s3sync doctor`` asks for the scaling of DynamoDB's tables, which ministack 1.5 does not have. To
    say so, it parses the models of all 400 services, and answers nobody for four seconds. Unnecessary once it
    does not.
    """
    from ministack.core import router

    names = botocore.session.get_session().get_available_services()
    router._KNOWN_AWS_SERVICE_NAMES = frozenset(names)


def _replicate_nothing(*arguments: Any) -> None:
    """Take the place of a function that replicates."""


if __name__ == "__main__":
    main()
