"""Regions and rules for tests of replication, and an S3 that checks configurations as AWS does."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pypicloud_s3sync.deploy.models import Identity
from pypicloud_s3sync.deploy.replication.desired import wanted_region
from pypicloud_s3sync.deploy.replication.models import Encryption, Region
from pypicloud_s3sync.deploy.replication.rules import wanted_rule
from support.fakes import ACCOUNT, make_settings, refusal

US, EU, AP = "packages-us", "packages-eu", "packages-ap"
REGIONS = {US: "us-east-1", EU: "eu-west-1", AP: "ap-south-1"}
#: A foreign role, and the KMS keys of two regions.
FOREIGN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/backup"
KEYS = {
    bucket: f"arn:aws:kms:{region}:{ACCOUNT}:key/0d6f9b6e-1f9a-4f6b-8a39-{number:012d}"
    for number, (bucket, region) in enumerate(REGIONS.items())
}
ON, OFF = {"Status": "Enabled"}, {"Status": "Disabled"}


def region(
    bucket: str, *, account: str = ACCOUNT, settings: dict[str, str] | None = None, **seen: Any
) -> Region:
    """Return a region whose bucket has versioning; ``seen`` are fields with other values."""
    configured = make_settings(storage__bucket=bucket, **(settings or {}))
    wanted = wanted_region(f"{bucket}.ini", configured, Identity(account, "aws"), REGIONS[bucket])
    return replace(wanted, **{"versioning": "Enabled", **seen})


def kms(bucket: str) -> Encryption:
    """Return an encryption with the key of a bucket's region."""
    return Encryption("aws:kms", KEYS[bucket])


def arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


def wanted(destination: str = EU, prefix: str = "", **more: Any) -> dict[str, Any]:
    """Return this tool's rule for a destination, without its priority."""
    return wanted_rule(prefix, arn(destination), more.get("account"), more.get("key"))


def foreign(identifier: str = "backup", destination: str = EU, **changes: Any) -> dict[str, Any]:
    """Return a foreign rule that replicates everything; ``changes`` are fields with other values."""
    rule = {
        "ID": identifier,
        "Priority": 7,
        "Filter": {"Prefix": ""},
        "Status": "Enabled",
        "SourceSelectionCriteria": {"ReplicaModifications": ON},
        "Destination": {"Bucket": arn(destination), "StorageClass": "STANDARD_IA"},
        "DeleteMarkerReplication": ON,
        **changes,
    }
    return {name: value for name, value in rule.items() if value is not None}


def old(identifier: str = "legacy", destination: str = EU, prefix: str = "") -> dict[str, Any]:
    """Return a foreign rule of the first version of S3's schema."""
    return {
        "ID": identifier,
        "Prefix": prefix,
        "Status": "Enabled",
        "Destination": {"Bucket": arn(destination)},
    }


def configuration(*rules: dict[str, Any], role: str = FOREIGN_ROLE) -> dict[str, Any]:
    return {"Role": role, "Rules": list(rules)}


def as_bytes(rule: Any) -> bytes:
    """Return a rule as bytes, which differ if the order of its keys differs."""
    return json.dumps(rule).encode()


class ReplicatingS3:
    """A bucket with its replication configuration, which S3 checks, and shows late.

    Parameters
    ----------
    stored : dict or None
        The replication configuration.
    late : int
        How many reads after a write still return what was there before.
    unversioned : int
        How many writes S3 refuses because it does not see the versioning of the destination yet.
    """

    def __init__(self, stored: dict[str, Any] | None = None, late: int = 0, unversioned: int = 0) -> None:
        self.stored = copy.deepcopy(stored)
        self.late = late
        self.unversioned = unversioned
        self._shown = copy.deepcopy(stored)
        self._stale = 0

    @property
    def answers(self) -> dict[str, Any]:
        """The answers for :class:`support.fakes.FakeClients`."""
        return {
            "get_bucket_replication": self.get,
            "put_bucket_replication": self.put,
            "delete_bucket_replication": self.delete,
        }

    def get(self, **arguments: Any) -> dict[str, Any]:
        if self._stale:
            self._stale -= 1
        else:
            self._shown = self.stored
        if self._shown is None:
            raise refusal("ReplicationConfigurationNotFoundError", status=404)
        return {"ReplicationConfiguration": copy.deepcopy(self._shown)}

    def put(self, ReplicationConfiguration: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        if self.unversioned:
            self.unversioned -= 1
            raise refusal("InvalidRequest", "Destination bucket must have versioning enabled.")
        check(ReplicationConfiguration["Rules"])
        self.write(ReplicationConfiguration)
        return {}

    def delete(self, **arguments: Any) -> dict[str, Any]:
        self.write(None)
        return {}

    def write(self, stored: dict[str, Any] | None) -> None:
        """Replace the configuration, as any program may."""
        self._stale = self.late
        self.stored = copy.deepcopy(stored)


def check(rules: Sequence[dict[str, Any]]) -> None:
    """Refuse what S3 refuses.

    The messages are those that people quote:
    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ReplicationErrorCodeList
    """
    if not 1 <= len(rules) <= 1000:
        raise refusal("MalformedXML", "The XML you provided was not well-formed")
    if len({rule.get("ID") for rule in rules}) < len(rules):
        raise refusal("InvalidArgument", "Rule Id must be unique")
    with_filter = [rule for rule in rules if "Filter" in rule]
    if with_filter and len(with_filter) < len(rules):
        raise refusal(
            "InvalidRequest",
            "Priority cannot be used for this version of Cross Region Replication configuration schema.",
        )
    for rule in with_filter:
        if "Priority" not in rule or "DeleteMarkerReplication" not in rule or "Prefix" in rule:
            raise refusal("MalformedXML", "The XML you provided was not well-formed")
        if len(rule["Filter"]) > 1:
            raise refusal("MalformedXML", "The XML you provided was not well-formed")
        selection = rule.get("SourceSelectionCriteria", {}).get("SseKmsEncryptedObjects")
        if (selection == ON) != ("EncryptionConfiguration" in rule["Destination"]):
            raise refusal("InvalidRequest", "ReplicaKmsKeyID must be specified")
    if len({rule["Priority"] for rule in with_filter}) < len(with_filter):
        raise refusal("InvalidRequest", "Priority must be unique")
