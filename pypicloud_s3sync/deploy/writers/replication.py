"""Add this tool's rules to the bucket's replication, or remove them: read, merge, compare, write, verify."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ...exceptions import AwsError
from ..readers.replication import bucket_replication
from ..replication import rules
from ..replication.rules import Rule
from .buckets import BucketWriter, SharedConfiguration

#: S3's messages until it sees the versioning of both buckets.
UNVERSIONED = (
    "Versioning must be 'Enabled' on the bucket",
    "Destination bucket must have versioning enabled",
)
#: S3's messages about a destination, which may be that of a foreign rule.
ABOUT_DESTINATION = ("Destination bucket must",)

Configuration = dict[str, Any] | None


class ReplicationWriter(BucketWriter):
    """Actions on this tool's rules in a replication configuration that has foreign rules too."""

    def put(self, wanted: Sequence[Rule], role: str) -> None:
        """Add the rules, in place of this tool's rules to the same buckets."""
        self._rewrite(lambda current: rules.merged(self.bucket, current, wanted, role))

    def remove(self, destinations: Collection[str]) -> None:
        """Remove this tool's rules to some buckets, and the configuration if no rule remains."""
        self._rewrite(lambda current: rules.without_own(current, destinations))

    def _rewrite(self, change: Callable[[Mapping[str, Any] | None], Configuration]) -> None:
        configuration = SharedConfiguration[Configuration](
            read=lambda: bucket_replication(self.calls, self.bucket),
            equivalent=rules.equivalent,
            write=self._write,
            propagation=UNVERSIONED,
            conflict=f"the replication of the bucket {self.bucket} was changed by another program at the same"
            " time: run again",
        )
        configuration.rewrite(self.calls, change)

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
                remedy = f"if S3 means one of these foreign rules, correct or remove it: {listed}"
                error.args = (f"{error}; {remedy}",)
            raise
