"""Write the function's log: a line of JSON for each record, and further lines with CloudWatch metrics.

The metrics are in CloudWatch's embedded metric format, which needs no call and no permission:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .masking import mask

NAMESPACE = "pypicloud-s3sync"
ACTIONS = ("saved", "cleared", "ignored", "failed")
#: The largest number of values that a metric may have in one document.
VALUES = 100


@dataclass(frozen=True)
class RecordResult:
    """The result of one record.

    Parameters
    ----------
    event : str
        The kind of event that was reported, for example ``ObjectCreated:Put``.
    bucket, key : str
    action : str
        ``saved``, ``cleared``, ``ignored`` or ``failed``.
    duration_ms : int
        The duration of the batch that contained the key.
    lag_ms : int or None
        The time from the event until the cache was up to date; None if it failed or the event has no time.
    error : str or None
        The cause of a failure.
    """

    event: str
    bucket: str
    key: str
    action: str
    duration_ms: int
    lag_ms: int | None = None
    error: str | None = None

    def line(self, secrets: Iterable[str] = ()) -> str:
        """Return the result as one line of JSON, with the secrets in its error masked."""
        fields = {name: value for name, value in vars(self).items() if value is not None}
        if self.error is not None:
            fields["error"] = mask(self.error, secrets)
        level = "ERROR" if self.action == "failed" else "INFO"
        return json.dumps({"level": level, **fields})


def lag_ms(time: datetime.datetime | None, now: datetime.datetime) -> int | None:
    """Return the milliseconds since an event, at least 0, because S3's clock may be ahead of this one."""
    return None if time is None else max(0, round((now - time).total_seconds() * 1000))


def metrics(results: Sequence[RecordResult], function: str, now: datetime.datetime) -> Iterator[str]:
    """Yield documents of the embedded metric format: the number of records by action, and the lag of each."""
    lags = [result.lag_ms for result in results if result.lag_ms is not None]
    counts = {action.capitalize(): sum(result.action == action for result in results) for action in ACTIONS}
    yield _document(function, now, {name: (count, "Count") for name, count in counts.items()})
    for start in range(0, len(lags), VALUES):
        yield _document(function, now, {"Lag": (lags[start : start + VALUES], "Milliseconds")})


def reconcile_metrics(state: Mapping[str, Any], function: str, now: datetime.datetime) -> str:
    """Return a document with what a reconciliation found and left, when it has ended."""
    left = state["kept"] + state["failed"]
    found = state["added"] + state["repaired"] + state["deleted"] + left
    return _document(function, now, {"Drift": (found, "Count"), "DriftLeft": (left, "Count")})


def _document(function: str, now: datetime.datetime, values: dict[str, tuple[Any, str]]) -> str:
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
    }
    metadata = {"Timestamp": round(now.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps(
        {"_aws": metadata, "FunctionName": function, **{name: value for name, (value, _) in values.items()}}
    )
