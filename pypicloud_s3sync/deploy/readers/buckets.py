"""Read the region of the bucket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ..aws.errors import is_missing, translated
from .calls import Calls


def bucket_region(calls: Calls, bucket: str, account: str) -> str | None:
    """Return the region of a bucket: empty if S3 does not report it, None if the bucket does not exist.

    S3 refuses the call if the bucket belongs to another account, whose bucket could not notify the function.
    For a bucket in another region, S3 reports that region in a header of its error response:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    clients = calls.clients
    with translated("s3:ListBucket", f"the bucket {bucket}", clients.settings.endpoint_url):
        try:
            response = clients["s3"].head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
        except ClientError as error:
            if is_missing(error):
                return None
            region = _region_header(error.response)
            if region not in (None, clients.region):
                return region
            raise
    return response.get("BucketRegion") or _region_header(response) or ""


def _region_header(response: Mapping[str, Any]) -> str | None:
    region: str | None = response["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    return region
