"""Read the bundles that were staged in the bucket because they are too large for a direct upload."""

from __future__ import annotations

import re
from typing import Any

from ..desired.resources import STAGING_PREFIX
from .calls import Calls

#: Only these keys are this tool's.
KEY = re.compile(re.escape(STAGING_PREFIX) + r"[0-9a-f]{64}\.bundle")


def staged_bundles(calls: Calls, bucket: str) -> tuple[tuple[str, str], ...]:
    """Return the key and version of each staged bundle, and of each delete marker of one."""
    found: list[tuple[str, str]] = []
    more: dict[str, Any] = {}
    while True:
        page = calls.find(
            *("s3", "list_object_versions", f"the bucket {bucket}"),
            action="s3:ListBucketVersions",
            Bucket=bucket,
            Prefix=STAGING_PREFIX,
            **more,
        )
        versions = [*(page or {}).get("Versions", []), *(page or {}).get("DeleteMarkers", [])]
        found += [(item["Key"], item["VersionId"]) for item in versions if KEY.fullmatch(item["Key"])]
        if not (page or {}).get("IsTruncated"):
            return tuple(found)
        more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
