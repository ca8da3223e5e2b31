"""Run the emulator with S3's 403 for a missing object, if the caller may not list the bucket.

ministack 1.5.33 answers 404 to every caller, which would hide a role without ``s3:ListBucket``. See what AWS
answers: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html

Run as a script by :class:`.strict_aws.StrictAws`. Needless once ministack answers as AWS does.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from ministack import app
from ministack.core.iam_evaluator import enforce
from ministack.core.router import extract_access_key_id, extract_region

from pypicloud_s3sync.devtools import ministack_process


def strict(handle: Any) -> Any:
    """Return S3's handler with 403 instead of 404 for an object, if the caller may not list the bucket."""

    async def handle_strictly(
        method: str, path: str, headers: dict[str, Any], body: bytes, query: dict[str, Any]
    ) -> Any:
        answer = await handle(method, path, headers, body, query)
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        if answer[0] != 404 or not key or method not in ("GET", "HEAD"):
            return answer
        caller, region = extract_access_key_id(headers, query), extract_region(headers, query)
        if enforce(caller, "s3:ListBucket", "s3", region, resource_arn=f"arn:aws:s3:::{bucket}"):
            return 403, {"Content-Type": "application/xml"}, b""
        return answer

    return handle_strictly


if __name__ == "__main__":
    app.SERVICE_HANDLERS["s3"] = strict(app.SERVICE_HANDLERS["s3"])
    ministack_process.main()
