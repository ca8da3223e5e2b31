"""Add this tool's entry to the bucket's notifications, or remove it: read, change, compare, write, verify."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from ...exceptions import AwsError, ConflictError
from .. import notifications
from ..models import NotificationOwner, Subscription
from ..readers.notifications import bucket_notifications
from .buckets import BucketWriter, SharedConfiguration

#: S3's message if it may not use a destination, for example until a new permission has propagated.
INVALID_DESTINATION = "Unable to validate the following destination"


class NotificationWriter(BucketWriter):
    """Actions on this tool's entry in a notification configuration that has foreign entries too."""

    def put(self, owner: NotificationOwner, subscription: Subscription) -> None:
        """Add the entry, in place of the entries that it replaces."""
        self._rewrite(owner, lambda current: notifications.subscribed(current, owner, subscription))

    def remove(self, owner: NotificationOwner, eventbridge: bool | None = None) -> None:
        """Remove the entries, even if S3 cannot use the destination of a foreign entry."""
        self._rewrite(
            owner, lambda current: notifications.unsubscribed(current, owner, eventbridge), validate=False
        )

    def _rewrite(
        self,
        owner: NotificationOwner,
        change: Callable[[Mapping[str, Any]], dict[str, Any]],
        *,
        validate: bool = True,
    ) -> None:
        configuration = SharedConfiguration[dict[str, Any]](
            read=lambda: bucket_notifications(self.calls, self.bucket),
            equivalent=notifications.equivalent,
            write=lambda wanted: self._write(owner, wanted, validate=validate),
            propagation=(INVALID_DESTINATION,),
            conflict=f"the notifications of the bucket {self.bucket} were changed by another program at the"
            " same time: run again",
        )
        configuration.rewrite(self.calls, change)

    def _write(self, owner: NotificationOwner, configuration: Mapping[str, Any], *, validate: bool) -> None:
        try:
            self.calls.do(
                *("s3", "put_bucket_notification_configuration", f"the bucket {self.bucket}"),
                action="s3:PutBucketNotification",
                Bucket=self.bucket,
                NotificationConfiguration=dict(configuration),
                ExpectedBucketOwner=self.account,
                SkipDestinationValidation=not validate,
            )
        except AwsError as error:
            foreign = _foreign_destination(error, configuration, owner)
            if foreign is None:
                raise
            raise ConflictError(
                f"S3 refuses every change of the notifications of the bucket {self.bucket}, because it cannot"
                f" use the destination of a foreign entry: {foreign}; correct or remove that notification"
            ) from error


def _foreign_destination(
    error: AwsError, configuration: Mapping[str, Any], owner: NotificationOwner
) -> str | None:
    """Return the foreign destination that S3 rejects, with its reason; None if it may reject an own one.

    S3 names each rejected destination: ``ArgumentName1`` holds its ARN, ``ArgumentValue1`` the reason. The
    message has neither, but the body of the response: https://github.com/aws/aws-cli/issues/8162
    """
    cause = error.__cause__
    if INVALID_DESTINATION not in str(error) or not isinstance(cause, ClientError):
        return None
    details = {key: str(value) for key, value in cause.response["Error"].items() if "Argument" in key}
    text = " ".join(details.values())
    rejected = [arn for arn in notifications.destinations(configuration) if _names(text, arn)]
    if not rejected or any(owner.receives(arn) for arn in rejected):
        return None
    reasons = "; ".join(value for key, value in sorted(details.items()) if key.startswith("ArgumentValue"))
    return f"{rejected[0]} ({reasons})" if reasons else rejected[0]


def _names(text: str, arn: str) -> bool:
    """Return whether a text names a destination, and not one whose name only begins like this one's."""
    return re.search(rf"{re.escape(arn)}(?![\w-]|:[\w$])", text) is not None
