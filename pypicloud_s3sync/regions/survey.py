"""List one region as ``reconcile`` does, and look at what differs between its bucket and its cache."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from ..exceptions import S3SyncError
from ..reconcile.known_objects import KnownObjects
from ..reconcile.listing import Listing
from ..reconcile.models import Kind as CacheKind
from ..reconcile.models import ListedObject, ListedRow, Options, Report, Reporter
from ..reconcile.run import run
from ..reconcile.scans import scan_of
from ..reconcile.scans.base import SHA256
from ..sync.counts import count_of
from .findings_database import Findings, Flaw
from .models import Described, Held, Region


class _Survey(Report):
    """The report of a dry run that passes every difference on."""

    def __init__(self, found: Callable[[Flaw], None]) -> None:
        super().__init__(dry_run=True)
        self._found = found

    def count(self, kind: CacheKind, name: str, wanted: Any | None = None) -> None:
        """Add a difference."""
        super().count(kind, name, wanted)
        self._found(Flaw(name, kind, None if wanted is None else described(wanted)))


def survey(region: Region, listing: Listing, reporter: Reporter, found: Callable[[Flaw], None]) -> Report:
    """List a region, and pass each difference between its bucket and its cache to ``found``.

    Raises
    ------
    S3SyncError
        Some objects or rows could not be read, so nobody knows whether they differ.
    """
    syncer, names = region.syncer, list[str]()

    def accept(flaw: Flaw) -> None:
        if flaw.kind is CacheKind.SUMMARIES:
            names.append(flaw.filename)
        else:
            found(flaw)

    report = _Survey(accept)
    options, scan = Options(dry_run=True), scan_of(syncer.adapter)
    with KnownObjects(region.known) as known:
        run(syncer, region.s3, options, reporter, scan, listing, report, known=known)
    if report.failed:
        name, error = next(iter(report.failed.items()))
        count = count_of(report.failures, "file")
        raise S3SyncError(
            f"{count} of the bucket {region.bucket} could not be compared ({name}: {error}): run it again"
        )
    listing.index_names()
    for name in names:
        found(_of_name(name, listing))
    return report


def _of_name(name: str, listing: Listing) -> Flaw:
    """Return a wrong entry of a project's name as a flaw of the file from which the entry follows.

    The row of that file may be right.
    """
    newest = listing.newest_of(name)
    if newest is None:
        # A project that is listed without files.
        return Flaw(name, CacheKind.GONE, None)
    return Flaw(newest.filename, CacheKind.SUMMARIES, None)


def holdings(listing: Listing, findings: Findings, index: int) -> Iterator[tuple[str, Held]]:
    """Yield each filename of a region with what the region holds of it, sorted by filename.

    Parameters
    ----------
    listing : Listing
        The region's listing.
    findings : Findings
        Has what :func:`survey` found.
    index : int
        The index of the region in ``findings``.
    """
    parts = (listing.objects(), listing.rows(), findings.flaws(index))
    merged = heapq.merge(*(((part.filename, part) for part in parts_of) for parts_of in parts), key=_filename)
    for filename, found in groupby(merged, key=_filename):
        yield filename, _held([part for _, part in found])


_filename = itemgetter(0)


def _held(parts: list[ListedObject | ListedRow | Flaw]) -> Held:
    objects = [part for part in parts if isinstance(part, ListedObject)]
    objects.sort(key=lambda stored: (stored.modified, stored.key), reverse=True)
    row = next((_of_row(part) for part in reversed(parts) if isinstance(part, ListedRow)), None)
    flaws = {part.kind: part for part in parts if isinstance(part, Flaw)}
    package = None if CacheKind.GONE in flaws else row
    for flaw in flaws.values():
        package = flaw.package or package
    return Held(
        tuple(stored.key for stored in objects),
        objects[0].modified if objects else 0,
        objects[0].size if objects else None,
        package,
        row,
        CacheKind.STALE in flaws,
    )


def _of_row(row: ListedRow) -> Described:
    return Described(row.name, row.version, row.sha256)


def described(package: Any) -> Described:
    """Return what a package says about its file."""
    return Described(package.name, package.version, package.data.get(SHA256))
