"""Interpret a bucket's replication rules: which objects they cover, and what they replicate.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-add-config.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..deploy.replication.rules import destination_of, has_tags, is_old, prefix_of


@dataclass(frozen=True)
class Rule:
    """A replication rule.

    Parameters
    ----------
    id : str
    enabled : bool
    prefix : str
    tags : tuple of str
        The keys of the tags that an object must have.
    priority : int
        Of two rules for the same object and destination, the one with the higher priority counts.
    destination : str
        The name of the destination bucket.
    carries_deletions : bool
        Whether delete markers are replicated.
    carries_kms : bool
        Whether objects that are encrypted with a KMS key are replicated.
    replica_key : str or None
        The KMS key that encrypts them at the destination.
    carries_changes_of_replicas : bool
        Whether changes to the metadata of replicas are replicated back.
    """

    id: str
    enabled: bool
    prefix: str
    tags: tuple[str, ...]
    priority: int
    destination: str
    carries_deletions: bool
    carries_kms: bool
    replica_key: str | None
    carries_changes_of_replicas: bool

    @property
    def name(self) -> str:
        """The rule as a message names it."""
        return f"the rule {self.id} to {self.destination}" if self.id else f"a rule to {self.destination}"

    def covers(self, prefix: str) -> bool:
        """Return whether the rule covers every object under a prefix."""
        return not self.tags and prefix.startswith(self.prefix)

    def concerns(self, prefix: str) -> bool:
        """Return whether the rule covers some objects under a prefix."""
        return prefix.startswith(self.prefix) or self.prefix.startswith(prefix)


@dataclass(frozen=True)
class Replication:
    """A bucket's replication configuration: the role that copies the objects, and the rules."""

    role: str
    rules: tuple[Rule, ...]

    def concerning(self, prefix: str) -> tuple[Rule, ...]:
        """Return the rules that cover some objects under a prefix."""
        return tuple(rule for rule in self.rules if rule.concerns(prefix))

    def destinations(self, prefix: str) -> tuple[str, ...]:
        """Return the buckets to which some objects under a prefix are replicated, or would be."""
        return tuple(dict.fromkeys(rule.destination for rule in self.concerning(prefix)))

    def effective(self, prefix: str, destination: str) -> Rule | None:
        """Return the rule that replicates every object under a prefix to a bucket, or None."""
        covering = [
            rule
            for rule in self.rules
            if rule.enabled and rule.destination == destination and rule.covers(prefix)
        ]
        return max(covering, key=lambda rule: rule.priority, default=None)


def parse(configuration: Mapping[str, Any]) -> Replication:
    """Return a replication configuration as ``GetBucketReplication`` returns it."""
    rules = tuple(_rule(rule) for rule in configuration.get("Rules", []))
    return Replication(configuration.get("Role", ""), rules)


def _rule(rule: Mapping[str, Any]) -> Rule:
    criteria = rule.get("SourceSelectionCriteria", {})
    return Rule(
        id=rule.get("ID", ""),
        enabled=rule["Status"] == "Enabled",
        prefix=prefix_of(rule),
        tags=_tags(rule.get("Filter", {})),
        priority=rule.get("Priority", 0),
        destination=destination_of(rule),
        carries_deletions=_carries_deletions(rule),
        carries_kms=_is_on(criteria, "SseKmsEncryptedObjects"),
        replica_key=rule["Destination"].get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID"),
        carries_changes_of_replicas=_is_on(criteria, "ReplicaModifications"),
    )


def _tags(found: Mapping[str, Any]) -> tuple[str, ...]:
    tags = [found["Tag"]] if "Tag" in found else found.get("And", {}).get("Tags", [])
    return tuple(tag["Key"] for tag in tags)


def _carries_deletions(rule: Mapping[str, Any]) -> bool:
    """Return whether a rule replicates delete markers; one of the first version of the schema always does.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-marker-replication.html
    """
    return is_old(rule) or (not has_tags(rule) and _is_on(rule, "DeleteMarkerReplication"))


def _is_on(options: Mapping[str, Any], name: str) -> bool:
    return bool(options.get(name, {}).get("Status") == "Enabled")
