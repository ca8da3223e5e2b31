"""Merge this tool's rules into a bucket's replication configuration, or remove them, and keep all others.

Configurations have the format of boto3. ``PutBucketReplication`` replaces the whole
configuration, so foreign rules are written back exactly as they were read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from ...exceptions import ConflictError

#: A rule of this tool has this prefix and the name of its destination as its id.
ID_PREFIX = "pypicloud-s3sync-"
#: The type of a priority is a 32-bit integer: botocore, s3 2006-03-01, ReplicationRule.
MAX_PRIORITY = 2**31 - 1
ENABLED = {"Status": "Enabled"}

Rule = Mapping[str, Any]


def wanted_rule(prefix: str, bucket_arn: str, account: str | None, key: str | None) -> dict[str, Any]:
    """Return this tool's rule for a destination, without its priority.

    A rule with a filter must say whether delete markers are replicated, and a filter by tags excludes them:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-add-config.html
    The prefix is that of the keys as they are, unlike in a notification's filter.

    Parameters
    ----------
    prefix : str
        The prefix of the packages.
    bucket_arn : str
        The destination.
    account : str or None
        The destination's owner if that is another account, which is to own the replicas:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-change-owner.html
    key : str or None
        The KMS key for the replicas, if the destination has one:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html
    """
    selection: dict[str, Any] = {"ReplicaModifications": ENABLED}
    destination: dict[str, Any] = {"Bucket": bucket_arn}
    if account is not None:
        destination |= {"Account": account, "AccessControlTranslation": {"Owner": "Destination"}}
    if key is not None:
        selection["SseKmsEncryptedObjects"] = ENABLED
        destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": key}
    return {
        "ID": ID_PREFIX + _name(bucket_arn),
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "DeleteMarkerReplication": ENABLED,
        "SourceSelectionCriteria": selection,
        "Destination": destination,
    }


def destination_of(rule: Rule) -> str:
    """Return the name of the bucket that a rule replicates to."""
    return _name(rule["Destination"]["Bucket"])


def is_own(rule: Rule) -> bool:
    """Return whether this tool made a rule."""
    return bool(rule.get("ID") == ID_PREFIX + destination_of(rule))


def prefix_of(rule: Rule) -> str:
    """Return the prefix of the keys that a rule applies to."""
    filters = rule.get("Filter", {})
    for found in (rule.get("Prefix"), filters.get("Prefix"), filters.get("And", {}).get("Prefix")):
        if found:
            return str(found)
    return ""


def has_tags(rule: Rule) -> bool:
    """Return whether a rule applies only to objects with certain tags."""
    filters = rule.get("Filter", {})
    return "Tag" in filters or bool(filters.get("And", {}).get("Tags"))


def is_old(rule: Rule) -> bool:
    """Return whether a rule has the first version of the schema, which has neither filters nor priorities.

    S3 does not mix the two versions: "Priority cannot be used for this version of Cross Region Replication
    configuration schema". See
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-add-config.html#replication-backward-compat-considerations
    """
    return "Filter" not in rule and "Priority" not in rule


def merged(
    bucket: str, configuration: Mapping[str, Any] | None, wanted: Sequence[Rule], role: str
) -> dict[str, Any]:
    """Return the configuration with the wanted rules in place of this tool's rules to the same buckets.

    A foreign rule that does what a wanted one would do makes it unnecessary. The configuration's role stays,
    because one role serves all rules.

    Parameters
    ----------
    bucket : str
        The name of the bucket, for messages.
    configuration : dict or None
    wanted : sequence of dict
        Rules of :func:`wanted_rule`.
    role : str
        The ARN of the role for a bucket that has no configuration.

    Raises
    ------
    ConflictError
        If the bucket has rules that S3 does not mix with the wanted ones.
    """
    rules: list[Rule] = list((configuration or {}).get("Rules", ()))
    for rule in wanted:
        index = _index_of_own(rules, destination_of(rule))
        if index is None and foreign_equivalent(rules, rule) is not None:
            continue
        old = [other for other in rules if is_old(other) and not is_own(other)]
        if old:
            raise ConflictError(_old_schema(bucket, old))
        own = {} if index is None else rules[index]
        others = [other for other in rules if other is not own]
        updated = {
            **_with_wanted(own, rule),
            "Priority": _priority(bucket, others, rule, own.get("Priority")),
        }
        if index is None:
            rules.append(updated)
        else:
            rules[index] = updated
    return {"Role": (configuration or {}).get("Role") or role, "Rules": rules}


def without_own(
    configuration: Mapping[str, Any] | None, destinations: Collection[str]
) -> dict[str, Any] | None:
    """Return the configuration without this tool's rules to some buckets; None if no rule remains."""
    if configuration is None:
        return None
    rules = [
        rule
        for rule in configuration.get("Rules", ())
        if not (is_own(rule) and destination_of(rule) in destinations)
    ]
    return {**configuration, "Rules": rules} if rules else None


