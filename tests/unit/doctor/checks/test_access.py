"""The checks of the credentials and the bucket, with a table of everything that can be wrong."""

from __future__ import annotations

import pytest

from pypicloud_s3sync.doctor.models import (
    BucketFacts,
    Facts,
)
from pypicloud_s3sync.exceptions import AwsError
from support.examinations import assert_wrong, cases, denied, facts
from support.fakes import ACCOUNT, BUCKET, REGION

#: The check, what is wrong, its state, and parts of its evidence and its remedy.
WRONG: list[tuple[str, Facts, str, str, str]] = [
    (
        "credentials",
        facts(identity=AwsError("no AWS credentials for sts:GetCallerIdentity on the caller: set them")),
        *("failed", "no AWS credentials", "storage.aws_access_key_id"),
    ),
    (
        "credentials",
        facts(identity=AwsError("the AWS credentials have expired (sts): renew them", "ExpiredToken")),
        *("failed", "the AWS credentials have expired (sts)", "aws sso login"),
    ),
    (
        "credentials",
        facts(identity=AwsError("the AWS login has expired: Token has expired and refresh failed")),
        *("failed", "the AWS login has expired", "aws sso login"),
    ),
    (
        "credentials",
        facts(identity=AwsError("AWS rejected the credentials (x): set them", "InvalidClientTokenId")),
        *("failed", "AWS rejected the credentials", "set them in the environment"),
    ),
    (
        "credentials",
        facts(identity=AwsError("AWS does not answer sts:GetCallerIdentity on the caller: x")),
        *("failed", "AWS does not answer", "check the network"),
    ),
    (
        "credentials",
        facts(bucket=BucketFacts(REGION, is_foreign=True)),
        *("failed", f"the bucket {BUCKET} belongs to another account than {ACCOUNT}", "credentials of"),
    ),
    (
        "credentials",
        facts(tables_account="999999999999"),
        *("failed", "belongs to the account 999999999999", "credentials of one account"),
    ),
    (
        "credentials",
        facts(tables_account=AwsError("AWS rejected the credentials (y): set them", "InvalidClientTokenId")),
        *("failed", "AWS rejected the credentials (y)", "set them in the environment"),
    ),
    ("bucket", facts(bucket=BucketFacts(None)), "failed", f"{BUCKET} does not exist", "storage.bucket"),
    (
        "bucket",
        facts(bucket=BucketFacts("eu-north-1")),
        *("failed", "is in eu-north-1, but storage.region_name says", "set storage.region_name = eu-north-1"),
    ),
    ("bucket", facts(bucket=denied("s3:ListBucket")), "failed", "AccessDenied", '"Action": "s3:ListBucket"'),
    ("bucket", facts(bucket=AwsError("S3 does not answer")), "failed", "does not answer", "the network"),
]


@pytest.mark.parametrize("case", cases(WRONG))
def test_what_is_wrong_is_found_with_what_to_do(case: tuple[str, Facts, str, str, str]) -> None:
    assert_wrong(*case)
