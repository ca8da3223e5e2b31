"""Choose the file in which this host remembers what it has read of a bucket's objects."""

from __future__ import annotations

import os
from pathlib import Path

from ...config.settings import SyncSettings
from ...reconcile.known_files import file_name, temporary_path
from ..cache_home import cache_home


def known_objects_path(settings: SyncSettings) -> Path | None:
    """Return the file that remembers what was read of the bucket's objects.

    It is below the temporary directory if the user, for example that of a service, has no cache directory;
    None if that is not safe either.
    """
    directory = cache_home() / "pypicloud_s3sync"
    name = file_name(settings.endpoint_url or "", settings.bucket, settings.prefix)
    return directory / name if _is_writable(directory) else temporary_path(name)


def _is_writable(directory: Path) -> bool:
    """Return whether files can be created in a directory, which need not exist."""
    if not directory.is_absolute():
        return False
    existing = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    return os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK)
