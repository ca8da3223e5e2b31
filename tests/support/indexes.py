"""One row at a time, for tests of an index: read it, change it, and look again where that was lost."""

from __future__ import annotations

from typing import Any

from pypicloud_s3sync.caches.base import CacheAdapter, Change, Result, RowKey
from pypicloud_s3sync.sync.packages import guess_name


def hold(index: CacheAdapter, filename: str, wanted: Any | None, tries: int = 9) -> int:
    """Make an index hold a package, or nothing, under a filename; how many looks that took."""
    subject = RowKey(filename, guess_name(filename) if wanted is None else wanted.name)
    for look in range(tries):
        seen = index.read([subject])[filename]
        result = index.write([Change(subject, seen, wanted, look)])[filename]
        if isinstance(result, Exception):
            raise result
        if result is not Result.CONFLICT:
            return look + 1
    raise AssertionError(f"{filename} was lost at each of {tries} looks")
