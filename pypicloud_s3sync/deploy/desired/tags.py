"""Name the tags by which this tool recognizes its resources and remembers what a run has done.

Some services take tags as an object, others as a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: Marks a resource that this tool created. Its value is the bucket that the resource serves.
OWNER_TAG = "pypicloud-s3sync:bucket"
#: On the function: the inputs that its code was built from, and the CodeSha256 of the result.
BUNDLE_TAG = "pypicloud-s3sync:bundle"
#: On the function: the deliveries that may have resources in AWS; more than one while switching between them.
DELIVERY_TAG = "pypicloud-s3sync:delivery"
#: On the rule, the function and the queue, since each may be deleted by hand: this tool turned on EventBridge
#: for the bucket. An empty value means that it no longer is this tool's.
SWITCH_TAG = "pypicloud-s3sync:eventbridge"
#: On the function: this tool's SSM parameter may exist. An empty value means that it no longer does.
PARAMETER_TAG = "pypicloud-s3sync:parameter"
#: On the function: the schedule and its role may exist. An empty value means that they are gone.
SCHEDULE_TAG = "pypicloud-s3sync:schedule"
#: On the function: its alias and versions of this tool may exist. An empty value means that they are gone.
SNAP_START_TAG = "pypicloud-s3sync:snap-start"
#: On the function: the unique id of the role that its grant on the environment's KMS key belongs to.
ROLE_TAG = "pypicloud-s3sync:role"


def bundle_tag(fingerprint: str, code_sha256: str) -> str:
    """Return the value of :data:`BUNDLE_TAG`."""
    return f"{fingerprint}/{code_sha256}"


def split_bundle_tag(value: str) -> tuple[str | None, str | None]:
    """Return the fingerprint and the checksum in a value of :data:`BUNDLE_TAG`; None for a missing one."""
    fingerprint, _, code_sha256 = value.partition("/")
    return fingerprint or None, code_sha256 or None


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as a list of ``{"Key", "Value"}``."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def from_tag_list(items: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the tags of a list of ``{"Key", "Value"}``."""
    return {item["Key"]: item["Value"] for item in items}
