"""Read the state of S3 sync: what exists, what differs, what is in the way, and whether events fail."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from ...config.settings import SyncSettings
from ...exceptions import AwsError
from ..aws.errors import unreadable
from ..cache.contents import last_comparison, read_contents
from ..cache.tables import foreign_tables, missing_tables
from ..desired.resources import desire
from ..location import Location
from ..models import DeliveryResources, Desired, Observed
from ..plan.conflicts import conflicts, is_owned
from ..plan.planner import compare
from ..problems import Problem
from ..readers import Reader
from .health import failing, failing_problem, queue_problem
from .metrics import read_ages, read_metrics
from .status_document import status_document


def read_status(settings: SyncSettings, location: Location, fingerprint: str) -> dict[str, Any]:
    """Return the status document; see :func:`.status_document`.

    Parameters
    ----------
    settings : SyncSettings
    location : Location
    fingerprint : str
        The fingerprint of the server's bundle.

    Raises
    ------
    AwsError
        If AWS refuses a call that reads a resource, or does not answer.
    """
    reader = Reader(location.clients)
    with location.reading():
        tables = reader.cache_tables()
        desired = desire(settings, location.identity, location.region, fingerprint, tables)
        observed = reader.observe(desired, enabling=True)
        problems = [
            *_missing_bucket(location),
            *foreign_tables(settings, location.identity, reader),
            *missing_tables(settings, tables),
        ]
    problems += conflicts(desired, observed)
    problems += _failures(location, desired, observed)
    ages, unknown = _ages(location, observed.delivery_resources)
    document = status_document(compare(desired, observed), settings, [*problems, *unknown], ages)
    contents = read_contents(settings, location, tables)
    return {
        **document,
        "warnings": [*document["warnings"], *contents.warnings()],
        "contents": contents.document(),
        "compared": last_comparison(settings),
    }


def _missing_bucket(location: Location) -> Iterator[Problem]:
    if location.missing_bucket is not None:
        yield location.missing_bucket


def _ages(location: Location, resources: DeliveryResources) -> tuple[dict[str, int], list[Problem]]:
    """Return the age of the oldest event that waits and that failed, or the problem of reading it."""
    queues = {"waiting": resources.queue, "failed": resources.dead_letters}
    used = {key: queue.name for key, queue in queues.items() if queue is not None and queue.messages}
    if not used:
        return {}, []
    try:
        with location.reading():
            return read_ages(location.clients, used, datetime.datetime.now(datetime.UTC)), []
    except AwsError as error:
        return {}, [unreadable(error, "It is unknown how old the events in the queues are")]


def _failures(location: Location, desired: Desired, observed: Observed) -> Iterator[Problem]:
    """Yield the problems of a function that runs; CloudWatch is not asked about one that does not."""
    waiting = queue_problem(observed.delivery_resources.dead_letters)
    if waiting is not None:
        yield waiting
    if not is_owned(observed.function, desired.bucket):
        return
    now = datetime.datetime.now(datetime.UTC)
    try:
        with location.reading():
            intervals = read_metrics(location.clients, desired.names.function, now)
    except AwsError as error:
        yield unreadable(error, "It is unknown whether events fail")
        return
    failures = failing(intervals, now)
    if failures is not None:
        yield failing_problem(failures, desired.names.log_group)
