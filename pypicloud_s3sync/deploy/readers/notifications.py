"""Read the bucket's notification configuration."""

from __future__ import annotations

from typing import Any

from .calls import Calls


def bucket_notifications(calls: Calls, bucket: str) -> dict[str, Any]:
    """Return the whole notification configuration of a bucket; empty if the bucket does not exist."""
    found = calls.find(
        *("s3", "get_bucket_notification_configuration", f"the bucket {bucket}"),
        action="s3:GetBucketNotification",
        Bucket=bucket,
    )
    return {key: value for key, value in (found or {}).items() if key != "ResponseMetadata"}
