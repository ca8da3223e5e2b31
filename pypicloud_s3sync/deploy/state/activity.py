"""Read the recent activity of the function from its log lines and its CloudWatch metrics."""

from __future__ import annotations

import datetime
import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from botocore.exceptions import ClientError

from ...caches.canary import is_canary_file
from ...exceptions import AwsError
from ..aws.clients import Clients
from ..aws.errors import is_missing, translated, unreadable
from ..models import Names
from .health import failing, iso_time
from .metrics import by_hour, read_metrics

#: The number of packages to return.
LATEST = 10
#: Matches the handler's log line for a record; see :mod:`pypicloud_s3sync.sync.telemetry`.
PATTERN = '{ ($.action = "saved") || ($.action = "cleared") || ($.action = "failed") }'
#: CloudWatch Logs returns the oldest events first, so short windows are searched before longer ones.
WINDOWS = tuple(datetime.timedelta(minutes=minutes) for minutes in (15, 24 * 60, 7 * 24 * 60))
#: The most pages to read of one window; a page has up to 10,000 lines: botocore, logs 2014-03-28.
PAGES = 20


def activity(
    clients: Clients,
    names: Names,
    now: datetime.datetime,
    reading: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> dict[str, Any]:
    """Return the last packages that were synced, and the events and failures of the last day.

    Parameters
    ----------
    clients : Clients
    names : Names
        The names of the function and its log group.
    now : datetime.datetime
        The current time, with a time zone.
    reading : callable, optional
        Returns a context for the calls, which adds to their errors what they need.

    Returns
    -------
    dict
        ``packages``: the newest first, each ``{"time", "at", "key", "filename", "action", "lag_ms",
        "error"}``; ``hours``: the oldest first, each ``{"time", "at", "events", "errors", "invocations"}``;
        ``failing``: ``{"events", "failed", "since"}`` or None; ``problems``: what could not be read. If there
        are no packages or hours, ``packages_message`` or ``hours_message`` says why.
    """
    packages, packages_problems = _read_packages(clients, names, now, reading())
    hours, hours_problems = _read_hours(clients, names, now, reading())
    return {**packages, **hours, "problems": packages_problems + hours_problems}


def _read_packages(
    clients: Clients, names: Names, now: datetime.datetime, reading: AbstractContextManager[None]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        with reading:
            packages = _packages(clients, names.log_group, now)
    except AwsError as error:
        problem = unreadable(error, "The last packages are unknown")
        return {"packages": [], "packages_message": str(error)}, [problem.document]
    message = "" if packages else "No package was synced in the last week."
    return {"packages": packages, "packages_message": message}, []


def _read_hours(
    clients: Clients, names: Names, now: datetime.datetime, reading: AbstractContextManager[None]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        with reading:
            intervals = read_metrics(clients, names.function, now)
    except AwsError as error:
        problem = unreadable(error, "It is unknown whether events fail")
        return {"hours": [], "hours_message": str(error), "failing": None}, [problem.document]
    if not intervals:
        return {
            "hours": [],
            "hours_message": "CloudWatch has no data for the last day yet.",
            "failing": None,
        }, []
    failures = failing(intervals, now)
    hours = [
        {
            "time": hour.time,
            "at": iso_time(hour.time),
            "events": hour.events,
            "errors": hour.failed,
            "invocations": hour.invocations,
        }
        for hour in by_hour(intervals, now)
    ]
    return {"hours": hours, "hours_message": "", "failing": failures and failures.document}, []


def records_since(clients: Clients, group: str, since: datetime.datetime) -> list[dict[str, Any]]:
    """Return the records in the log since some time, the oldest first, without the ignored ones."""
    return list(_records(_messages(clients, group, since)))


def _packages(clients: Clients, group: str, now: datetime.datetime) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for window in WINDOWS:
        found = records_since(clients, group, now - window)[-LATEST:]
        if len(found) == LATEST:
            break
    return found[::-1]


def _messages(clients: Clients, group: str, since: datetime.datetime) -> Iterator[Mapping[str, Any]]:
    with translated("logs:FilterLogEvents", f"the log group {group}", clients.settings.endpoint_url):
        arguments: dict[str, Any] = {
            "logGroupName": group,
            "filterPattern": PATTERN,
            "startTime": int(since.timestamp() * 1000),
        }
        for _ in range(PAGES):
            try:
                page = clients["logs"].filter_log_events(**arguments)
            except ClientError as error:
                if is_missing(error):
                    return
                raise
            yield from page["events"]
            if not page.get("nextToken"):
                return
            arguments["nextToken"] = page["nextToken"]


def _records(events: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the handler's records among the log events, ordered by time."""
    for event in sorted(events, key=lambda event: event["timestamp"]):
        try:
            record = json.loads(event["message"])
        except ValueError:
            continue
        if not isinstance(record, dict) or "key" not in record:
            continue
        filename = posixpath.basename(str(record["key"]))
        if is_canary_file(filename):
            continue
        if record.get("action") in ("saved", "cleared", "failed"):
            yield {
                "time": event["timestamp"] // 1000,
                "at": iso_time(event["timestamp"] / 1000),
                "key": record["key"],
                "filename": filename,
                "action": record["action"],
                "lag_ms": record.get("lag_ms"),
                "error": record.get("error"),
            }
