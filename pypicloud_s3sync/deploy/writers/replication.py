"""Add this tool's rules to the bucket's replication, or remove them: read, merge, compare, write, verify."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ...exceptions import AwsError
from ..readers.replication import bucket_replication
from ..replication import rules
from ..replication.rules import Rule
from .calls import Calls

#: S3's messages until it sees the versioning of both buckets.
UNVERSIONED = (
    "Versioning must be 'Enabled' on the bucket",
    "Destination bucket must have versioning enabled",
)
#: S3's messages about a destination, which may be that of a foreign rule.
ABOUT_DESTINATION = ("Destination bucket must",)

Configuration = dict[str, Any] | None


class ReplicationWriter:
    """Actions on this tool's rules in a replication configuration that has foreign rules too.

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

    def put(self, wanted: Sequence[Rule], role: str) -> None:
        """Add the rules, in place of this tool's rules to the same buckets."""
        self._rewrite(lambda current: rules.merged(self.bucket, current, wanted, role))

    def remove(self, destinations: Collection[str]) -> None:
        """Remove this tool's rules to some buckets, and the configuration if no rule remains."""
        self._rewrite(lambda current: rules.without_own(current, destinations))

    def _rewrite(self, change: Callable[[Mapping[str, Any] | None], Configuration]) -> None:
        def read_and_write() -> bool:
            # S3 has no conditional write, so read just before each write: others may have changed the rest.
            current = bucket_replication(self.calls, self.bucket)
            changed = change(current)
            if rules.equivalent(current, changed):
                return False
            self._write(changed)
            return True

        if self.calls.retry_on(UNVERSIONED, read_and_write):
            self._verify(change)

    def _verify(self, change: Callable[[Mapping[str, Any] | None], Configuration]) -> None:
        """Wait until S3 returns the change, which can take a while.

        See https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html
        """

        def is_written() -> bool:
            written = bucket_replication(self.calls, self.bucket)
            return rules.equivalent(change(written), written)

        if not self.calls.until(is_written):
            raise AwsError(
                f"the replication of the bucket {self.bucket} was changed by another program at the same"
                " time: run again"
            )

    def _write(self, configuration: Configuration) -> None:
        where = {"Bucket": self.bucket, "ExpectedBucketOwner": self.account}
        resource, action = f"the bucket {self.bucket}", "s3:PutReplicationConfiguration"
        if configuration is None:
            self.calls.do("s3", "delete_bucket_replication", resource, action=action, **where)
            return
        try:
            self.calls.do(
                *("s3", "put_bucket_replication", resource),
                action=action,
                ReplicationConfiguration=configuration,
                **where,
            )
        except AwsError as error:
            foreign = [rule for rule in configuration["Rules"] if not rules.is_own(rule)]
            if foreign and any(text in str(error) for text in ABOUT_DESTINATION):
                listed = ", ".join(f"{rule.get('ID')} to {rules.destination_of(rule)}" for rule in foreign)
                error.args = (f"{error}; if it means a foreign rule, correct or remove that: {listed}",)
            raise
