"""Reading what decides about the replication of a bucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.replication import (
    bucket_encryption,
    bucket_replication,
    bucket_versioning,
    has_object_lock,
)
from pypicloud_s3sync.deploy.replication.models import Encryption
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import ACCOUNT, BUCKET, IDENTITY, REGION, FakeClients, refusal
from support.replication import configuration, foreign

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0d6f"
ALIAS = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/packages"


def calls(**answers: Any) -> Calls:
    return Calls(FakeClients(answers))


def read_encryption(clients: Calls, bucket: str) -> Encryption | None:
    return bucket_encryption(clients, bucket, REGION, IDENTITY)


@pytest.mark.parametrize(
    ("answer", "status"),
    [({}, ""), ({"Status": "Enabled"}, "Enabled"), ({"Status": "Suspended"}, "Suspended")],
)
def test_versioning_that_was_never_on_has_no_status(answer: dict[str, str], status: str) -> None:
    assert bucket_versioning(calls(get_bucket_versioning=answer), BUCKET) == status


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        ({"SSEAlgorithm": "AES256"}, Encryption("AES256")),
        ({"SSEAlgorithm": "aws:kms"}, Encryption("aws:kms")),
        ({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}, Encryption("aws:kms", KEY)),
        ({"SSEAlgorithm": "aws:kms:dsse", "KMSMasterKeyID": "0d6f"}, Encryption("aws:kms:dsse", KEY)),
        ({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/packages"}, Encryption("aws:kms", ALIAS)),
        ({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": ALIAS}, Encryption("aws:kms", ALIAS)),
    ],
)
def test_a_key_is_known_by_its_arn_however_the_bucket_names_it(
    default: dict[str, str], expected: Encryption
) -> None:
    rules = [{"BucketKeyEnabled": True}, {"ApplyServerSideEncryptionByDefault": default}]
    answer = {"ServerSideEncryptionConfiguration": {"Rules": rules}}
    found = read_encryption(calls(get_bucket_encryption=answer), BUCKET)
    assert found == expected


def test_what_a_bucket_does_not_have_is_none() -> None:
    encryption = refusal("ServerSideEncryptionConfigurationNotFoundError", status=404)
    replication = refusal("ReplicationConfigurationNotFoundError", status=404)
    lock = refusal("ObjectLockConfigurationNotFoundError", status=404)
    clients = calls(
        get_bucket_encryption=encryption,
        get_bucket_replication=replication,
        get_object_lock_configuration=lock,
    )
    assert not has_object_lock(clients, BUCKET)
    assert read_encryption(clients, BUCKET) is None
    assert bucket_replication(clients, BUCKET) is None


@pytest.mark.parametrize(("configuration", "locked"), [({"ObjectLockEnabled": "Enabled"}, True), ({}, False)])
def test_a_bucket_has_object_lock_if_it_is_enabled(configuration: dict[str, str], locked: bool) -> None:
    answer = {"ObjectLockConfiguration": configuration}
    assert has_object_lock(calls(get_object_lock_configuration=answer), BUCKET) is locked


def test_the_configuration_is_returned_as_it_is() -> None:
    answer = {"ReplicationConfiguration": configuration(foreign()), "ResponseMetadata": {}}
    assert bucket_replication(calls(get_bucket_replication=answer), BUCKET) == configuration(foreign())


@pytest.mark.parametrize(
    ("operation", "action", "read"),
    [
        ("get_bucket_versioning", "s3:GetBucketVersioning", bucket_versioning),
        ("get_bucket_replication", "s3:GetReplicationConfiguration", bucket_replication),
        ("get_bucket_encryption", "s3:GetEncryptionConfiguration", read_encryption),
        ("get_object_lock_configuration", "s3:GetBucketObjectLockConfiguration", has_object_lock),
    ],
)
def test_a_denied_call_names_the_right_as_iam_names_it(
    operation: str, action: str, read: Callable[[Calls, str], object]
) -> None:
    with pytest.raises(AwsError, match=f"AccessDenied for {action} on the bucket"):
        read(calls(**{operation: refusal("AccessDenied")}), BUCKET)
