"""Read what decides about the replication of a bucket: its rules, versioning, encryption and Object Lock."""

from __future__ import annotations

from typing import Any

from ..models import Identity
from ..replication.models import Encryption
from .calls import Calls


def bucket_versioning(calls: Calls, bucket: str) -> str:
    """Return ``Enabled``, ``Suspended``, or an empty text if versioning was never on."""
    found = calls.find("s3", "get_bucket_versioning", f"the bucket {bucket}", Bucket=bucket)
    return str((found or {}).get("Status", ""))


def bucket_encryption(calls: Calls, bucket: str, region: str, identity: Identity) -> Encryption | None:
    """Return the default encryption of a bucket, or None if S3 names none."""
    found = calls.find(
        *("s3", "get_bucket_encryption", f"the bucket {bucket}"),
        action="s3:GetEncryptionConfiguration",
        Bucket=bucket,
    )
    rules = (found or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    for rule in rules:
        default = rule.get("ApplyServerSideEncryptionByDefault")
        if default:
            key = default.get("KMSMasterKeyID")
            return Encryption(default["SSEAlgorithm"], key and _key_arn(key, region, identity))
    return None


def _key_arn(key: str, region: str, identity: Identity) -> str:
    """Return the ARN of a key, which S3 lets people name by its id or its alias as well."""
    if key.startswith("arn:"):
        return key
    resource = key if key.startswith("alias/") else f"key/{key}"
    return f"arn:{identity.partition}:kms:{region}:{identity.account}:{resource}"


def has_object_lock(calls: Calls, bucket: str) -> bool:
    """Return whether a bucket has Object Lock."""
    found = calls.find(
        *("s3", "get_object_lock_configuration", f"the bucket {bucket}"),
        action="s3:GetBucketObjectLockConfiguration",
        Bucket=bucket,
    )
    configuration = (found or {}).get("ObjectLockConfiguration", {})
    return bool(configuration.get("ObjectLockEnabled") == "Enabled")


def bucket_replication(calls: Calls, bucket: str) -> dict[str, Any] | None:
    """Return the whole replication configuration of a bucket, or None if it has none."""
    found = calls.find(
        *("s3", "get_bucket_replication", f"the bucket {bucket}"),
        action="s3:GetReplicationConfiguration",
        Bucket=bucket,
    )
    return None if found is None else dict(found["ReplicationConfiguration"])