def equivalent(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Return whether two configurations mean the same, regardless of S3's order and spelling."""
    return _canonical(one) == _canonical(other)


def foreign_equivalent(rules: Sequence[Rule], wanted: Rule) -> Rule | None:
    """Return the foreign rule that already does what a wanted rule would do, or None.

    Of several rules with the same destination, S3 applies the one with the highest priority.
    """
    overlapping = sorted(foreign_overlapping(rules, wanted), key=_priority_of, reverse=True)
    for rule in overlapping:
        if rule.get("Status") != "Enabled":
            continue
        if missing_features(rule, wanted):
            return None
        if _covers(rule, wanted):
            return rule
    return None


def foreign_overlapping(rules: Sequence[Rule], wanted: Rule) -> Iterator[Rule]:
    """Yield the foreign rules for some of the packages to the same destination."""
    prefix = prefix_of(wanted)
    for rule in rules:
        if is_own(rule) or destination_of(rule) != destination_of(wanted):
            continue
        other = prefix_of(rule)
        if other.startswith(prefix) or prefix.startswith(other):
            yield rule


def missing_features(rule: Rule, wanted: Rule) -> list[str]:
    """Return what a foreign rule lacks of what keeps the packages of two buckets equal."""
    missing = [] if rule.get("Status") == "Enabled" else ["the status Enabled"]
    if has_tags(rule):
        missing.append("objects without its tags")
    # The first version of the schema replicates delete markers always.
    if not is_old(rule) and rule.get("DeleteMarkerReplication", {}).get("Status") != "Enabled":
        missing.append("delete markers")
    if _selects(wanted, "SseKmsEncryptedObjects") and not _selects(rule, "SseKmsEncryptedObjects"):
        missing.append("objects encrypted with KMS")
    return missing


def lesser_features(rule: Rule, wanted: Rule) -> list[str]:
    """Return what a foreign rule lacks besides, which concerns no package's existence or content."""
    missing = []
    if _selects(wanted, "ReplicaModifications") and not _selects(rule, "ReplicaModifications"):
        missing.append("modifications of replicas, for example of their tags")
    if (
        "AccessControlTranslation" in wanted["Destination"]
        and "AccessControlTranslation" not in (rule["Destination"])
    ):
        missing.append("the change of the owner to the destination's")
    return missing


def _covers(rule: Rule, wanted: Rule) -> bool:
    return prefix_of(wanted).startswith(prefix_of(rule))


def _selects(rule: Rule, criterion: str) -> bool:
    return bool(rule.get("SourceSelectionCriteria", {}).get(criterion) == ENABLED)


def _index_of_own(rules: Sequence[Rule], destination: str) -> int | None:
    for index, rule in enumerate(rules):
        if is_own(rule) and destination_of(rule) == destination:
            return index
    return None


def _with_wanted(own: Rule, wanted: Rule) -> dict[str, Any]:
    """Return this tool's rule as wanted, with what others have added to it, for example a storage class."""
    updated = {**own, **wanted}
    # The prefix of the first version of the schema, which S3 refuses together with a filter.
    updated.pop("Prefix", None)
    for name in ("SourceSelectionCriteria", "Destination"):
        updated[name] = {**own.get(name, {}), **wanted[name]}
    return updated


def _priority(bucket: str, others: Sequence[Rule], wanted: Rule, current: int | None) -> int:
    """Return a priority that no other rule has, above the foreign rules that would do less for a package.

    The current one stays if it is such a priority.
    """
    taken = {_priority_of(rule) for rule in others}
    lesser = [rule for rule in foreign_overlapping(others, wanted) if missing_features(rule, wanted)]
    floor = max(map(_priority_of, lesser), default=0)
    if current is not None and current > floor and current not in taken:
        return current
    free = next(number for number in count(floor + 1) if number not in taken)
    if free > MAX_PRIORITY:
        raise ConflictError(
            f"no priority is left for a replication rule of the bucket {bucket} to"
            f" {destination_of(wanted)}: lower the priority of {_listed(lesser)}"
        )
    return free


def _priority_of(rule: Rule) -> int:
    return int(rule.get("Priority", 0))


def _old_schema(bucket: str, old: Sequence[Rule]) -> str:
    return (
        f"the bucket {bucket} has replication rules of the first version of S3's schema ({_listed(old)}),"
        " which S3 does not mix with rules that have a filter and a priority: give each of them a Filter, a"
        " Priority and a DeleteMarkerReplication in place of its Prefix, then run again"
    )


def _listed(rules: Sequence[Rule]) -> str:
    return ", ".join(str(rule.get("ID", "a rule without an id")) for rule in rules)


def _canonical(configuration: Mapping[str, Any] | None) -> object:
    if configuration is None:
        return None
    rules = [json.dumps(_canonical_rule(rule), sort_keys=True) for rule in configuration.get("Rules", ())]
    return configuration.get("Role"), sorted(rules)


def _canonical_rule(rule: Rule) -> dict[str, Any]:
    """Return a rule in which an empty filter has one spelling."""
    canonical = dict(rule)
    if "Filter" in rule and not has_tags(rule):
        canonical["Filter"] = prefix_of(rule)
    return canonical


def _name(bucket_arn: str) -> str:
    return bucket_arn.rpartition(":")[2]
