"""Compare regions: find what differs, and where it was lost."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Any

from ..caches.canary import is_canary_file
from ..reconcile.listing import CACHE, Listing
from ..reconcile.models import Report, Reporter
from ..sync.counts import count_of
from .differences import WITHIN_REGION, agree, differences
from .digests import add, entries
from .disputed import look_again
from .findings_database import Findings, Flaw
from .models import Difference, Held, Kind, Region, Totals
from .survey import holdings, survey

#: The filenames that are looked at together.
BATCH = 500
#: The filenames after which progress is reported.
OFTEN = 10_000


class Comparison:
    """The result of a comparison, during a ``with`` block; the differences are on disk.

    Parameters
    ----------
    totals : sequence of Totals
        What each region holds.
    findings : Findings
    """

    def __init__(self, totals: Sequence[Totals], findings: Findings) -> None:
        self.totals = totals
        self._findings = findings
        #: The number of differences of each kind.
        self.counts = findings.counts()

    def __enter__(self) -> Comparison:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._findings.close()

    @property
    def equal(self) -> bool:
        """Whether every bucket and every cache holds the same packages."""
        return not any(self.counts.values())

    def repairs(self, kind: Kind) -> dict[str, list[str]]:
        """Return the packages that ``reconcile`` has to look at to repair a kind, by configuration.

        The first one is empty if ``reconcile`` itself finds some of the differences.
        """
        found: dict[str, list[str]] = {}
        for index, package in self._findings.repairs(kind):
            found.setdefault(self.totals[index].region.config, []).append(package)
        return found

    def differences(self, kind: Kind | None = None) -> Iterator[tuple[Difference, Region]]:
        """Yield the differences of one kind or all, each with the region that lacks the file."""
        for difference in self._findings.differences(kind):
            yield difference, self.totals[difference.region].region

    def document(self) -> dict[str, Any]:
        """Return the result as JSON, without the differences, which may be many."""
        return {
            "equal": self.equal,
            "regions": [totals.document() for totals in self.totals],
            "counts": {kind.value: count for kind, count in self.counts.items()},
        }


def compare(regions: Sequence[Region], reporter: Reporter) -> Comparison:
    """Compare regions.

    Parameters
    ----------
    regions : sequence of Region
        Two or more.
    reporter : Reporter
        Receives the progress.

    Raises
    ------
    Exception
        The error of S3 or of a cache if one of them could not be read.
    """
    findings = Findings()
    try:
        with ExitStack() as stack:
            listings = [stack.enter_context(Listing(CACHE // len(regions))) for _ in regions]
            reports = [
                _survey(index, region, listings[index], findings, reporter)
                for index, region in enumerate(regions)
            ]
            digests = _merge(listings, findings, reporter, max(report.rows for report in reports))
        _settle(regions, findings, digests, reporter)
        totals = [
            Totals(region, report.objects, report.rows, f"{digest:064x}")
            for region, report, digest in zip(regions, reports, digests, strict=True)
        ]
        return Comparison(totals, findings)
    except BaseException:
        findings.close()
        raise


def _survey(index: int, region: Region, listing: Listing, findings: Findings, reporter: Reporter) -> Report:
    def found(flaw: Flaw) -> None:
        if is_canary_file(flaw.filename):
            return
        findings.add_flaw(index, flaw)
        findings.add(Difference(WITHIN_REGION[flaw.kind], flaw.filename, index))

    with region.reading():
        return survey(region, listing, _OfRegion(region.region, reporter), found)


def _merge(listings: Sequence[Listing], findings: Findings, reporter: Reporter, total: int) -> list[int]:
    """Compare the listings; return the digests of what they agree about, and keep the rest as disputed."""
    digests, number = [0] * len(listings), 0
    for number, (filename, held) in enumerate(_by_filename(listings, findings), 1):
        if number % OFTEN == 1:
            reporter.running("compare", "comparing the regions", number - 1, max(number, total))
        if agree(held):
            add(digests, list(entries(filename, held)))
        else:
            findings.dispute(filename, held)
    reporter.done("compare", f"compared {count_of(number, 'file')}")
    return digests


def _by_filename(listings: Sequence[Listing], findings: Findings) -> Iterator[tuple[str, list[Held]]]:
    """Yield each filename with what each region holds of it."""
    streams = (_numbered(index, holdings(listing, findings, index)) for index, listing in enumerate(listings))
    by_filename = itemgetter(0)
    for filename, parts in groupby(heapq.merge(*streams, key=by_filename), key=by_filename):
        found = {index: held for _, index, held in parts}
        if is_canary_file(filename):
            # That of a doctor comes and goes within seconds.
            continue
        yield filename, [found.get(index, Held()) for index in range(len(listings))]


def _numbered(index: int, holding: Iterator[tuple[str, Held]]) -> Iterator[tuple[str, int, Held]]:
    for filename, held in holding:
        yield filename, index, held


def _settle(regions: Sequence[Region], findings: Findings, digests: list[int], reporter: Reporter) -> None:
    """Look again at what the listings do not agree about, and keep what still differs."""
    total, done = findings.count_disputed(), 0
    files = count_of(total, "file")
    for batch in findings.disputed(BATCH):
        reporter.running("look again", f"looking again at {files}", done, total)
        for filename, held in look_again(regions, batch):
            _settle_one(filename, held, findings, digests)
        done += len(batch)
    if total:
        reporter.done("look again", f"looked again at {files}")


def _settle_one(filename: str, held: Sequence[Held], findings: Findings, digests: list[int]) -> None:
    found = list(differences(held))
    for kind, index in found:
        row = held[index].row
        package = row.name if row is not None and kind is Kind.STALE_ROW else ""
        findings.add(Difference(kind, filename, index, package))
    added = list(entries(filename, held))
    # What was uploaded meanwhile has no row in an older listing.
    add(digests, added if found else [next(filter(None, added), 0)] * len(added))


class _OfRegion(Reporter):
    """Passes the progress of a region on, with the region's name."""

    def __init__(self, region: str, reporter: Reporter) -> None:
        self._region, self._reporter = region, reporter

    def running(self, step: str, message: str, done: int, total: int | None, note: str | None = None) -> None:
        """Report the progress of a step."""
        self._reporter.running(f"{self._region}: {step}", f"{self._region}: {message}", done, total, note)

    def done(self, step: str, message: str) -> None:
        """Report the end of a step."""
        self._reporter.done(f"{self._region}: {step}", f"{self._region}: {message}")
