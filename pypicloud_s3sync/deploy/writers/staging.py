"""Stage a bundle that is too large for a direct upload, and remove what an interrupted run has left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..bundle import DIRECT_UPLOAD_LIMIT, Bundle
from ..desired.resources import STAGING_PREFIX
from ..readers.staging import staged_bundles
from .calls import Calls


def is_staged(bundle: Bundle) -> bool:
    """Return whether a bundle is too large for a direct upload."""
    return bundle.size > DIRECT_UPLOAD_LIMIT


class StagingWriter:
    """Actions on staged bundles.

    Parameters
    ----------
    calls : Calls
    bucket : str
    """

    def __init__(self, calls: Calls, bucket: str) -> None:
        self.calls = calls
        self.bucket = bucket

    @contextmanager
    def code_of(self, bundle: Bundle) -> Iterator[dict[str, Any]]:
        """Yield Lambda's arguments for the code: the bundle, or its place in the bucket if it is staged."""
        if not is_staged(bundle):
            yield {"ZipFile": bundle.data}
            return
        key = f"{STAGING_PREFIX}{bundle.sha256}.bundle"
        resource = f"s3://{self.bucket}/{key}"
        try:
            self.calls.do("s3", "put_object", resource, Bucket=self.bucket, Key=key, Body=bundle.data)
            yield {"S3Bucket": self.bucket, "S3Key": key}
        finally:
            self.remove()

    def remove(self) -> None:
        """Delete every version: a versioned bucket would keep them behind a delete marker.

        There may be several even of one upload, if boto3 repeats it after a lost response.
        """
        for key, version in staged_bundles(self.calls, self.bucket):
            resource, arguments = f"s3://{self.bucket}/{key}", {"Bucket": self.bucket, "Key": key}
            self.calls.delete_if_exists(
                *("s3", "delete_object", resource),
                action="s3:DeleteObjectVersion",
                VersionId=version,
                **arguments,
            )
