"""Read and write rows through an adapter, for tests of the adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pypicloud_s3sync.caches.base import CacheAdapter, Change, Result, RowKey, Snapshot
from pypicloud_s3sync.sync.filenames import guess_name
from pypicloud_s3sync.sync.pending import PendingFile


def read(adapter: CacheAdapter, keys: Sequence[RowKey]) -> dict[str, Snapshot]:
    """Return the snapshots of some rows, by filename; raise the first error."""
    snapshots: dict[str, Snapshot] = {}
    for filename, snapshot in adapter.read(keys).items():
        if isinstance(snapshot, Exception):
            raise snapshot
        snapshots[filename] = snapshot
    return snapshots


def read_one(adapter: CacheAdapter, key: RowKey) -> Snapshot:
    """Return the snapshot of a row, or raise its error."""
    return read(adapter, [key])[key.filename]


def set_row(adapter: CacheAdapter, filename: str, wanted: Any | None, limit: int = 9) -> int:
    """Make the cache hold a package, or nothing, under a filename; return the number of attempts."""
    key = RowKey(filename, guess_name(filename) if wanted is None else wanted.name, is_gone=wanted is None)
    file = PendingFile(filename)
    for attempt in range(limit):
        snapshot = read_one(adapter, key)
        file.set_snapshot(snapshot)
        change = Change(key, snapshot, wanted, file.repeats)
        result = adapter.write([change])[filename]
        if isinstance(result, Exception):
            raise result
        if result is not Result.CONFLICT:
            return attempt + 1
    raise AssertionError(f"each of {limit} attempts to write {filename} met a conflict")
