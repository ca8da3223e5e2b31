"""Compare a bucket with a cache: both are converted to the same value."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pypicloud_s3sync.sync.packages import StoredObject


@dataclass(frozen=True)
class State:
    """The content of a cache; a failed comparison prints it.

    Parameters
    ----------
    rows : dict
        :func:`row_of` each package, by filename.
    names : list of str
    summaries : dict
        The time and the text of each summary, by name.
    """

    rows: Mapping[str, Any]
    names: list[str]
    summaries: Mapping[str, Any]


def expected(live: Iterable[StoredObject]) -> State:
    """Return what a cache has to hold for the objects of a bucket; computed without the code under test."""
    live = sorted(live, key=lambda stored: (stored.last_modified, stored.key))
    newest = {posixpath.basename(stored.key): stored for stored in live}
    rows = {}
    for filename, stored in newest.items():
        other_keys = sorted(
            other.key for other in live if posixpath.basename(other.key) == filename and other is not stored
        )
        data: dict[str, Any] = {"path": stored.key}
        if "requires-python" in stored.metadata:
            data["requires_python"] = stored.metadata["requires-python"]
        if other_keys:
            data["other_paths"] = other_keys
        metadata = stored.metadata
        rows[filename] = (
            metadata["name"],
            metadata["version"],
            stored.last_modified,
            metadata["summary"],
            data,
        )
    return state_of(rows)


def state_of(rows: Mapping[str, Any]) -> State:
    """Return rows together with the names and summaries that follow from them."""
    summaries: dict[str, Any] = {}
    for filename in sorted(rows, key=lambda filename: (rows[filename][2], filename)):
        name, _, modified, summary, _ = rows[filename]
        summaries[name] = (modified, summary)
    return State(rows, sorted(summaries), summaries)


def row_of(package: Any) -> tuple[Any, ...]:
    """Return a row's content; pypicloud's own ``==`` compares filenames only."""
    return package.name, package.version, package.last_modified, package.summary, dict(package.data)
