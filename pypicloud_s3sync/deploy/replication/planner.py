"""Plan the replication among regions: compare what is needed with what each bucket has.

Versioning comes first in all buckets, since S3 refuses a rule whose destination has none. Then each bucket
gets its role and its rules. A removal goes the other way, and leaves versioning as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...exceptions import ConfigError, ConflictError
from ..models import Action, Change
from ..plan.conflicts import is_owned
from ..plan.function import role_changes
from . import rules
from .models import AWS_KEY, Need, Region, ReplicationPlan, Step
from .policy import bucket_statements, key_statements, role_policy
from .rules import Rule, destination_of

#: For how long a lifecycle rule to consider keeps old versions, in days.
KEPT_DAYS = 30


def plan_replication(regions: Sequence[Region]) -> ReplicationPlan:
    """Return the plan that makes every bucket replicate its packages to every other one.

    Raises
    ------
    ConfigError, ConflictError
        If the settings of the regions do not go together, or something foreign is in the way. Nothing was
        changed then.
    """
    _refuse_settings(regions)
    wanted = {region.bucket: _wanted_rules(region, regions) for region in regions}
    after = {
        region.bucket: rules.merged(
            region.bucket, region.configuration, wanted[region.bucket], region.wanted_role.arn
        )
        for region in regions
    }
    steps = [step for region in regions for step in _versioning(region)]
    for region in regions:
        steps += _role(region, after[region.bucket])
        steps += _rules(region, after[region.bucket], wanted[region.bucket])
        steps += _obsolete_role(region, after[region.bucket])
    return ReplicationPlan(
        tuple(regions),
        tuple(steps),
        warnings=tuple(_warnings(regions, wanted, after)),
        needs=tuple(need for region in regions for need in _needs(region, after[region.bucket])),
        lifecycle=_lifecycle_rule(regions[0].prefix)
        if any(region.versioning != "Enabled" for region in regions)
        else None,
    )


def plan_removal(regions: Sequence[Region]) -> ReplicationPlan:
    """Return the plan that removes this tool's rules among the buckets, and the roles that become unused."""
    _refuse_same_bucket(regions)
    steps: list[Step] = []
    for region in regions:
        destinations = [other.bucket for other in regions if other is not region]
        left = rules.without_own(region.configuration, destinations)
        if not rules.equivalent(left, region.configuration):
            verb = "delete" if left is None else "update"
            arguments = {"destinations": destinations}
            changes = tuple(_changes(region.configuration, left))
            steps.append(
                Step(
                    region.bucket,
                    Action(
                        verb, "replication", region.bucket, "replication.remove", arguments, changes=changes
                    ),
                )
            )
        if left is not None:
            steps += _role(region, left)
        steps += _obsolete_role(region, left)
    return ReplicationPlan(tuple(regions), tuple(steps), removes=True)


def _refuse_settings(regions: Sequence[Region]) -> None:
    _refuse_same_bucket(regions)
    first = regions[0]
    for other in regions[1:]:
        if other.prefix != first.prefix:
            raise ConfigError(
                f"storage.prefix is {first.prefix!r} in {first.config}, but {other.prefix!r} in"
                f" {other.config}, and S3 replication does not rename keys: set the same storage.prefix"
                " in all regions"
            )
        if other.identity.partition != first.identity.partition:
            raise ConfigError(
                f"{first.config} is in the partition {first.identity.partition}, but {other.config} in"
                f" {other.identity.partition}, and S3 does not replicate between partitions: leave one out"
            )


def _refuse_same_bucket(regions: Sequence[Region]) -> None:
    named: dict[str, Region] = {}
    for region in regions:
        other = named.setdefault(region.bucket, region)
        if other is not region:
            raise ConfigError(
                f"{other.config} and {region.config} name the same bucket {region.bucket}: give the ini file"
                " of each region, and do not set PPC_STORAGE_BUCKET"
            )


def _wanted_rules(source: Region, regions: Sequence[Region]) -> list[dict[str, Any]]:
    return [_wanted_rule(source, other) for other in regions if other is not source]


def _wanted_rule(source: Region, destination: Region) -> dict[str, Any]:
    key = destination.replica_key
    foreign = destination.identity.account != source.identity.account
    if key is None and source.has_kms_objects:
        raise ConflictError(
            f"the packages in the bucket {source.bucket} are encrypted with KMS, and their replicas need a"
            f" KMS key in {destination.region}: set one as the default encryption of the bucket"
            f" {destination.bucket}"
        )
    if source.has_object_lock and not destination.has_object_lock:
        # S3 would only fail later, for each object: DstBucketObjectLockConfigMissing.
        raise ConflictError(
            f"the bucket {source.bucket} has Object Lock, and S3 replicates its packages only to a bucket"
            f" that has it as well: enable Object Lock on the bucket {destination.bucket}"
        )
    if key is not None and key.endswith(f":{AWS_KEY}") and foreign:
        raise ConflictError(
            f"the bucket {destination.bucket} uses the key that AWS manages for S3, which no other account"
            f" can use, but the bucket {source.bucket} belongs to the account {source.identity.account}:"
            f" set a KMS key of your own as the default encryption of {destination.bucket}"
        )
    account = destination.identity.account if foreign else None
    return rules.wanted_rule(source.prefix, destination.arn, account, key)


def _versioning(region: Region) -> Iterator[Step]:
    if region.versioning != "Enabled":
        changes = (Change("Status", region.versioning or None, "Enabled"),)
        yield Step(
            region.bucket,
            Action("update", "versioning", region.bucket, "versioning.enable", changes=changes),
        )


