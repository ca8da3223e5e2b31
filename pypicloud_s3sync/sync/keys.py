"""Find filenames in the keys of a bucket, without importing pypicloud."""

from __future__ import annotations

import posixpath


def filename_of(key: str, prefix: str) -> str | None:
    """Return the filename in a key, or None if nothing under the key can be a package."""
    if not key.startswith(prefix) or key.endswith("/"):
        return None
    return posixpath.basename(key)
