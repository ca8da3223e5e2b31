"""Build the least-privilege IAM documents for S3 replication: for the role, and for what others own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ..desired.policy import VERSION, allow, literal
from .models import AWS_KEY, Region
from .rules import Rule, destination_of, prefix_of

#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
CONFIGURATION_ACTIONS = ("s3:GetReplicationConfiguration", "s3:ListBucket")
SOURCE_ACTIONS = (
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionTagging",
)
#: For a source with Object Lock: S3 also replicates the retention of each object.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-replication
LOCK_ACTIONS = ("s3:GetObjectLegalHold", "s3:GetObjectRetention")
REPLICA_ACTIONS = ("s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags")
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-change-owner.html
OWNER_ACTION = "s3:ObjectOwnerOverrideToBucketOwner"
#: ``kms:Encrypt`` is for the replicas. S3 Bucket Keys need the others:
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
KEY_ACTIONS = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey")


def trust_policy() -> dict[str, Any]:
    """Return a trust policy that lets S3 assume the role.

    It has no condition: AWS documents none for replication, and a condition on a key that S3 does not send
    would make every replication fail. The role cannot be misused from another account, since nobody can pass
    a role to a bucket of another account (``iam:PassRole``).
    """
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {"Version": VERSION, "Statement": [statement]}


def role_policy(source: Region, rules: Sequence[Rule]) -> dict[str, Any]:
    """Return the policy of the role that some rules of a bucket need, and no more.

    Parameters
    ----------
    source : Region
    rules : sequence of dict
        Complete rules: what a destination needs follows from its rule.
    """
    return {"Version": VERSION, "Statement": list(_statements(source, rules))}


def _statements(source: Region, rules: Sequence[Rule]) -> Iterator[dict[str, Any]]:
    ordered = sorted(rules, key=destination_of)
    yield allow("ReadConfiguration", list(CONFIGURATION_ACTIONS), source.arn)
    originals = {_objects(source.arn, prefix_of(rule)): None for rule in ordered}
    yield allow("ReadOriginals", list(SOURCE_ACTIONS), *originals)
    if source.has_object_lock:
        yield allow("ReadLocks", list(LOCK_ACTIONS), *originals)
    yield allow("WriteReplicas", list(REPLICA_ACTIONS), *map(_replicas, ordered))
    foreign = [rule for rule in ordered if "AccessControlTranslation" in rule["Destination"]]
    if foreign:
        yield allow("GiveReplicasAway", [OWNER_ACTION], *map(_replicas, foreign))
    if source.encryption is not None and source.encryption.key is not None:
        # A rule's prefix may have changed since: what was encrypted before is still replicated.
        context = [source.arn, *originals]
        yield from _key_statement("DecryptOriginals", ["kms:Decrypt"], source.encryption.key, context)
    for number, rule in enumerate(ordered, 1):
        key = rule["Destination"].get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID")
        if key:
            context = [rule["Destination"]["Bucket"], _replicas(rule)]
            yield from _key_statement(f"EncryptReplicas{number}", list(KEY_ACTIONS), key, context)


def _key_statement(
    sid: str, actions: list[str], key: str, context: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Yield a statement for the use of a key through S3 for some objects.

    The key's own policy lets everybody in the account use the key that AWS manages for S3. The context is the
    ARN of the object, or that of the bucket with an S3 Bucket Key:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html
    """
    if key.endswith(f":{AWS_KEY}"):
        return
    region = key.split(":")[3]
    condition: dict[str, Any] = {
        "StringLike": {
            "kms:ViaService": f"s3.{region}.*",
            "kms:EncryptionContext:aws:s3:arn": list(context),
        }
    }
    owner, _, resource = key.rpartition(":")
    if resource.startswith("alias/"):
        # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
        condition["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": resource}
        key = f"{owner}:key/*"
    yield {**allow(sid, actions, key), "Condition": condition}


def bucket_statements(role_arn: str, rule: Rule) -> tuple[dict[str, Any], ...]:
    """Return what the policy of a bucket of another account must allow the role of the source.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
    """
    principal = {"Principal": {"AWS": role_arn}}
    on_objects = allow("ReceiveReplicas", [OWNER_ACTION, *REPLICA_ACTIONS], _replicas(rule))
    on_bucket = allow(
        "PrepareReplication", ["s3:GetBucketVersioning", "s3:ListBucket"], rule["Destination"]["Bucket"]
    )
    return ({**on_objects, **principal}, {**on_bucket, **principal})


def key_statements(role_arn: str) -> tuple[dict[str, Any], ...]:
    """Return what the policy of a KMS key of another account must allow the role of the source."""
    return ({**allow("EncryptReplicas", list(KEY_ACTIONS), "*"), "Principal": {"AWS": role_arn}},)


def batch_role_policies(bucket_arns: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the trust policy and the policy of a role that replicates the existing objects of buckets.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-policies.html
    """
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "batchoperations.s3.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    actions = ["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"]
    statements = [
        allow("ListOriginals", actions, *bucket_arns),
        allow("ReplicateOriginals", ["s3:InitiateReplication"], *(f"{arn}/*" for arn in bucket_arns)),
    ]
    return (
        {"Version": VERSION, "Statement": [trust]},
        {"Version": VERSION, "Statement": statements},
    )


def _objects(bucket_arn: str, prefix: str) -> str:
    return f"{bucket_arn}/{literal(prefix)}*"


def _replicas(rule: Rule) -> str:
    """Return the pattern of the replicas of a rule, which have the keys of their originals."""
    return _objects(rule["Destination"]["Bucket"], prefix_of(rule))
