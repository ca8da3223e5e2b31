"""Reconcile a cache with its bucket: list both, compare, and look at what differs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..exceptions import S3SyncError
from ..sync.converge import Syncer
from ..sync.counts import count_of
from .bucket import belongs_to, list_objects
from .differences import differences, wrong_names
from .fan_out import Send, fan_out
from .known_objects import KnownObjects
from .listing import Listing
from .models import Difference, Options, Report, Reporter
from .name_repair import NameRepair
from .repair import Repair
from .scans import scan_of
from .scans.base import Scan
from .spelling import parsed


def reconcile(
    syncer: Syncer,
    s3: Any,
    options: Options | None = None,
    reporter: Reporter | None = None,
    scan: Scan | None = None,
    send: Send | None = None,
    clock: Callable[[], float] = time.monotonic,
    known: KnownObjects | None = None,
) -> Report:
    """Make a cache equal to its bucket, or only count the differences.

    Parameters
    ----------
    syncer : Syncer
    s3 : boto3 S3 client
        Lists the bucket.
    options : Options, optional
    reporter : Reporter, optional
        Receives the progress.
    scan : Scan, optional
        Lists the cache. The default is the scan of the syncer's adapter.
    send : callable, optional
        Sends messages to the function, which repairs the rows instead of this process.
    clock : callable, optional
        Returns the time in seconds.
    known : KnownObjects, optional
        What earlier runs have read.

    Raises
    ------
    Exception
        The error of S3 or the cache if one of them could not be listed, or if the cache became unreachable.
    """
    started = clock()
    options = options or Options()
    report = Report(options.dry_run, is_fan_out=send is not None)
    scan = scan or scan_of(syncer.adapter)
    with Listing() as listing:
        run(syncer, s3, options, reporter or Reporter(), scan, listing, report, send, known)
    report.seconds = clock() - started
    return report


def run(
    syncer: Syncer,
    s3: Any,
    options: Options,
    reporter: Reporter,
    scan: Scan,
    listing: Listing,
    report: Report,
    send: Send | None = None,
    known: KnownObjects | None = None,
) -> None:
    """Reconcile as :func:`reconcile`, and leave both listings and the result to the caller."""
    if syncer.bucket is None:
        raise S3SyncError("no bucket is set: set storage.bucket")
    known = known or KnownObjects()
    _list(syncer, s3, scan, listing, options, report, reporter, known)
    report.limit = options.max_deletions(report.rows)
    found = _differences(listing, syncer, options)
    if send is not None:
        listing.add_differences(filter(_is_doubtful, found))
        looking = Report(dry_run=True, objects=report.objects)
        Repair(syncer, scan, listing, replace(options, dry_run=True), looking, reporter, known).rows()
        report.looked_at = looking.looked_at
        listing.add_differences(_differences(listing, syncer, options))
        fan_out(listing, syncer.bucket, s3.meta.region_name, send, report, reporter)
        return
    listing.add_differences(found)
    repair = Repair(syncer, scan, listing, options, report, reporter, known)
    repair.rows()
    repair.confirm(s3)
    NameRepair(syncer, scan, listing, options, report, reporter).run()


def listings_differ(syncer: Syncer, s3: Any, known: KnownObjects) -> bool:
    """Return whether the listings of bucket and cache differ; no object is looked at, and nothing is changed.

    What earlier runs have read of the objects counts as listed.

    Raises
    ------
    Exception
        As :func:`reconcile`.
    """
    scan, options = scan_of(syncer.adapter), Options(dry_run=True)
    with Listing() as listing:
        _list(syncer, s3, scan, listing, options, Report(dry_run=True), Reporter(), known)
        if any(True for _ in _differences(listing, syncer, options)):
            return True
        return scan.has_names and any(wrong_names(listing.rows_by_name(), listing.names()))


def _list(
    syncer: Syncer,
    s3: Any,
    scan: Scan,
    listing: Listing,
    options: Options,
    report: Report,
    reporter: Reporter,
    known: KnownObjects,
) -> None:
    """List bucket and cache."""
    # The rows come first: a package that is uploaded meanwhile must not look like a row without object.
    _list_rows(scan, listing, options, report, reporter)
    _list_objects(s3, syncer, listing, options, report, reporter, known)


def _differences(listing: Listing, syncer: Syncer, options: Options) -> Iterator[Difference]:
    # Of some packages, each file can be looked at.
    every = bool(options.packages)
    return differences(listing.objects(), listing.rows(), syncer.prefix, every=every)


def _is_doubtful(difference: Difference) -> bool:
    """Return whether only the metadata of the objects tells whether something differs."""
    return difference.is_unspelled or parsed(difference.filename) is None


def _list_rows(scan: Scan, listing: Listing, options: Options, report: Report, reporter: Reporter) -> None:
    message, total = "listing the rows of the cache", None if options.packages else scan.total()
    reporter.running("list rows", message, 0, total)
    for page in scan.rows(options.packages):
        listing.add_rows(page)
        report.rows += len(page)
        reporter.running("list rows", message, report.rows, total, scan.capacity.note)
    for names in scan.names(options.packages, listing.has_name):
        listing.add_names(names)
    reporter.done("list rows", f"listed {count_of(report.rows, 'row')}")


def _list_objects(
    s3: Any,
    syncer: Syncer,
    listing: Listing,
    options: Options,
    report: Report,
    reporter: Reporter,
    known: KnownObjects,
) -> None:
    message, bucket = f"listing the bucket {syncer.bucket}", syncer.bucket
    reporter.running("list bucket", message, 0, None)
    if options.packages:
        listing.index_rows()
    listed = 0
    for page in list_objects(s3, str(bucket), syncer.prefix):
        listed += len(page.objects)
        if options.packages:
            wanted = [it for it in page.objects if belongs_to(it, options.packages, listing)]
        else:
            wanted = list(page.objects)
            listing.add_known(known.of_page(page))
        listing.add_objects(wanted)
        report.objects += len(wanted)
        reporter.running("list bucket", message, listed, report.rows if not options.packages else None)
    if not options.packages:
        known.end()
    reporter.done("list bucket", f"listed {count_of(report.objects, 'object')}")
