"""Read how many events the function handled, and how many failed, from CloudWatch."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...sync.telemetry import NAMESPACE
from ..aws.clients import Clients
from ..aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

HOUR = 3600
#: The seconds of one value of a metric: short enough to tell an error from its retry.
PERIOD = 300
HOURS = 24
#: Lambda's own metrics: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
LAMBDA_METRICS = ("Invocations", "Errors", "DeadLetterErrors")
#: The function's metrics; see :mod:`pypicloud_s3sync.sync.telemetry`.
RECORD_METRICS = ("Saved", "Cleared", "Ignored", "Failed")


@dataclass(frozen=True)
class Interval:
    """The events of a short interval.

    Parameters
    ----------
    time : int
        The start, in seconds since 1970.
    invocations : int
    events : int
        The attempts to handle a record of an event: a record that fails and is tried again counts twice.
    failed : int
        The events that failed.
    dropped : int
        The events that Lambda gave up and could not send to the queue.
    """

    time: int
    invocations: int = 0
    events: int = 0
    failed: int = 0
    dropped: int = 0

    def __add__(self, other: Interval) -> Interval:
        return Interval(
            min(self.time, other.time),
            self.invocations + other.invocations,
            self.events + other.events,
            self.failed + other.failed,
            self.dropped + other.dropped,
        )


def read_metrics(clients: Clients, function: str, now: datetime.datetime) -> list[Interval]:
    """Return the intervals of the last day in which something happened, the oldest first; one call.

    Raises
    ------
    AwsError
        If CloudWatch refuses the call or does not answer.
    """
    end = int(now.timestamp()) // HOUR * HOUR + HOUR
    arguments: Any = {
        "MetricDataQueries": [
            *_queries("AWS/Lambda", LAMBDA_METRICS, function),
            *_queries(NAMESPACE, RECORD_METRICS, function),
        ],
        "StartTime": datetime.datetime.fromtimestamp(end - HOURS * HOUR, datetime.UTC),
        "EndTime": datetime.datetime.fromtimestamp(end, datetime.UTC),
    }
    sums: dict[int, dict[str, int]] = {}
    with translated("cloudwatch:GetMetricData", f"the function {function}", clients.settings.endpoint_url):
        while True:
            page = clients["cloudwatch"].get_metric_data(**arguments)
            for result in page["MetricDataResults"]:
                for time, value in zip(result["Timestamps"], result["Values"], strict=True):
                    counts = sums.setdefault(int(time.timestamp()) // PERIOD * PERIOD, {})
                    counts[result["Id"]] = counts.get(result["Id"], 0) + int(value)
            if not page.get("NextToken"):
                break
            arguments["NextToken"] = page["NextToken"]
    intervals = (_interval(time, sums[time]) for time in sorted(sums))
    return [interval for interval in intervals if interval != Interval(interval.time)]


def _queries(namespace: str, names: Iterable[str], function: str) -> Iterator[MetricDataQueryTypeDef]:
    for name in names:
        yield {
            "Id": name.lower(),
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": "FunctionName", "Value": function}],
                },
                "Period": PERIOD,
                "Stat": "Sum",
            },
        }


def _interval(time: int, counts: Mapping[str, int]) -> Interval:
    """Return an interval; a function that ends before it reports its records counts as one failed event."""

    def count(*names: str) -> int:
        return sum(counts.get(name, 0) for name in names)

    # With a queue, records fail while the invocation succeeds; a timeout is an error without any record.
    failed = max(count("failed"), count("errors"))
    succeeded = count("saved", "cleared", "ignored")
    if not succeeded and not count("failed"):
        # A function of another version, or none of its invocations reached the end.
        succeeded = max(0, count("invocations") - count("errors"))
    return Interval(time, count("invocations"), failed + succeeded, failed, count("deadlettererrors"))


def read_ages(clients: Clients, queues: Mapping[str, str], now: datetime.datetime) -> dict[str, int]:
    """Return the age of the oldest message in each queue, in seconds, if CloudWatch knows it; one call.

    Parameters
    ----------
    clients : Clients
    queues : dict
        The names of the queues, by the keys of the result.
    now : datetime.datetime

    Raises
    ------
    AwsError
        If CloudWatch refuses the call or does not answer.
    """
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": key,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": name}],
                },
                "Period": PERIOD,
                "Stat": "Maximum",
            },
        }
        for key, name in queues.items()
    ]
    resource = " and ".join(f"the queue {name}" for name in queues.values())
    with translated("cloudwatch:GetMetricData", resource, clients.settings.endpoint_url):
        page = clients["cloudwatch"].get_metric_data(
            MetricDataQueries=queries,
            StartTime=now - datetime.timedelta(seconds=4 * PERIOD),
            EndTime=now,
            ScanBy="TimestampDescending",
        )
    found = page["MetricDataResults"]
    return {result["Id"]: int(result["Values"][0]) for result in found if result["Values"]}


@dataclass(frozen=True)
class Statistics:
    """Numbers of the last day: throttled invocations, and the lag of the events in milliseconds.

    The lag is the time from an event in S3 until the cache was up to date; None if there was no event.
    """

    throttles: int = 0
    mean_lag: float | None = None
    longest_lag: float | None = None


def read_statistics(clients: Clients, function: str, now: datetime.datetime) -> Statistics:
    """Return the statistics of a function; one call.

    Raises
    ------
    AwsError
        If CloudWatch refuses the call or does not answer.
    """
    day = HOURS * HOUR
    wanted = {
        "throttles": ("AWS/Lambda", "Throttles", "Sum"),
        "mean": (NAMESPACE, "Lag", "Average"),
        "longest": (NAMESPACE, "Lag", "Maximum"),
    }
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": key,
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": "FunctionName", "Value": function}],
                },
                "Period": day,
                "Stat": statistic,
            },
        }
        for key, (namespace, name, statistic) in wanted.items()
    ]
    with translated("cloudwatch:GetMetricData", f"the function {function}", clients.settings.endpoint_url):
        page = clients["cloudwatch"].get_metric_data(
            MetricDataQueries=queries, StartTime=now - datetime.timedelta(seconds=day), EndTime=now
        )
    values = {result["Id"]: result["Values"] for result in page["MetricDataResults"] if result["Values"]}
    # A period that begins at midnight divides the day in two.
    return Statistics(
        throttles=int(sum(values.get("throttles", []))),
        mean_lag=_mean(values.get("mean", [])),
        longest_lag=max(values.get("longest", []), default=None),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def by_hour(intervals: Iterable[Interval], now: datetime.datetime) -> list[Interval]:
    """Return an interval for each of the last 24 hours, the oldest first."""
    end = int(now.timestamp()) // HOUR * HOUR + HOUR
    hours = {start: Interval(start) for start in range(end - HOURS * HOUR, end, HOUR)}
    for interval in intervals:
        hour = interval.time // HOUR * HOUR
        if hour in hours:
            hours[hour] = hours[hour] + interval
    return list(hours.values())
