"""Name the file in which what was read of a bucket's objects is remembered, and give it a temporary place.

Lambda's ``/tmp`` is kept for as long as an execution environment is used again, and has 512 MB by default:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from ..exceptions import ConflictError
from ..sync.private_directory import private_directory

LOG = logging.getLogger(__name__)


def file_name(endpoint_url: str, bucket: str, prefix: str) -> str:
    """Return the name of the file for a bucket and a prefix, on AWS or at another endpoint."""
    name = hashlib.sha256("\0".join((endpoint_url, bucket, prefix)).encode()).hexdigest()[:16]
    return f"{name}.objects"


def temporary_path(name: str) -> Path | None:
    """Return the path of a file in the user's private directory, which is created; None if it is not safe."""
    try:
        return private_directory() / name
    except ConflictError as error:
        LOG.info("what is read of objects is not remembered: %s", error)
        return None
