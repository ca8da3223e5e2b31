"""The checks of versioning, replication and encryption, with a table of everything that can be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.replication.models import Encryption
from pypicloud_s3sync.doctor.models import (
    Destination,
    Fact,
    Facts,
)
from support.examinations import (
    ENABLED,
    OTHER,
    assert_right,
    assert_wrong,
    back,
    cases,
    denied,
    facts,
    rule,
    rules,
    sample,
)
from support.fakes import BUCKET

KMS = Encryption("aws:kms", "arn:aws:kms:eu-west-1:111122223333:key/1")
WITH_KEY: dict[str, Any] = {
    "SourceSelectionCriteria": {"SseKmsEncryptedObjects": ENABLED, "ReplicaModifications": ENABLED},
    "Destination": {
        "Bucket": f"arn:aws:s3:::{OTHER}",
        "EncryptionConfiguration": {"ReplicaKmsKeyID": "arn:aws:kms:us-east-1:1:key/2"},
    },
}

LOCK_ACTION = "s3:GetBucketObjectLockConfiguration"
#: The filters that cover every object.
EVERYTHING: list[dict[str, Any]] = [{"Filter": {}}, {"Prefix": ""}, {"Filter": {"And": {"Prefix": ""}}}]

#: The check, what is wrong, its state, and parts of its evidence and its remedy.
WRONG: list[tuple[str, Facts, str, str, str]] = [
    ("versioning", facts(versioning=""), "failed", "is off, so S3 replicates nothing", "Status=Enabled"),
    ("versioning", facts(versioning="Suspended"), "failed", "is suspended", "put-bucket-versioning"),
    ("versioning", facts(versioning="", replication=None), "warning", "only replication needs", "one region"),
    ("replication", facts(replication=None), "warning", "no rule replicates", "`ppc-s3sync replicate`"),
    (
        "replication",
        facts(replication=rules(rule(Filter={"Prefix": "logs/"})), settings={"storage__prefix": "pypi/"}),
        *("warning", f"1 rule, but none for s3://{BUCKET}/pypi/", "`ppc-s3sync replicate`"),
    ),
    (
        "replication",
        facts(replication=rules(rule(Status="Disabled"))),
        *("failed", f"the rule to-{OTHER} to {OTHER} is disabled", "set its Status to Enabled"),
    ),
    *(
        (
            "replication",
            facts(replication=rules(rule(Filter=found))),
            *("failed", "only objects with the tag team", "remove the tag from its Filter"),
        )
        for found in (
            {"Tag": {"Key": "team", "Value": "x"}},
            {"And": {"Prefix": "", "Tags": [{"Key": "team", "Value": "x"}]}},
        )
    ),
    *(
        (
            "replication",
            facts(replication=rules({**rule(Filter=None), **found}), settings={"storage__prefix": "pypi/"}),
            *("failed", "covers only 'pypi/a/' of storage.prefix = 'pypi/'", "set the Prefix"),
        )
        for found in (
            {"Filter": {"Prefix": "pypi/a/"}},
            {"Prefix": "pypi/a/"},
            {"Filter": {"And": {"Prefix": "pypi/a/"}}},
        )
    ),
    (
        "replication",
        facts(has_replication_role=False),
        *("failed", "role/replication of the rules does not exist", "create the role"),
    ),
    (
        "replication",
        facts(object_locks={BUCKET: Fact(True), OTHER: Fact(False)}),
        *(
            "failed",
            f"the bucket {BUCKET} has Object Lock, but {OTHER} has none, so S3 copies nothing to it",
            f"put-object-lock-configuration --bucket {OTHER} ",
        ),
    ),
    *(
        (
            "replication",
            facts(object_locks=locks),
            *("warning", f"unknown: AccessDenied for {LOCK_ACTION}", f'"Action": "{LOCK_ACTION}"'),
        )
        for locks in (
            {BUCKET: Fact[bool](error=denied(LOCK_ACTION))},
            {BUCKET: Fact(True), OTHER: Fact(error=denied(LOCK_ACTION))},
        )
    ),
    (
        "replication",
        facts(destinations={OTHER: Fact(Destination(exists=False))}),
        *("failed", "leads to a bucket that does not exist", "correct the rule"),
    ),
    (
        "replication",
        facts(destinations={OTHER: Fact(Destination(True, "Suspended"))}),
        *("failed", f"versioning of the bucket {OTHER} is not enabled", f"--bucket {OTHER}"),
    ),
    (
        "replication",
        facts(destinations={OTHER: Fact(error=denied("s3:GetReplicationConfiguration"))}),
        *("warning", f"whether {OTHER} replicates back is unknown", '"s3:GetReplicationConfiguration"'),
    ),
    (
        "replication",
        facts(destinations=back(Status="Disabled")),
        *("warning", f"but the rule to-{BUCKET} to {BUCKET}, from {OTHER}, is disabled", "Status to Enabled"),
    ),
    (
        "replication",
        facts(replication=rules(rule(SourceSelectionCriteria=None))),
        *("warning", "replicate both ways, but changes", "ReplicaModifications.Status"),
    ),
    (
        "replication",
        facts(samples=(sample("FAILED"), sample())),
        *("failed", "1 of 2 sampled files failed to replicate: a/b-1.0.tar.gz", "S3 Batch Replication"),
    ),
    (
        "replication",
        facts(samples=(sample(""), *[sample()] * 3)),
        *(
            "warning",
            "1 of 4 sampled files was not replicated, because the rule is newer",
            "S3 Batch Replication",
        ),
    ),
    (
        "replication",
        facts(samples=[sample("PENDING", age=2)] * 5),
        *("warning", "5 of 5 sampled files have waited for more than an hour", "metrics of the rule"),
    ),
    ("replication", facts(samples=denied("s3:GetObject")), "warning", "AccessDenied", '"s3:GetObject"'),
    (
        "replication",
        facts(replication=denied("s3:GetReplicationConfiguration")),
        *("warning", "unknown: AccessDenied", '"Action": "s3:GetReplicationConfiguration"'),
    ),
    (
        "delete_markers",
        facts(replication=rules(rule(DeleteMarkerReplication={"Status": "Disabled"}))),
        *("failed", f"deleted here stays in {OTHER}", "DeleteMarkerReplication.Status"),
    ),
    (
        "delete_markers",
        facts(replication=rules(rule(DeleteMarkerReplication=None))),
        *("failed", "does not carry deletions", "to Enabled"),
    ),
    (
        "delete_markers",
        facts(replication=rules(rule(Filter={"Tag": {"Key": "team", "Value": "x"}}))),
        *("failed", "filters by tags, and S3 replicates no deletions", "remove the tags"),
    ),
    ("delete_markers", facts(replication=None), "skipped", "no rule replicates the packages", ""),
    (
        "encryption",
        facts(encryption=KMS),
        *("failed", "does not replicate objects that a KMS key encrypts", "SseKmsEncryptedObjects.Status"),
    ),
    (
        "encryption",
        facts(
            encryption=Encryption("aws:kms:dsse"),
            replication=rules(rule(SourceSelectionCriteria={"SseKmsEncryptedObjects": ENABLED})),
        ),
        *("failed", "names no key for the replicas", "ReplicaKmsKeyID"),
    ),
    (
        "encryption",
        facts(samples=(sample(encryption="aws:kms"),)),
        *("failed", "AES256, but aws:kms for a/b-1.0.tar.gz", "SseKmsEncryptedObjects.Status"),
    ),
    (
        "encryption",
        facts(settings={"storage__server_side_encryption": "aws:kms"}),
        *("failed", "AES256, but storage.server_side_encryption = aws:kms", "SseKmsEncryptedObjects"),
    ),
]
#: The check, what is right in another way, and a part of the evidence.
RIGHT: list[tuple[str, Facts, str]] = [
    ("versioning", facts(), "keeps versions"),
    ("replication", facts(), f"the rule to-{OTHER} to {OTHER}, both ways; 2 sampled files are replicated"),
    (
        "replication",
        facts(destinations={OTHER: Fact(Destination(True, "Enabled"))}),
        f"one way: {OTHER} does not replicate back",
    ),
    *(
        ("replication", facts(object_locks=locks), "both ways")
        for locks in ({BUCKET: Fact(False)}, {BUCKET: Fact(True), OTHER: Fact(True)})
    ),
    *(
        ("replication", facts(replication=rules({**rule(Filter=None), **found})), "both ways")
        for found in EVERYTHING
    ),
    ("replication", facts(samples=(sample("PENDING", age=0.5),)), "1 sampled file is replicated"),
    (
        "delete_markers",
        facts(replication=rules(rule(Filter=None, Priority=None, Prefix="", DeleteMarkerReplication=None))),
        "carries deletions",
    ),
    (
        "delete_markers",
        facts(
            replication=rules(
                rule(Priority=1, DeleteMarkerReplication={"Status": "Disabled"}), rule(Priority=2)
            )
        ),
        "carries deletions",
    ),
    ("encryption", facts(encryption=None), "no default encryption"),
    ("encryption", facts(encryption=KMS, replication=None), "aws:kms with arn:aws:kms"),
    ("encryption", facts(encryption=KMS, replication=rules(rule(**WITH_KEY))), "encrypts replicas with"),
]


@pytest.mark.parametrize("case", cases(WRONG))
def test_what_is_wrong_is_found_with_what_to_do(case: tuple[str, Facts, str, str, str]) -> None:
    assert_wrong(*case)


@pytest.mark.parametrize("case", cases(RIGHT))
def test_what_is_right_is_shown_with_its_evidence(case: tuple[str, Facts, str]) -> None:
    assert_right(*case)
