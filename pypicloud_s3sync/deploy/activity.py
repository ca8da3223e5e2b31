"""What the function did lately: its own log lines, and Lambda's metrics of it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from ..exceptions import AwsError
from .aws import Clients
from .aws_errors import is_missing, translated
from .models import Names

#: How many packages are shown.
LATEST = 10
#: The handler's line of a record; see :mod:`pypicloud_s3sync.sync.telemetry`.
PATTERN = '{ ($.action = "saved") || ($.action = "cleared") || ($.action = "failed") }'
#: CloudWatch Logs gives the oldest first: so first the last minutes are asked for, then the day, the week.
WINDOWS = tuple(datetime.timedelta(minutes=minutes) for minutes in (15, 24 * 60, 7 * 24 * 60))
#: Pages of one window; a page has up to 10,000 lines: botocore, logs 2014-03-28, FilterLogEvents.
PAGES = 20
HOUR = 3600
METRICS = ("Invocations", "Errors")


def activity(clients: Clients, names: Names, now: datetime.datetime) -> dict[str, Any]:
    """The last packages that were synced, and a day of events and errors.

    Parameters
    ----------
    clients : Clients
    names : Names
        Of the function and its log group.
    now : datetime.datetime
        With a time zone.

    Returns
    -------
    dict
        ``packages``: the newest first, each ``{"time", "key", "action", "lag_ms"}``; ``hours``: the oldest
        first, each ``{"time", "invocations", "errors"}``; times in seconds since 1970. Where one of them
        cannot be had, it is empty and ``packages_message`` or ``hours_message`` says why.
    """
    packages, no_packages = _or_why(lambda: _packages(clients, names.log_group, now))
    hours, no_hours = _or_why(lambda: _hours(clients, names.function, now))
    return {
        "packages": packages,
        "packages_message": no_packages or ("" if packages else "No package was synced in the last week."),
        "hours": hours,
        "hours_message": no_hours or ("" if hours else "CloudWatch has no data of the last day yet."),
    }


def _or_why(read: Any) -> tuple[list[dict[str, Any]], str]:
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
        asked: dict[str, Any] = {
            "logGroupName": group,
            "filterPattern": PATTERN,
            "startTime": int(since.timestamp() * 1000),
        }
        for _ in range(PAGES):
            try:
                page = clients["logs"].filter_log_events(**asked)
            except ClientError as error:
                if is_missing(error):
                    return
                raise
            yield from page["events"]
            if not page.get("nextToken"):
                return
            asked["nextToken"] = page["nextToken"]


def _records(events: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The handler's records among log lines, in order of time."""
    for event in sorted(events, key=lambda event: event["timestamp"]):
        try:
            said = json.loads(event["message"])
        except ValueError:
            continue
        if isinstance(said, dict) and said.get("action") in ("saved", "cleared", "failed") and "key" in said:
            shown = {"key": said["key"], "action": said["action"], "lag_ms": said.get("lag_ms")}
            yield {"time": event["timestamp"] // 1000, **shown}


def _hours(clients: Clients, function: str, now: datetime.datetime) -> Iterator[dict[str, Any]]:
    queries = [
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
            of_hour = sums.setdefault(hour, dict.fromkeys(map(str.lower, METRICS), 0))
            of_hour[result["Id"]] = of_hour.get(result["Id"], 0) + int(value)
    if sums:
        nothing = dict.fromkeys(map(str.lower, METRICS), 0)
        for hour in range(start, end, HOUR):
            yield {"time": hour, **sums.get(hour, nothing)}
