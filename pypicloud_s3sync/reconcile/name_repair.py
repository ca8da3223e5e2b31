"""Look at each name whose entry or summary does not follow from its rows, and repair it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from ..caches.base import Change, Result, RowKey, Snapshot
from ..exceptions import S3SyncError
from ..sync.converge import PAUSES, Syncer
from ..sync.counts import count_of
from ..sync.pending import PendingFile
from .differences import wrong_names
from .listing import Listing
from .models import Kind, Options, Report, Reporter
from .scans.base import Scan, read_rows, row_of

#: Names whose summaries are repaired together.
NAMES = 100
#: Rows that are read together.
BATCH = 500


class NameRepair:
    """Repairs names and summaries, or only counts the wrong ones.

    Parameters
    ----------
    syncer : Syncer
        Its cache is read and written.
    scan : Scan
    listing : Listing
        The listing, with the names of the rows that differed.
    options : Options
    report : Report
        Receives the result.
    reporter : Reporter
    """

    def __init__(
        self,
        syncer: Syncer,
        scan: Scan,
        listing: Listing,
        options: Options,
        report: Report,
        reporter: Reporter,
    ) -> None:
        self._adapter, self._pause = syncer.adapter, syncer.pause
        self._scan, self._listing, self._options = scan, listing, options
        self._report, self._reporter = report, reporter

    def run(self) -> None:
        """Look at every name whose entry or summary does not follow from its rows."""
        if not self._scan.has_names:
            return
        self._listing.index_names()
        total, done = sum(1 for _ in self._wrong_names()), 0
        listed = self._wrong_names()
        while names := list(islice(listed, NAMES)):
            # The listing is some time old, and the repair of a row has repaired the summary of its name.
            with Listing() as again:
                self._list_again(again, names)
                wrong = list(wrong_names(again.rows_by_name(), again.names()))
                counted = [name for name in wrong if not self._listing.is_touched(name)]
                for name in counted:
                    self._report.count(Kind.SUMMARIES, name)
                if wrong and not self._options.dry_run:
                    again.index_names()
                    failed = self._repair_names(wrong, again)
                    self._report.repaired += len(set(counted) - failed)
            done += len(names)
            self._reporter.running(
                "summaries", f"checking {count_of(total, 'summary', 'summaries')}", done, total
            )
        if total:
            found = self._report.differences[Kind.SUMMARIES]
            checked = count_of(total, "summary", "summaries")
            wrong_ones = count_of(found, "was wrong", "were wrong") if found else "none was wrong"
            self._reporter.done("summaries", f"checked {checked}, {wrong_ones}")

    def _list_again(self, listing: Listing, names: Collection[str]) -> None:
        """List some names, and all rows that the first listing had of them.

        An index that lags behind, or a list that is wrong itself, must not hide a row.
        """
        for page in self._scan.rows(names):
            listing.add_rows(page)
        for listed in self._scan.names(names):
            listing.add_names(listed)
        listing.index_rows()
        hidden = [
            RowKey(filename, name)
            for name in names
            for filename in self._listing.filenames_of(name)
            if not listing.has_row(filename)
        ]
        for start in range(0, len(hidden), BATCH):
            found = read_rows(self._adapter, hidden[start : start + BATCH]).values()
            rows = [snapshot.row for snapshot in found if isinstance(snapshot, Snapshot)]
            listing.add_rows(row_of(row) for row in rows if row is not None and row.name in names)

    def _wrong_names(self) -> Iterator[str]:
        return wrong_names(self._listing.rows_by_name(), self._listing.names())

    def _repair_names(self, names: Collection[str], listing: Listing) -> set[str]:
        """Write the summaries as the adapter derives them from the rows; return the names that failed."""
        # Rows that stay as they are let the adapter correct what is missing of their name, and a row that
        # does not exist what is left over. No filename ends with a slash.
        rows = [RowKey(filename, name) for name in names for filename in listing.filenames_of(name)]
        absent = [RowKey(f"{name}/", name, is_gone=True, every_file=True) for name in names]
        failed = {**self._keep(rows), **self._keep(absent)}
        for name, error in failed.items():
            self._report.fail(name, error)
        return set(failed)

    def _keep(self, keys: list[RowKey]) -> dict[str, Exception]:
        """Write rows as they are, until no other writer interferes; return the errors by name."""
        failed: dict[str, Exception] = {}
        files = {key: PendingFile(key.filename) for key in keys}
        for pause in (*PAUSES, None):
            if not keys:
                return failed
            results = self._keep_once({key: files[key] for key in keys})
            for key in keys:
                result = results[key.filename]
                if isinstance(result, Exception):
                    failed[str(key.name)] = result
            keys = [key for key in keys if results[key.filename] is Result.CONFLICT]
            if keys and pause is not None:
                self._pause(pause)
        error = S3SyncError("its rows changed during each attempt: run it again")
        return {**failed, **{str(key.name): error for key in keys}}

    def _keep_once(self, files: Mapping[RowKey, PendingFile]) -> dict[str, Result | Exception]:
        results: dict[str, Result | Exception] = {}
        read, changes = read_rows(self._adapter, list(files)), []
        for key, file in files.items():
            found = read[key.filename]
            if isinstance(found, Snapshot):
                file.set_snapshot(found)
                changes.append(Change(key, found, found.row, file.repeats))
            else:
                results[key.filename] = found
        return {**results, **self._adapter.write(changes)}
