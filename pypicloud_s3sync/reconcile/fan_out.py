"""Send the keys that differ to the function's queue, so that the function handles them like events."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from ..sync.counts import count_of
from .listing import Listing
from .models import Difference, Kind, Report, Reporter

#: Differences that are taken from the listing at once.
BATCH = 1000

#: Sends messages, of which each is one text; returns the errors by the index of the message.
Send = Callable[[Sequence[str]], Mapping[int, str]]


def fan_out(
    listing: Listing, bucket: str, region: str, send: Send, report: Report, reporter: Reporter
) -> None:
    """Send a message for each key of the differences.

    Parameters
    ----------
    listing : Listing
        The listing, with its differences, which are taken from it.
    bucket, region : str
    send : callable
    report : Report
        Receives the numbers; what differs is known from the listings only.
    reporter : Reporter
    """
    total, done = listing.count(), 0
    # All or nothing: that many rows without an object look like a wrong setting.
    may_delete = listing.count(Kind.GONE) <= report.limit
    message = f"queueing {count_of(total, 'file')} for the function"
    while batch := listing.take(BATCH):
        reporter.running("fan out", message, done, total)
        done += len(batch)
        differences = [difference for difference, _ in batch]
        for difference in differences:
            report.count(difference.kind, difference.filename)
        report.kept += sum(it.kind is Kind.GONE for it in differences if not may_delete)
        allowed = [it for it in differences if may_delete or it.kind is not Kind.GONE]
        _send(allowed, bucket, region, send, report)
    if total:
        reporter.done("fan out", f"queued {count_of(report.queued, 'file')} for the function")


def _send(differences: Sequence[Difference], bucket: str, region: str, send: Send, report: Report) -> None:
    named = [
        (difference.filename, text)
        for difference in differences
        for text in messages(difference, bucket, region)
    ]
    errors = send([text for _, text in named]) if named else {}
    failed = {named[index][0]: error for index, error in errors.items()}
    for name, error in failed.items():
        report.fail(name, error)
    report.queued += len(differences) - len(failed)


def messages(difference: Difference, bucket: str, region: str) -> Iterator[str]:
    """Yield a message in the format of S3's notifications for each key of a difference.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    name = "ObjectRemoved:Delete" if difference.kind is Kind.GONE else "ObjectCreated:Put"
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    for key in difference.keys:
        record: dict[str, Any] = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": region,
            "eventTime": now,
            "eventName": name,
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {"name": bucket},
                "object": {"key": quote_plus(key, safe="/")},
            },
        }
        yield json.dumps({"Records": [record]})
