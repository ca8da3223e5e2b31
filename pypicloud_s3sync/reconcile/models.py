"""Define the data classes of a reconciliation."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: The times of rows are compared with each other in microseconds, and with those of objects in seconds.
MICROSECONDS = 1_000_000
#: The most filenames of each kind in the document.
SAMPLES = 20
#: The most failures of which name and error are kept: if a permission is missing, every file fails.
FAILURES = 1000


class Count(NamedTuple):
    """A number of packages or rows; without ``exact``, it is at least, or about, that many."""

    number: int
    exact: bool = True


class Kind(enum.StrEnum):
    """The kinds of differences."""

    #: An object without a row.
    MISSING = "missing"
    #: A row without an object.
    GONE = "gone"
    #: A row that does not match its object.
    STALE = "stale"
    #: A name or a summary that does not follow from the rows.
    SUMMARIES = "summaries"


class Known(NamedTuple):
    """The metadata of an object, as far as a row has it; ``name`` is None if it is not a package.

    ``identity`` tells the object from its other versions. The other fields are those of its row.
    """

    key: str
    identity: str
    name: str | None = None
    version: str = ""
    summary: str = ""
    sha256: str | None = None


class ListedObject(NamedTuple):
    """An object as the bucket lists it; ``modified`` is in seconds since 1970, ``size`` in bytes.

    ``identity`` tells it from its other versions. ``known`` is what its metadata says, if that was read.
    """

    filename: str
    key: str
    modified: int
    size: int = 0
    identity: str = ""
    known: Known | None = None


class ListedRow(NamedTuple):
    """A row as the cache lists it.

    ``key`` and ``other_keys`` are those of its objects. ``modified`` is in microseconds since 1970.
    ``plausible`` tells whether filename and key spell name and version. ``summary`` is a hash.
    ``sha256`` is that of the file's content, in hexadecimal; None if the row does not know it.
    """

    filename: str
    name: str
    modified: int
    key: str | None
    other_keys: tuple[str, ...]
    plausible: bool
    summary: int
    version: str = ""
    sha256: str | None = None


class ListedName(NamedTuple):
    """A name with its summary as the cache lists it.

    ``modified`` is None if there is no summary. ``files`` is a hash of the filenames that the cache lists
    for the name, in a cache that has such lists. ``complete`` is false if the name itself is not listed.
    """

    name: str
    modified: int | None
    summary: int
    files: int | None = None
    complete: bool = True


class Difference(NamedTuple):
    """A filename that the listings do not agree about, and the keys to look at.

    ``group`` orders the differences, so that those of a project are repaired together. ``is_unspelled`` tells
    that the listings agree, but the key does not spell what the row says.
    """

    kind: Kind
    filename: str
    keys: tuple[str, ...]
    group: str
    is_unspelled: bool = False


def a_tenth(rows: int) -> int:
    """Return how many of some rows may be deleted by default: a tenth, and at least a hundred."""
    return max(100, rows // 10)


@dataclass(frozen=True)
class Options:
    """The options of a reconciliation.

    Parameters
    ----------
    dry_run : bool
        Look, but change nothing.
    packages : frozenset of str
        Normalized names; empty for all.
    max_deletions : callable
        Returns how many rows may be deleted, from the number of rows.
    """

    dry_run: bool = False
    packages: frozenset[str] = frozenset()
    max_deletions: Callable[[int], int] = a_tenth


@dataclass
class Report:
    """The result of a reconciliation.

    ``is_fan_out`` tells that the function repairs the rows, and ``queued`` is the number of files that it
    will look at. ``failed`` has the errors by filename, and ``more_failed`` counts others, whose errors are
    not kept. ``kept`` is the number of rows without an object that were kept because there were more of them
    than may be deleted, which is ``limit``.
    """

    dry_run: bool
    is_fan_out: bool = False
    objects: int = 0
    rows: int = 0
    differences: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    samples: dict[Kind, list[str]] = field(default_factory=lambda: {kind: [] for kind in Kind})
    repaired: int = 0
    added: int = 0
    queued: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    more_failed: int = 0
    kept: int = 0
    limit: int = 0
    looked_at: int = 0
    seconds: float = 0

    def count(self, kind: Kind, name: str, wanted: Any | None = None) -> None:
        """Add a difference; ``wanted`` is the package that the row should be, if that is known."""
        self.differences[kind] += 1
        if len(self.samples[kind]) < SAMPLES:
            self.samples[kind].append(name)

    def fail(self, name: str, error: Exception | str) -> None:
        """Add a file that failed."""
        if name in self.failed or len(self.failed) < FAILURES:
            self.failed[name] = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        else:
            self.more_failed += 1

    @property
    def failures(self) -> int:
        """The number of files that failed."""
        return len(self.failed) + self.more_failed

    @property
    def in_sync(self) -> bool:
        """Whether bucket and cache agree, after the repair if there was one."""
        different = self.dry_run and any(self.differences.values())
        return not (different or self.failed or self.kept or self.queued)

    def document(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "command": "reconcile",
            "dry_run": self.dry_run,
            "in_sync": self.in_sync,
            "objects": self.objects,
            "rows": self.rows,
            "differences": _by_name(self.differences),
            "samples": _by_name(self.samples),
            "repaired": self.repaired,
            "added": self.added,
            "queued": self.queued,
            "failed": [{"filename": name, "error": error} for name, error in self.failed.items()],
            "more_failed": self.more_failed,
            "kept": self.kept,
            "max_delete": self.limit,
            "looked_at": self.looked_at,
            "seconds": round(self.seconds, 1),
        }


def _by_name(values: Mapping[Kind, Any]) -> dict[str, Any]:
    return {kind.value: value for kind, value in values.items()}


class Reporter:
    """Receives the progress of a reconciliation; this one ignores it."""

    def running(self, step: str, message: str, done: int, total: int | None, note: str | None = None) -> None:
        """Receive the progress of a step."""

    def done(self, step: str, message: str) -> None:
        """Receive the end of a step."""
