"""Look at each difference in S3 and in the cache, and repair it as an event would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..caches.canary import is_canary_file
from ..exceptions import S3SyncError
from ..sync.converge import Syncer
from ..sync.counts import count_of
from ..sync.pending import Outcome, PendingFile
from .known_objects import KnownObjects
from .learning import unspelled
from .listing import Listing
from .models import Difference, Kind, Known, Options, Report, Reporter
from .read_ahead import ReadAhead
from .recorder import Recorder
from .scans.base import Scan
from .second_look import SecondLook, is_worthwhile

#: Keys that are converged together.
BATCH = 500
#: How often a difference that failed is tried again, after all others.
RETRIES = 1


class Repair:
    """Repairs the differences of a listing, or only counts them.

    Parameters
    ----------
    syncer : Syncer
        Its objects are read, and its cache is read and written.
    scan : Scan
    listing : Listing
        The listing, with its differences.
    options : Options
    report : Report
        Receives the result.
    reporter : Reporter
    known : KnownObjects
        Receives what is read of the objects.
    """

    def __init__(
        self,
        syncer: Syncer,
        scan: Scan,
        listing: Listing,
        options: Options,
        report: Report,
        reporter: Reporter,
        known: KnownObjects,
    ) -> None:
        if syncer.bucket is None:
            raise S3SyncError("no bucket is set: set storage.bucket")
        self._bucket = syncer.bucket
        self._adapter = syncer.adapter
        self._scan, self._listing, self._options = scan, listing, options
        self._report, self._reporter, self._known = report, reporter, known
        gone = listing.count(Kind.GONE)
        # All or nothing: that many rows without an object look like a wrong setting.
        allowed = report.limit if gone <= report.limit else 0
        self._recorder = Recorder(syncer.adapter, dry_run=options.dry_run, max_deletions=allowed)
        self._second_look = SecondLook(listing)
        # The files of some projects are few; a dry run writes nothing.
        self._looks_later = not (options.packages or options.dry_run) and is_worthwhile(
            listing.count(), report.objects
        )
        later = self._second_look.note if self._looks_later else None
        self._reader = ReadAhead(syncer.reader)
        self._learned: list[tuple[Known, int]] = []
        self._syncer = syncer.variant(
            reader=self._reader, adapter=self._recorder, second_look=later, settled=self._learn
        )
        self._confirmer = syncer.variant(adapter=self._recorder)

    def rows(self) -> None:
        """Look at every difference of a row."""
        total, size, capacity = self._listing.count(), BATCH, self._scan.capacity
        verb = "looking at" if self._options.dry_run else "repairing"
        message, done = f"{verb} {count_of(total, 'file')}", 0
        batch = self._take(size)
        while batch:
            self._reporter.running("repair", message, done, total, capacity.note)
            following = self._take(size)
            throttled = capacity.throttled
            outcomes = self._syncer.converge(self._bucket, _keys(batch))
            is_throttled = capacity.throttled > throttled
            put_back = self._settle(batch, outcomes, is_throttled)
            done += len(batch) - put_back
            if put_back and is_throttled:
                size = max(1, min(size, len(batch)) // 2)
                capacity.back_off()
            elif size < BATCH:
                size = min(BATCH, 2 * size)
            capacity.rest()
            batch = following or self._take(size)
        if total:
            self._reporter.done(
                "repair", f"looked at {count_of(total, 'file')}, {self._report.repaired:,} repaired"
            )

    def _take(self, size: int) -> list[tuple[Difference, int]]:
        """Take the next differences, and begin to read their objects."""
        batch = self._listing.take(self._scan.capacity.batch(size))
        self._reader.request(self._bucket, _keys(batch))
        return batch

    def _settle(
        self,
        batch: Sequence[tuple[Difference, int]],
        outcomes: Mapping[str, Outcome | Exception],
        is_throttled: bool,
    ) -> int:
        """Count what was done, and put back what may be tried again; return how many these are.

        Raises
        ------
        Exception
            The cache is unreachable.
        """
        put_back, errors = 0, []
        for difference, tries in batch:
            error = _error_of(outcomes, difference)
            if error is None:
                self._count(difference)
                continue
            errors.append(error)
            if is_throttled or tries < RETRIES:
                self._listing.put_back(difference, tries + (not is_throttled))
                put_back += 1
            else:
                self._fail(difference, error)
        self._report.looked_at += len(batch)
        self._keep_learned()
        self._listing.touch(self._recorder.names)
        self._recorder.forget()
        if len(errors) == len(batch) and all(map(self._adapter.is_unreachable, errors)) and not is_throttled:
            raise errors[0]
        return put_back

    def _learn(self, file: PendingFile) -> None:
        """Note what only the metadata of a file's objects says."""
        self._learned += unspelled(file)

    def _keep_learned(self) -> None:
        if self._learned:
            self._listing.add_known(known for known, _ in self._learned)
            self._known.add(self._learned)
            self._learned.clear()

    def confirm(self, s3: Any) -> None:
        """Look again at the rows that were written without a second look at their object."""
        if not self._looks_later:
            return
        self._reporter.running("confirm", "listing the bucket again", 0, None)
        changed = self._second_look.changed(s3, self._bucket, self._confirmer.prefix)
        for start in range(0, len(changed), BATCH):
            batch = changed[start : start + BATCH]
            outcomes = self._confirmer.converge(self._bucket, [key for it in batch for key in it.keys])
            for difference in batch:
                error = _error_of(outcomes, difference)
                if error is not None:
                    self._report.fail(difference.filename, error)
            self._listing.touch(self._recorder.names)
            self._recorder.forget()
        files = count_of(len(changed), "file") if changed else "no file"
        self._reporter.done("confirm", f"listed the bucket again: {files} had changed meanwhile")

    def _count(self, difference: Difference) -> None:
        recorder, filename = self._recorder, difference.filename
        kind = recorder.kinds.get(filename)
        # The canary of a doctor comes and goes within seconds; one that was left behind is removed.
        if kind is None or is_canary_file(filename):
            return
        self._report.count(kind, filename, recorder.wanted.get(filename))
        self._report.kept += filename in recorder.kept
        if filename in recorder.written:
            self._report.repaired += 1
            self._report.added += kind is Kind.MISSING

    def _fail(self, difference: Difference, error: Exception) -> None:
        self._report.count(difference.kind, difference.filename)
        self._report.fail(difference.filename, error)


def _keys(batch: Sequence[tuple[Difference, int]]) -> list[str]:
    return [key for difference, _ in batch for key in difference.keys]


def _error_of(outcomes: Mapping[str, Outcome | Exception], difference: Difference) -> Exception | None:
    errors = (outcomes[key] for key in difference.keys)
    return next((error for error in errors if isinstance(error, Exception)), None)
