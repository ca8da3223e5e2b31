"""The least rights of the role for replication."""

from __future__ import annotations

from typing import Any

from pypicloud_s3sync.deploy.replication.policy import role_policy, trust_policy
from support.fakes import ACCOUNT
from support.replication import AP, EU, KEYS, US, arn, kms, region, wanted


def statements(source: Any, *rules: dict[str, Any]) -> dict[str, Any]:
    """Return the statements of the role's policy by their ids."""
    return {statement["Sid"]: statement for statement in role_policy(source, rules)["Statement"]}


def test_only_s3_can_assume_the_role() -> None:
    assert trust_policy()["Statement"] == [
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]


def test_the_role_reads_its_bucket_and_writes_to_the_others_only() -> None:
    found = statements(region(US), wanted(EU, "a/"), wanted(AP, "a/"))
    assert {sid: (item["Action"], item["Resource"]) for sid, item in found.items()} == {
        "ReadConfiguration": (["s3:GetReplicationConfiguration", "s3:ListBucket"], arn(US)),
        "ReadOriginals": (
            [
                "s3:GetObjectVersionAcl",
                "s3:GetObjectVersionForReplication",
                "s3:GetObjectVersionTagging",
            ],
            f"{arn(US)}/a/*",
        ),
        "WriteReplicas": (
            ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"],
            [f"{arn(AP)}/a/*", f"{arn(EU)}/a/*"],
        ),
    }


def test_the_characters_of_a_prefix_that_mean_something_in_a_policy_are_escaped() -> None:
    found = statements(region(US), wanted(EU, "a*?$/"))
    assert found["WriteReplicas"]["Resource"] == f"{arn(EU)}/a${{*}}${{?}}${{$}}/*"


def test_the_role_uses_keys_through_s3_for_these_buckets_only() -> None:
    found = statements(region(US, encryption=kms(US)), wanted(EU, "a/", key=KEYS[EU]))
    decrypt, encrypt = found["DecryptOriginals"], found["EncryptReplicas1"]
    assert (decrypt["Action"], decrypt["Resource"]) == (["kms:Decrypt"], KEYS[US])
    assert decrypt["Condition"] == {
        "StringLike": {
            "kms:ViaService": "s3.us-east-1.*",
            "kms:EncryptionContext:aws:s3:arn": [arn(US), f"{arn(US)}/a/*"],
        }
    }
    assert encrypt["Resource"] == KEYS[EU]
    assert encrypt["Condition"]["StringLike"]["kms:ViaService"] == "s3.eu-west-1.*"


def test_the_role_reads_the_retention_of_packages_in_a_bucket_with_object_lock() -> None:
    assert "ReadLocks" not in statements(region(US), wanted(EU, "a/"))
    found = statements(region(US, has_object_lock=True), wanted(EU, "a/"))["ReadLocks"]
    assert found["Action"] == ["s3:GetObjectLegalHold", "s3:GetObjectRetention"]
    assert found["Resource"] == f"{arn(US)}/a/*"


def test_a_key_that_is_named_by_its_alias_is_allowed_by_its_alias() -> None:
    alias = f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/packages"
    statement = statements(region(US), wanted(EU, key=alias))["EncryptReplicas1"]
    assert statement["Resource"] == f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/*"
    assert statement["Condition"]["ForAnyValue:StringEquals"] == {"kms:ResourceAliases": "alias/packages"}


def test_the_key_that_aws_manages_needs_no_right() -> None:
    managed = f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/aws/s3"
    assert "EncryptReplicas1" not in statements(region(US), wanted(EU, key=managed))


def test_the_role_may_give_replicas_to_another_account_only_if_there_is_one() -> None:
    found = statements(region(US), wanted(EU, account="444455556666"), wanted(AP))
    assert found["GiveReplicasAway"]["Resource"] == f"{arn(EU)}/*"
    assert "GiveReplicasAway" not in statements(region(US), wanted(AP))