def _role(region: Region, after: Mapping[str, Any]) -> Iterator[Step]:
    """Yield the action for this tool's role, unless the bucket's rules use a foreign one."""
    own = [rule for rule in after["Rules"] if rules.is_own(rule)]
    if after["Role"] != region.wanted_role.arn or not own:
        return
    if region.role is not None and not is_owned(region.role, region.bucket):
        raise ConflictError(
            f"the role {region.role.arn} already exists and was not created by this tool: remove it"
        )
    wanted = replace(region.wanted_role, policy=role_policy(region, own))
    for action in role_changes(wanted, region.role):
        yield Step(region.bucket, action)


def _rules(region: Region, after: Mapping[str, Any], wanted: Sequence[Rule]) -> Iterator[Step]:
    if rules.equivalent(region.configuration, after):
        return
    verb = "create" if region.configuration is None else "update"
    arguments = {"wanted": list(wanted), "role": region.wanted_role.arn}
    changes = tuple(_changes(region.configuration, after))
    yield Step(
        region.bucket,
        Action(verb, "replication", region.bucket, "replication.put", arguments, changes=changes),
    )


def _obsolete_role(region: Region, after: Mapping[str, Any] | None) -> Iterator[Step]:
    """Yield the action that deletes this tool's role if no rule of the bucket uses it."""
    used = after is not None and after["Role"] == region.wanted_role.arn
    if region.role is not None and is_owned(region.role, region.bucket) and not used:
        name = region.role.name
        yield Step(region.bucket, Action("delete", "role", name, "role.delete", {"name": name}))


def _changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Change]:
    """Return what differs between two configurations: the role, and the parts of each rule."""
    roles = [None if side is None else side["Role"] for side in (before, after)]
    changes = [Change("Role", *roles)] if roles[0] != roles[1] else []
    sides = [_by_id(side) for side in (before, after)]
    for identifier in sorted({*sides[0], *sides[1]}):
        old, new = (side.get(identifier, {}) for side in sides)
        for name in (name for name in (*old, *new) if name != "ID"):
            change = Change(f"{identifier}.{name}", old.get(name), new.get(name))
            if change.before != change.after and change not in changes:
                changes.append(change)
    return changes


def _by_id(configuration: Mapping[str, Any] | None) -> dict[str, Rule]:
    return {str(rule.get("ID")): rule for rule in (configuration or {}).get("Rules", ())}


def _warnings(
    regions: Sequence[Region], wanted: Mapping[str, Sequence[Rule]], after: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what people have to know before they apply the plan."""
    unversioned = [region.bucket for region in regions if region.versioning != "Enabled"]
    if unversioned:
        yield (
            f"versioning cannot be turned off again, only suspended ({', '.join(unversioned)}). S3 will keep,"
            " and charge for, each version of a package that is overwritten or deleted: consider a lifecycle"
            f" rule that expires old versions, for example after {KEPT_DAYS} days"
        )
    named = {region.bucket for region in regions}
    for region in regions:
        for rule in wanted[region.bucket]:
            yield from _warnings_of_foreign(region, rule, after[region.bucket]["Rules"])
        for rule in region.rules:
            if rules.is_own(rule) and destination_of(rule) not in named:
                yield (
                    f"the bucket {region.bucket} also replicates to {destination_of(rule)}, which no ini file"
                    f" names: the rule {rule['ID']} stays"
                )


def _warnings_of_foreign(region: Region, wanted: Rule, after: Sequence[Rule]) -> Iterator[str]:
    """Yield what the foreign rules to a destination lack."""
    destination = destination_of(wanted)
    used = any(rule.get("ID") == wanted["ID"] for rule in after)
    equivalent = None if used else rules.foreign_equivalent(region.rules, wanted)
    if equivalent is not None:
        lacks = rules.lesser_features(equivalent, wanted)
        if lacks:
            yield (
                f"the rule {equivalent.get('ID')} of the bucket {region.bucket} replicates the packages to"
                f" {destination}, so no other is needed; it does not replicate {', '.join(lacks)}"
            )
        return
    for rule in rules.foreign_overlapping(region.rules, wanted):
        lacks = rules.missing_features(rule, wanted)
        if lacks:
            yield (
                f"the rule {rule.get('ID')} of the bucket {region.bucket} to {destination} lacks"
                f" {', '.join(lacks)}: it stays, but for the packages S3 applies this tool's rule, which has"
                " a higher priority"
            )


def _needs(region: Region, after: Mapping[str, Any]) -> Iterator[Need]:
    """Yield the permissions that other owners must grant."""
    own = [rule for rule in after["Rules"] if rules.is_own(rule)]
    role_arn = after["Role"]
    if own and role_arn != region.wanted_role.arn:
        yield Need(
            f"the role {role_arn}",
            f"the rules of the bucket {region.bucket} share one role, and this one is not this tool's",
            tuple(role_policy(region, own)["Statement"]),
        )
    for rule in own:
        if "AccessControlTranslation" not in rule["Destination"]:
            continue
        account = rule["Destination"].get("Account")
        yield Need(
            f"the policy of the bucket {destination_of(rule)}",
            f"it belongs to the account {account}, which must let the role of {region.bucket} write replicas",
            bucket_statements(role_arn, rule),
        )
        key = rule["Destination"].get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID")
        if key:
            yield Need(
                f"the policy of the KMS key {key}",
                f"it belongs to the account {account}, which must let the role of {region.bucket} encrypt",
                key_statements(role_arn),
            )


def _lifecycle_rule(prefix: str) -> dict[str, Any]:
    """Return a rule to consider, which nobody applies: a bucket's lifecycle belongs to its owner.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-examples.html
    """
    return {
        "ID": "expire-old-versions-of-packages",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "NoncurrentVersionExpiration": {"NoncurrentDays": KEPT_DAYS},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    }
