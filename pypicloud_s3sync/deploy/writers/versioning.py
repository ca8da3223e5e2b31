"""Turn on the versioning of the bucket."""

from __future__ import annotations

from ...exceptions import AwsError
from ..readers.replication import bucket_versioning
from .buckets import BucketWriter


class VersioningWriter(BucketWriter):
    """The action on the bucket's versioning."""

    def enable(self) -> None:
        """Turn versioning on, and wait until S3 says so: a replication rule is refused until then."""
        self.calls.do(
            *("s3", "put_bucket_versioning", f"the bucket {self.bucket}"),
            Bucket=self.bucket,
            VersioningConfiguration={"Status": "Enabled"},
            ExpectedBucketOwner=self.account,
        )
        if not self.calls.until(lambda: bucket_versioning(self.calls, self.bucket) == "Enabled"):
            raise AwsError(f"S3 does not show the versioning of the bucket {self.bucket} yet: run again")
