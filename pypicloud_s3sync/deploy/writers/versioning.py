"""Turn on the versioning of the bucket."""

from __future__ import annotations

from ...exceptions import AwsError
from ..readers.replication import bucket_versioning
from .calls import Calls


class VersioningWriter:
    """The action on the bucket's versioning.

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
