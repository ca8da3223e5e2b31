"""What the function says of its work: a JSON line for each key, and CloudWatch metrics in one more.

The metrics are in CloudWatch's embedded metric format, which needs no call and no permission:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import environment

NAMESPACE = "pypicloud-s3sync"
ACTIONS = ("saved", "cleared", "ignored", "failed")
#: Values that a metric may have in one document.
VALUES = 100


@dataclass(frozen=True)
class RecordResult:
    """What became of one record.

    Parameters
    ----------
    event : str
        What was said to have happened, for example ``ObjectCreated:Put``.
    bucket, key : str
    action : str
        ``saved``, ``cleared``, ``ignored`` or ``failed``.
    duration_ms : int
        Of the batch that the key was in.
    lag_ms : int or None
        From the event's time to now, where the cache says what S3 holds.
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
        """The result as one line of JSON, with no secret in it."""
        said = {name: value for name, value in vars(self).items() if value is not None}
        level = "ERROR" if self.action == "failed" else "INFO"
        return environment.mask(json.dumps({"level": level, **said}), secrets)


def lag_ms(time: datetime.datetime | None, now: datetime.datetime) -> int | None:
    """Milliseconds since an event, never negative: S3's clock is not ours."""
    return None if time is None else max(0, round((now - time).total_seconds() * 1000))


def metrics(results: Sequence[RecordResult], function: str, now: datetime.datetime) -> Iterator[str]:
    """Documents of the embedded metric format: how many keys by action, and the lag of each."""
    lags = [result.lag_ms for result in results if result.lag_ms is not None]
    counts = {action.capitalize(): sum(result.action == action for result in results) for action in ACTIONS}
    yield _document(function, now, {name: (count, "Count") for name, count in counts.items()})
    for start in range(0, len(lags), VALUES):
        yield _document(function, now, {"Lag": (lags[start : start + VALUES], "Milliseconds")})


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
