"""Read the figures that a monitoring system collects, in a few calls that cost little.

CloudWatch has the function's metrics about a minute after an event; see :mod:`..sync.telemetry`. If it has
none of the last day, few events were handled, and the function's log is read instead.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...sync.telemetry import NAMESPACE
from ..aws.clients import Clients
from ..aws.errors import translated
from ..models import Names, Queue
from ..readers import Reader
from .activity import records_since

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

#: The seconds of one value of a metric, and of all of them.
PERIOD, DAY = 60, 24 * 3600
#: The metrics that count records, by the outcome of a record. Lambda's own one counts events that it lost.
OUTCOMES = {
    "saved": (NAMESPACE, "Saved"),
    "cleared": (NAMESPACE, "Cleared"),
    "ignored": (NAMESPACE, "Ignored"),
    "failed": (NAMESPACE, "Failed"),
    "lost": ("AWS/Lambda", "DeadLetterErrors"),
}
#: The outcomes that need a record, so that their last value is the time of the last event.
HANDLED = ("saved", "cleared", "ignored", "failed")
#: SQS reports the age of a queue's oldest message every minute; this is how far back it is looked for.
RECENT = datetime.timedelta(minutes=20)
#: What the function reports when it ends a reconciliation, how far back the last one is looked for, and the
#: seconds of one value: values of a minute are kept for 15 days only.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Metric
RECONCILED = {"drift": (NAMESPACE, "Drift"), "left": (NAMESPACE, "DriftLeft")}
RECONCILED_WITHIN, RECONCILED_PERIOD = datetime.timedelta(days=35), 300

#: The values of a metric by time.
Series = Mapping[datetime.datetime, float]


def read_figures(clients: Clients, names: Names, now: datetime.datetime) -> dict[str, Any]:
    """Return the figures.

    Parameters
    ----------
    clients : Clients
    names : Names
        The names of the function, its log group and its queues.
    now : datetime.datetime
        The current time, with a time zone.

    Returns
    -------
    dict
        ``events`` of the last day by outcome; ``last_event``, its time in seconds since 1970, and its
        ``lag_seconds``, each None if it is not known; ``waiting`` and ``failed``, the numbers of events in
        the queues; ``oldest_waiting_seconds`` and ``oldest_failed_seconds``, or None; ``reconciled``, the
        last reconciliation by the function with its time ``at`` and the differences ``left``, or None.

    Raises
    ------
    AwsError
        If AWS refuses a call or does not answer.
    """
    reader = Reader(clients)
    queues = {"waiting": reader.queue(names.queue), "failed": reader.queue(names.dead_letters)}
    series = _read(clients, names, queues, now)
    events = {outcome: int(sum(series[outcome].values())) for outcome in OUTCOMES}
    counted = (time for name in HANDLED for time, count in series[name].items() if count)
    last = max(counted, default=None)
    lags = series["lag"]
    handled = {
        "events": events,
        "last_event": None if last is None else int(last.timestamp()),
        "lag_seconds": lags[max(lags)] / 1000 if lags else None,
    }
    if last is None:
        handled = _from_log(clients, names, now, handled)
    return {**handled, **dict(_of_queues(queues, series)), "reconciled": _reconciled(clients, names, now)}


def _reconciled(clients: Clients, names: Names, now: datetime.datetime) -> dict[str, int] | None:
    """Return what the function's last reconciliation has found and left, or None; one call."""
    of_function = {"Name": "FunctionName", "Value": names.function}
    queries = [
        _query(name, *metric, of_function, "Maximum", RECONCILED_PERIOD)
        for name, metric in RECONCILED.items()
    ]
    series = _series(clients, names, queries, now - RECONCILED_WITHIN, now)
    if not series["left"]:
        return None
    at = max(series["left"])
    return {"at": int(at.timestamp()), **{name: int(series[name].get(at, 0)) for name in RECONCILED}}


def _of_queues(queues: Mapping[str, Queue | None], series: Mapping[str, Series]) -> Iterator[tuple[str, Any]]:
    for state, queue in queues.items():
        messages = 0 if queue is None else queue.messages
        ages = series.get(f"oldest_{state}", {})
        yield state, messages
        yield f"oldest_{state}_seconds", int(ages[max(ages)]) if messages and ages else None


def _from_log(
    clients: Clients, names: Names, now: datetime.datetime, figures: dict[str, Any]
) -> dict[str, Any]:
    """Return the figures of a day on which CloudWatch has counted no record."""
    records = records_since(clients, names.log_group, now - datetime.timedelta(seconds=DAY))
    if not records:
        return figures
    actions = Counter(record["action"] for record in records)
    lags = [record["lag_ms"] for record in records if record["lag_ms"] is not None]
    return {
        "events": {**figures["events"], **actions},
        "last_event": records[-1]["time"],
        "lag_seconds": lags[-1] / 1000 if lags else None,
    }


def _read(
    clients: Clients, names: Names, queues: Mapping[str, Queue | None], now: datetime.datetime
) -> dict[str, Series]:
    """Return the values of each metric of the last day, by the id of its query; one call."""
    queries = list(_queries(names, queues))
    series = _series(clients, names, queries, now - datetime.timedelta(seconds=DAY), now)
    for state in queues:
        ages = series.get(f"oldest_{state}", {})
        series[f"oldest_{state}"] = {time: age for time, age in ages.items() if time > now - RECENT}
    return series


def _series(
    clients: Clients,
    names: Names,
    queries: Sequence[MetricDataQueryTypeDef],
    start: datetime.datetime,
    end: datetime.datetime,
) -> dict[str, Series]:
    """Return the values of some metrics of the function, by the id of their query."""
    arguments: Any = {"MetricDataQueries": queries, "StartTime": start, "EndTime": end}
    series: dict[str, dict[datetime.datetime, float]] = {query["Id"]: {} for query in queries}
    resource = f"the function {names.function}"
    with translated("cloudwatch:GetMetricData", resource, clients.settings.endpoint_url):
        while True:
            page = clients["cloudwatch"].get_metric_data(**arguments)
            for result in page["MetricDataResults"]:
                values = zip(result["Timestamps"], result["Values"], strict=True)
                series[result["Id"]].update(values)
            if not page.get("NextToken"):
                break
            arguments["NextToken"] = page["NextToken"]
    return dict(series)


def _queries(names: Names, queues: Mapping[str, Queue | None]) -> Iterator[MetricDataQueryTypeDef]:
    of_function = {"Name": "FunctionName", "Value": names.function}
    for outcome, (namespace, metric) in OUTCOMES.items():
        yield _query(outcome, namespace, metric, of_function, "Sum")
    # Of a minute with many events, the longest lag says how far behind the cache is.
    yield _query("lag", NAMESPACE, "Lag", of_function, "Maximum")
    for state, queue in queues.items():
        if queue is not None and queue.messages:
            of_queue = {"Name": "QueueName", "Value": queue.name}
            yield _query(f"oldest_{state}", "AWS/SQS", "ApproximateAgeOfOldestMessage", of_queue, "Maximum")


def _query(
    identifier: str,
    namespace: str,
    metric: str,
    dimension: dict[str, str],
    statistic: str,
    period: int = PERIOD,
) -> MetricDataQueryTypeDef:
    of_metric: Any = {"Namespace": namespace, "MetricName": metric, "Dimensions": [dimension]}
    return {
        "Id": identifier,
        "MetricStat": {"Metric": of_metric, "Period": period, "Stat": statistic},
    }
