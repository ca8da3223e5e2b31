"""Reconcile the cache with the bucket from this host, with the server's own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...config.settings import SyncSettings
from ...exceptions import ReconcileError, S3SyncError, UnreachableError
from ...reconcile.models import Options, Report
from ...sync.counts import count_of
from ...sync.masking import mask
from ..aws.clients import Clients
from ..models import Progress, Queue, Reporter
from ..snap_start import invoked
from .by_function import reconcile_by_function
from .known_objects import known_objects_path
from .queue_sender import QueueSender
from .reading import Steps, open_syncer


def differs_here(settings: SyncSettings, clients: Clients) -> bool:
    """Return whether the listings of bucket and cache differ; change nothing.

    Raises
    ------
    S3SyncError
        As :func:`reconcile_here`.
    """
    # Imported here and below, because it imports pypicloud, which most commands do not need.
    from ...reconcile.known_objects import KnownObjects
    from ...reconcile.run import listings_differ

    with (
        open_syncer(settings, clients, 1, "reconcile") as (syncer, s3),
        KnownObjects(known_objects_path(settings)) as known,
    ):
        return listings_differ(syncer, s3, known)


def reconcile_here(
    settings: SyncSettings,
    clients: Clients,
    options: Options,
    workers: int,
    report: Reporter,
    queue: Queue | None = None,
) -> Report:
    """Make the cache equal to the bucket, or only count the differences.

    If a queue is given, the function that reads it repairs the rows.

    Raises
    ------
    S3SyncError
        Bucket or cache cannot be listed, or the cache cannot be reached.
    """
    from ...reconcile.known_objects import KnownObjects
    from ...reconcile.run import reconcile

    with (
        open_syncer(settings, clients, workers, "reconcile") as (syncer, s3),
        KnownObjects(known_objects_path(settings)) as known,
    ):
        send = None if queue is None else QueueSender(clients, queue, workers).send
        result = reconcile(syncer, s3, options, Steps(report), send=send, known=known)
    # Databases may quote their settings.
    result.failed = {name: mask(text, settings.secrets) for name, text in result.failed.items()}
    return result


def check(report: Report) -> None:
    """Raise an error that names what a repair could not do.

    Raises
    ------
    ReconcileError
        Some files failed, or too many rows would have been deleted.
    """
    problems = []
    if report.failed and not report.dry_run:
        name, error = next(iter(report.failed.items()))
        files = count_of(report.failures, "file")
        done = "queued" if report.is_fan_out else "repaired"
        problems.append(f"{files} could not be {done} ({name}: {error}): run it again")
    if report.kept and not report.dry_run:
        kept = count_of(report.kept, "row has", "rows have")
        problems.append(
            f"{kept} no object, but at most {report.limit:,} may be deleted, so none was:"
            f" check storage.bucket and storage.prefix; if they are right, use --max-delete {report.kept}"
        )
    if problems:
        raise ReconcileError("; ".join(problems), report.document())


def summary(report: Report) -> str:
    """Return the result of a reconciliation in a sentence."""
    if report.dry_run and not report.in_sync:
        counts = [f"{count:,} {kind.value}" for kind, count in report.differences.items() if count]
        counts += [f"{report.failures:,} unknown"] if report.failed else []
        return f"Bucket and cache differ: {', '.join(counts)}."
    if report.queued:
        files = count_of(report.queued, "file")
        return f"Queued {files}, which the function repairs. `ppc-s3sync status` shows how many events wait."
    if not report.repaired:
        compared = f"{count_of(report.objects, 'object')}, {count_of(report.rows, 'row')}"
        return f"Bucket and cache are in sync: {compared}."
    return f"Repaired {count_of(report.repaired, 'difference')}. Bucket and cache are in sync."


@dataclass(frozen=True)
class Reconciled:
    """The end of ``enable``: the report, or None if the cache could not be compared, and a message."""

    report: Report | None
    message: str

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"message": self.message} if self.report is None else self.report.document()


def reconcile_after_enable(
    settings: SyncSettings, clients: Clients, workers: int, report: Reporter
) -> Reconciled:
    """Add to the cache what the bucket held before the sync was on.

    If the cache cannot be reached from this host, for example because it is in a VPC, the function does it.
    The sync is on even if the function cannot do it either.

    Raises
    ------
    ReconcileError
        Some differences could not be repaired.
    """
    try:
        result = _reconcile_anywhere(settings, clients, workers, report)
    except S3SyncError as error:
        message = f"The bucket was not compared with the cache: {mask(str(error), settings.secrets)}"
        report(Progress("reconcile", "skipped", message))
        return Reconciled(None, message)
    check(result)
    if not result.added:
        return Reconciled(result, summary(result))
    packages = count_of(result.added, "package")
    return Reconciled(result, f"Added {packages} that the cache lacked. Bucket and cache are in sync.")


def _reconcile_anywhere(settings: SyncSettings, clients: Clients, workers: int, report: Reporter) -> Report:
    try:
        return reconcile_here(settings, clients, Options(), workers, report)
    except UnreachableError as error:
        here = mask(str(error), settings.secrets)
        report(Progress("reconcile here", "skipped", here))
    try:
        result = reconcile_by_function(clients, invoked(settings), settings.timeout, report)
    except S3SyncError as error:
        raise S3SyncError(f"{here}; {error}") from error
    result.failed = {key: mask(text, settings.secrets) for key, text in result.failed.items()}
    return result
