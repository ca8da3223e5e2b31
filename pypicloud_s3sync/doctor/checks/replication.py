"""Check what S3 replication needs, and whether it copies every package and every deletion."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from ...deploy.replication.models import Encryption
from ...sync.counts import count_of
from ..models import Destination, Fact, Facts, Finding, Sample, combined, failed, ok, skipped, warning
from ..replication import Replication, Rule
from ..unread import unread

ENABLED = "Enabled"
#: Replication usually takes seconds, and by its agreement 15 minutes:
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-time-control.html
LONG = datetime.timedelta(hours=1)
#: Files that a finding names.
NAMED = 3
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-replication
_LOCK = (
    "aws s3api put-object-lock-configuration --bucket {}"
    " --object-lock-configuration ObjectLockEnabled=Enabled"
)
SET_UP = "run `ppc-s3sync replicate` with the ini file of each region"
BATCH = (
    "copy them with S3 Batch Replication: `ppc-s3sync replicate --plan --json` with the ini file of each"
    " region prints the command, in batch_jobs"
)


def versioning(facts: Facts) -> Finding:
    """Check that the bucket keeps versions, without which S3 replicates nothing."""
    status, name = facts.versioning.get(), facts.settings.bucket
    if status == ENABLED:
        return ok(f"the bucket {name} keeps versions")
    command = f"aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
    remedy = f"`{command}`; it can be suspended later, but not undone, and old versions cost storage"
    how = "is suspended" if status else "is off"
    if _rules(facts):
        return failed(f"versioning of the bucket {name} {how}, so S3 replicates nothing", remedy)
    return warning(
        f"versioning of the bucket {name} {how}, which only replication needs",
        f"nothing if there is one region; otherwise {remedy}",
    )


def replication(facts: Facts) -> Finding:
    """Check that some rule copies every package to each bucket, and that it does copy them."""
    found, settings = facts.replication.get(), facts.settings
    place = f"s3://{settings.bucket}/{settings.prefix}"
    concerning = _rules(facts)
    if found is None or not concerning:
        rules = len(found.rules) if found else 0
        others = f"{count_of(rules, 'rule')}, but none for" if rules else "no rule replicates"
        return warning(
            f"{others} {place}",
            f"nothing if there is one region; otherwise {SET_UP}",
        )
    prefix = settings.prefix
    findings = [_to(facts, found, destination) for destination in found.destinations(prefix)]
    return combined([*findings, *_object_locks(facts, found), *_role(facts, found), *_samples(facts)])


def _rules(facts: Facts) -> Sequence[Rule]:
    found = facts.replication.known
    return () if found is None else found.concerning(facts.settings.prefix)


def _to(facts: Facts, found: Replication, destination: str) -> Finding:
    """Return whether everything is replicated to a bucket, and back if that bucket replicates too."""
    prefix = facts.settings.prefix
    rule = found.effective(prefix, destination)
    if rule is None:
        return combined(
            [
                _insufficient(rule, prefix)
                for rule in found.concerning(prefix)
                if rule.destination == destination
            ]
        )
    fact = facts.destinations.get(destination, Fact(Destination(exists=True, versioning=ENABLED)))
    if fact.error is not None:
        finding = unread(fact.error)
        reason = finding.evidence.removeprefix("unknown: ")
        evidence = f"{rule.name} is on, but whether {destination} replicates back is unknown: {reason}"
        return warning(evidence, finding.remedy)
    return _of_both(facts, rule, fact.get())


def _insufficient(rule: Rule, prefix: str) -> Finding:
    """Return why a rule does not replicate every package."""
    if not rule.enabled:
        return failed(f"{rule.name} is disabled", f"set its Status to Enabled, or {SET_UP}")
    if rule.tags:
        tags = ", ".join(rule.tags)
        return failed(
            f"{rule.name} replicates only objects with the tag {tags}, which pypicloud does not set",
            f"remove the tag from its Filter, or {SET_UP}",
        )
    return failed(
        f"{rule.name} covers only {rule.prefix!r} of storage.prefix = {prefix!r}",
        f"set the Prefix of its Filter to {prefix!r}, or {SET_UP}",
    )


def _of_both(facts: Facts, rule: Rule, destination: Destination) -> Finding:
    settings, name = facts.settings, rule.destination
    if not destination.exists:
        return failed(f"{rule.name} leads to a bucket that does not exist", f"correct the rule, or {SET_UP}")
    if destination.versioning != ENABLED:
        command = f"aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
        return failed(
            f"versioning of the bucket {name} is not enabled, so S3 copies nothing to it", f"`{command}`"
        )
    back = [] if destination.replication is None else list(destination.replication.rules)
    back = [found for found in back if found.destination == settings.bucket]
    if not back:
        return ok(f"{rule.name}, one way: {name} does not replicate back")
    if not any(found.enabled for found in back):
        return warning(
            f"{rule.name} is on, but {back[0].name}, from {name}, is disabled",
            f"set its Status to Enabled, or {SET_UP}",
        )
    if not rule.carries_changes_of_replicas:
        return warning(
            f"{rule.name} and {back[0].name} replicate both ways, but changes to a replica's metadata stay",
            "set SourceSelectionCriteria.ReplicaModifications.Status of the rule to Enabled",
        )
    return ok(f"{rule.name}, both ways")


def _object_locks(facts: Facts, found: Replication) -> Iterator[Finding]:
    """Yield that a bucket has no Object Lock, to which a bucket with Object Lock replicates."""
    own = facts.object_locks.get(facts.settings.bucket, Fact(False))
    if own.error is not None:
        yield unread(own.error)
    elif own.get():
        yield from _of_locked(facts, found)


def _of_locked(facts: Facts, found: Replication) -> Iterator[Finding]:
    name, prefix = facts.settings.bucket, facts.settings.prefix
    for destination in found.destinations(prefix):
        other = facts.object_locks.get(destination, Fact(True))
        if other.error is not None:
            yield unread(other.error)
        elif not other.get() and found.effective(prefix, destination) is not None:
            yield failed(
                f"the bucket {name} has Object Lock, but {destination} has none, so S3 copies nothing to it",
                f"`{_LOCK.format(destination)}`; it cannot be disabled later, and without a default retention"
                " it locks no object",
            )


def _role(facts: Facts, found: Replication) -> Iterator[Finding]:
    """Yield that the role of the rules is missing, or cannot be read."""
    if facts.has_replication_role.error is not None:
        yield unread(facts.has_replication_role.error)
    elif not facts.has_replication_role.get():
        remedy = f"create the role with the rights that replication needs, or {SET_UP}"
        yield failed(f"the role {found.role} of the rules does not exist, so S3 copies nothing", remedy)


def _samples(facts: Facts) -> Iterator[Finding]:
    """Yield what the replication status of some files tells."""
    if facts.samples.error is not None:
        yield unread(facts.samples.error)
        return
    samples = facts.samples.get()
    lost = [sample for sample in samples if sample.status == "FAILED"]
    older = [sample for sample in samples if not sample.status]
    late = [sample for sample in samples if sample.status == "PENDING" and facts.now - sample.modified > LONG]
    count = len(samples)
    of_all = f"of {count_of(count, 'sampled file')}"
    if lost:
        remedy = f"correct what the other checks say of replication and its role, then {BATCH}"
        yield failed(f"{len(lost)} {of_all} failed to replicate: {_named(lost)}", remedy)
    if older:
        evidence = count_of(len(older), f"{of_all} was not replicated", f"{of_all} were not replicated")
        yield warning(f"{evidence}, because the rule is newer: {_named(older)}", BATCH)
    if late:
        evidence = count_of(len(late), f"{of_all} has waited", f"{of_all} have waited")
        yield warning(
            f"{evidence} for more than an hour: {_named(late)}",
            "look at the metrics of the rule in the S3 console, and at its role",
        )
    if samples and not lost + older + late:
        yield ok(count_of(count, "sampled file is replicated", "sampled files are replicated"))


def _named(samples: Sequence[Sample]) -> str:
    more = f" and {len(samples) - NAMED} more" if len(samples) > NAMED else ""
    return ", ".join(sample.key for sample in samples[:NAMED]) + more


def delete_markers(facts: Facts) -> Finding:
    """Check that a package that is deleted here is deleted in the other regions too."""
    found, prefix = facts.replication.get(), facts.settings.prefix
    enabled = [rule for rule in _rules(facts) if rule.enabled]
    if found is None or not enabled:
        return skipped("no rule replicates the packages")
    findings = []
    for rule in enabled:
        effective = found.effective(prefix, rule.destination)
        if rule.carries_deletions:
            findings.append(ok(f"{rule.name} carries deletions"))
        elif effective is not None and effective.priority > rule.priority:
            continue
        elif rule.tags:
            findings.append(
                failed(
                    f"{rule.name} filters by tags, and S3 replicates no deletions by such a rule",
                    f"remove the tags from its Filter, or {SET_UP}",
                )
            )
        else:
            findings.append(
                failed(
                    f"{rule.name} does not carry deletions: a package that is deleted here stays in"
                    f" {rule.destination}",
                    f"set DeleteMarkerReplication.Status of the rule to Enabled, or {SET_UP}",
                )
            )
    return combined(findings)


def encryption(facts: Facts) -> Finding:
    """Check that the rules replicate the objects if a KMS key encrypts them."""
    default = facts.encryption.get()
    sampled = [sample for sample in facts.samples.known or () if sample.encryption.startswith("aws:kms")]
    uploads = facts.settings.server_side_encryption == "aws:kms"
    shown = "no default encryption" if default is None else default.algorithm
    if default is not None and default.key:
        shown += f" with {default.key}"
    if uploads and not _uses_kms(default):
        shown += ", but storage.server_side_encryption = aws:kms"
    elif sampled and not _uses_kms(default):
        shown += f", but aws:kms for {sampled[0].key}"
    if not sampled and not uploads and not _uses_kms(default):
        return ok(shown)
    enabled = [rule for rule in _rules(facts) if rule.enabled]
    findings = [ok(shown), *(_kms(rule, shown) for rule in enabled)]
    return combined(findings)


def _uses_kms(default: Encryption | None) -> bool:
    return default is not None and default.algorithm.startswith("aws:kms")


def _kms(rule: Rule, shown: str) -> Finding:
    if not rule.carries_kms:
        return failed(
            f"{shown}: {rule.name} does not replicate objects that a KMS key encrypts",
            "set SourceSelectionCriteria.SseKmsEncryptedObjects.Status of the rule to Enabled, and"
            f" Destination.EncryptionConfiguration.ReplicaKmsKeyID to a key in the other region, or {SET_UP}",
        )
    if not rule.replica_key:
        return failed(
            f"{shown}: {rule.name} names no key for the replicas",
            "set its Destination.EncryptionConfiguration.ReplicaKmsKeyID to a key in the other region",
        )
    return ok(f"{rule.name} encrypts replicas with {rule.replica_key}")
