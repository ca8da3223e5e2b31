"""Read the recent activity of the function from its log lines and its CloudWatch metrics."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..exceptions import AwsError
from .aws import Clients
from .aws_errors import is_missing, translated
from .models import Names

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

#: The number of packages to return.
LATEST = 10
#: Matches the handler's log line for a record; see :mod:`pypicloud_s3sync.sync.telemetry`.
PATTERN = '{ ($.action = "saved") || ($.action = "cleared") || ($.action = "failed") }'
#: CloudWatch Logs returns the oldest events first, so short windows are searched before longer ones.
WINDOWS = tuple(datetime.timedelta(minutes=minutes) for minutes in (15, 24 * 60, 7 * 24 * 60))
#: The most pages to read of one window; a page has up to 10,000 lines: botocore, logs 2014-03-28.
PAGES = 20
HOUR = 3600
METRICS = ("Invocations", "Errors")


def activity(clients: Clients, names: Names, now: datetime.datetime) -> dict[str, Any]:
    """Return the last packages that were synced, and the events and errors of the last day.

    Parameters
    ----------
    clients : Clients
    names : Names
        The names of the function and its log group.
    now : datetime.datetime
        The current time, with a time zone.

    Returns
    -------
    dict
        ``packages``: the newest first, each ``{"time", "key", "action", "lag_ms"}``; ``hours``: the oldest
        first, each ``{"time", "invocations", "errors"}``; times in seconds since 1970. If one of them is
        empty, ``packages_message`` or ``hours_message`` says why.
    """
    packages, packages_error = _read(lambda: _packages(clients, names.log_group, now))
    hours, hours_error = _read(lambda: _hours(clients, names.function, now))
    return {
        "packages": packages,
        "packages_message": packages_error or ("" if packages else "No package was synced in the last week."),
        "hours": hours,
        "hours_message": hours_error or ("" if hours else "CloudWatch has no data for the last day yet."),
    }


def _read(read: Callable[[], Iterable[dict[str, Any]]]) -> tuple[list[dict[str, Any]], str]:
    """Return what ``read`` returns and no message, or nothing and the message of its AwsError."""
    try:
        return list(read()), ""
    except AwsError as error:
        return [], str(error)


def _packages(clients: Clients, group: str, now: datetime.datetime) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for window in WINDOWS:
        found = list(_records(_messages(clients, group, now - window)))[-LATEST:]
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
        if record.get("action") in ("saved", "cleared", "failed"):
            fields = {"key": record["key"], "action": record["action"], "lag_ms": record.get("lag_ms")}
            yield {"time": event["timestamp"] // 1000, **fields}


def _hours(clients: Clients, function: str, now: datetime.datetime) -> Iterator[dict[str, Any]]:
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": name.lower(),
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": name,
                    "Dimensions": [{"Name": "FunctionName", "Value": function}],
                },
                "Period": HOUR,
                "Stat": "Sum",
            },
        }
        for name in METRICS
    ]
    end = int(now.timestamp()) // HOUR * HOUR + HOUR
    start = end - 24 * HOUR
    with translated("cloudwatch:GetMetricData", f"the function {function}", clients.settings.endpoint_url):
        answer = clients["cloudwatch"].get_metric_data(
            MetricDataQueries=queries,
            StartTime=datetime.datetime.fromtimestamp(start, datetime.UTC),
            EndTime=datetime.datetime.fromtimestamp(end, datetime.UTC),
        )
    sums: dict[int, dict[str, int]] = {}
    for result in answer["MetricDataResults"]:
        for time, value in zip(result["Timestamps"], result["Values"], strict=True):
            hour = int(time.timestamp()) // HOUR * HOUR
            counts = sums.setdefault(hour, dict.fromkeys(map(str.lower, METRICS), 0))
            counts[result["Id"]] = counts.get(result["Id"], 0) + int(value)
    if sums:
        zero = dict.fromkeys(map(str.lower, METRICS), 0)
        for hour in range(start, end, HOUR):
            yield {"time": hour, **sums.get(hour, zero)}
