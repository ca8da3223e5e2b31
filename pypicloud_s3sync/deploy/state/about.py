"""Describe what S3 sync is, what it creates and what it costs; ``docs/production.md`` explains the costs."""

from __future__ import annotations

from ...config.options import Delivery
from ...config.settings import SyncSettings

#: Public prices in US dollars, in us-east-1 and without free tiers: https://aws.amazon.com/lambda/pricing/,
#: https://aws.amazon.com/s3/pricing/, https://aws.amazon.com/dynamodb/pricing/on-demand/ and
#: https://aws.amazon.com/cloudwatch/pricing/
PRICED = "March 2026"
PER_REQUEST = 0.20 / 1_000_000
PER_GB_SECOND = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
PER_HEAD = 0.0004 / 1000
PER_WRITE, PER_READ = 0.625 / 1_000_000, 0.125 / 1_000_000
PER_METRIC_MONTH = 0.30
#: A snapshot is stored for each version of the function, and billed by the function's memory.
PER_CACHED_GB_SECOND, PER_RESTORED_GB = 0.0000015046, 0.0001397998
MONTH = 30 * 24 * 3600
#: What an event takes: seconds, HEAD requests, and writes and reads of DynamoDB.
SECONDS, HEADS, WRITES, READS = 0.2, 2, 6, 2
#: The function's metrics: see :mod:`pypicloud_s3sync.sync.telemetry`.
METRICS = 5
#: The events of the example.
EVENTS = 1000
#: Lambda asks the queue with five connections, each of which waits up to 20 seconds for an event:
#: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html, https://aws.amazon.com/sqs/pricing/
POLLS, PER_POLL = 5 * 3 * 60 * 24 * 30, 0.40 / 1_000_000
#: How each delivery gets its events.
CREATES = {
    Delivery.DIRECT: "a notification of the bucket",
    Delivery.SQS: "a notification of the bucket",
    Delivery.EVENTBRIDGE: "an EventBridge rule",
}


def about(settings: SyncSettings) -> str:
    """Return what S3 sync is, what it creates with these settings, and about what it costs."""
    return (
        "S3 sync lets this server install packages that reach the bucket in other ways, for example through"
        " S3 replication. It creates a Lambda function with a role and a log group, two SQS queues for events"
        f" that fail, and {CREATES[settings.delivery]}."
        f" {EVENTS:,} packages a month cost {_dollars(event_costs(settings))},"
        f" reading the queue {_dollars(POLLS * PER_POLL)},{_snapshot(settings)}"
        f" and the function's metrics up to ${METRICS * PER_METRIC_MONTH:.2f} a month"
        f" (AWS's public prices in us-east-1, {PRICED}, without free tiers)."
    )


def event_costs(settings: SyncSettings) -> float:
    """Return what the events of the example cost, in US dollars."""
    duration = settings.memory_size / 1024 * SECONDS * PER_GB_SECOND[settings.architecture]
    rows = WRITES * PER_WRITE + READS * PER_READ if settings.cache_backend == "dynamo" else 0
    return EVENTS * (PER_REQUEST + duration + HEADS * PER_HEAD + rows)


def snapshot_costs(settings: SyncSettings) -> float:
    """Return what a month of the snapshot costs, in US dollars, without restores."""
    return settings.memory_size / 1024 * MONTH * PER_CACHED_GB_SECOND if settings.snap_start else 0


def _snapshot(settings: SyncSettings) -> str:
    return f" its snapshot {_dollars(snapshot_costs(settings))}," if settings.snap_start else ""


def _dollars(amount: float) -> str:
    return f"about ${amount:.2f}" if amount >= 0.01 else "less than $0.01"
