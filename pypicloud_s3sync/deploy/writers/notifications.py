"""Add this tool's entry to the bucket's notifications, or remove it: read, merge, compare, write, verify."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...exceptions import AwsError
from .. import notifications
from ..models import NotificationOwner, Subscription
from ..readers import Reader
from .calls import Calls

#: S3's message while a new permission has not propagated from Lambda.
PERMISSION_PROPAGATION = ("Unable to validate the following destination",)


class NotificationWriter:
    """Actions on this tool's entry in a notification configuration that has foreign entries too.

    Parameters
    ----------
    calls : Calls
    bucket : str
    account : str
        The account that owns the bucket; S3 refuses the write if the owner has changed.
    """

    def __init__(self, calls: Calls, bucket: str, account: str) -> None:
        self.calls = calls
        self.bucket = bucket
        self.account = account
        self.reader = Reader(calls.clients)

    def put(self, owner: NotificationOwner, subscription: Subscription) -> None:
        """Add the entry, in place of the entries that it replaces."""
        self._rewrite(lambda current: notifications.subscribed(current, owner, subscription), validate=True)

    def remove(self, owner: NotificationOwner, eventbridge: bool | None = None) -> None:
        """Remove the entry without validation: a foreign entry with a broken destination would prevent it."""
        self._rewrite(lambda current: notifications.unsubscribed(current, owner, eventbridge), validate=False)

    def _rewrite(self, change: Callable[[Mapping[str, Any]], dict[str, Any]], *, validate: bool) -> None:
        # S3 has no conditional write here, so read again just before writing and ignore the plan's copy.
        current = self.reader.notifications(self.bucket)
        wanted = change(current)
        if notifications.equivalent(current, wanted):
            return
        self.calls.retry_on(PERMISSION_PROPAGATION, lambda: self._write(wanted, validate=validate))
        written = self.reader.notifications(self.bucket)
        if not notifications.equivalent(change(written), written):
            raise AwsError(
                f"the notifications of the bucket {self.bucket} were changed by another program"
                " at the same time: run again"
            )

    def _write(self, configuration: Mapping[str, Any], *, validate: bool) -> None:
        self.calls.do(
            *("s3", "put_bucket_notification_configuration", f"the bucket {self.bucket}"),
            action="s3:PutBucketNotification",
            Bucket=self.bucket,
            NotificationConfiguration=dict(configuration),
            ExpectedBucketOwner=self.account,
            SkipDestinationValidation=not validate,
        )
