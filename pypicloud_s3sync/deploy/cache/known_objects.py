"""Choose the file in which this host remembers what it has read of a bucket's objects."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from ...config.settings import SyncSettings
from ..cache_home import cache_home

LOG = logging.getLogger(__name__)


def known_objects_path(settings: SyncSettings) -> Path | None:
    """Return the file that remembers what was read of the bucket's objects; None without a home directory."""
    directory = cache_home() / "pypicloud_s3sync"
    if not directory.is_absolute():
        LOG.info("what is read of objects is not remembered without a home directory: set XDG_CACHE_HOME")
        return None
    parts = (settings.endpoint_url or "", settings.bucket, settings.prefix)
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return directory / f"{name}.objects"
