"""Puts our entry into the bucket's notifications, or takes it out: read, merge, compare, write, read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...exceptions import AwsError
from .. import notifications
from ..models import NotificationOwner, Subscription
from ..readers.reader import Reader
from .calls import Calls

#: S3's words while Lambda's news of the permission has not reached it.
PERMISSION_PROPAGATION = ("Unable to validate the following destination",)


class NotificationWriter:
    """Actions on our entry in a bucket that others use too.

    Parameters
    ----------
    calls : Calls
    bucket : str
    account : str
        The bucket's owner: S3 refuses the write where it is somebody else by now.
    """

    def __init__(self, calls: Calls, bucket: str, account: str) -> None:
        self.calls = calls
        self.bucket = bucket
        self.account = account
        self.reader = Reader(calls.clients)

    def put(self, owner: NotificationOwner, subscription: Subscription) -> None:
        """Put our entry in, in the place of any other of ours."""
        self._rewrite(lambda found: notifications.subscribed(found, owner, subscription), validate=True)

    def remove(self, owner: NotificationOwner, eventbridge: bool | None = None) -> None:
        """Take our entry out, even where S3 would refuse the write for somebody's broken destination."""
        self._rewrite(lambda found: notifications.unsubscribed(found, owner, eventbridge), validate=False)

    def _rewrite(self, change: Callable[[Mapping[str, Any]], dict[str, Any]], *, validate: bool) -> None:
        # S3 has no conditional write here: what was read for the plan is read again, to keep the gap small.
        found = self.reader.notifications(self.bucket)
        wanted = change(found)
        if notifications.same(found, wanted):
            return
        self.calls.retry_on(PERMISSION_PROPAGATION, lambda: self._write(wanted, validate=validate))
        written = self.reader.notifications(self.bucket)
        if not notifications.same(change(written), written):
            raise AwsError(
                f"the notifications of the bucket {self.bucket} are not what was written:"
                " somebody else writes them too; run again"
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
