"""Describe the S3 Batch Replication jobs for the objects that existed before their bucket had a rule."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from .models import Region
from .policy import batch_role_policies

#: The name in the command for a role that the user creates; it can do nothing else.
ROLE_NAME = "packages-batch-replication"


def batch_jobs(regions: Sequence[Region]) -> list[dict[str, Any]]:
    """Return for each bucket the command that replicates its existing objects, and the role that it needs.

    The buckets of an account can share one role.
    """
    return [
        {"bucket": region.bucket, "command": _command(region), "role": _role(region, regions)}
        for region in regions
    ]


def _command(source: Region) -> str:
    """Return the command for a bucket.

    Objects that failed to replicate are included; replicas are not. A report would be an object in a bucket
    of packages, so there is none: ``aws s3control describe-job`` counts what failed. See
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-existing-config.html
    """
    account = source.identity.account
    manifest = {
        "S3JobManifestGenerator": {
            "ExpectedBucketOwner": account,
            "SourceBucket": source.arn,
            "EnableManifestOutput": False,
            "Filter": {"EligibleForReplication": True, "ObjectReplicationStatuses": ["NONE", "FAILED"]},
        }
    }
    command = [
        *("aws", "s3control", "create-job", "--region", source.region, "--account-id", account),
        *("--operation", json.dumps({"S3ReplicateObject": {}})),
        *("--manifest-generator", json.dumps(manifest)),
        *("--report", json.dumps({"Enabled": False})),
        *("--priority", "1", "--role-arn", _role_arn(source), "--no-confirmation-required"),
    ]
    return shlex.join(command)


def _role(region: Region, regions: Sequence[Region]) -> dict[str, Any]:
    buckets = [other.arn for other in regions if _role_arn(other) == _role_arn(region)]
    trust, policy = batch_role_policies(buckets)
    return {"arn": _role_arn(region), "trust": trust, "policy": policy}


def _role_arn(region: Region) -> str:
    return f"arn:{region.identity.partition}:iam::{region.identity.account}:role/{ROLE_NAME}"
