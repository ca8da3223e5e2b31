"""Reading the whole state of a deployment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pypicloud_s3sync.deploy.models import CacheTables, Identity
from pypicloud_s3sync.deploy.readers import Reader
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import ACCOUNT, BUCKET, NOTHING, REGION, FakeClients, make_desired, refusal

DESIRED = make_desired()
GIVEN_ARN = f"arn:aws:iam::{ACCOUNT}:role/given"
GIVEN = {
    "Role": {
        "RoleName": "given",
        "Path": "/",
        "Arn": GIVEN_ARN,
        "AssumeRolePolicyDocument": {},
    }
}
NO_ROLE = refusal("NoSuchEntity", status=404)
NOT_FOUND = refusal("ResourceNotFoundException", status=404)
#: The answers of an account without any resource of the deployment.
EMPTY: dict[str, Any] = {
    "get_role": NO_ROLE,
    "get_role_policy": NO_ROLE,
    "get_function": NOT_FOUND,
    "get_policy": NOT_FOUND,
    "get_queue_url": refusal("AWS.SimpleQueueService.NonExistentQueue"),
}


def test_the_identity_has_account_and_partition() -> None:
    caller = {"Account": ACCOUNT, "Arn": f"arn:aws-cn:iam::{ACCOUNT}:user/x"}
    assert Reader(FakeClients({"get_caller_identity": caller})).identity() == Identity(ACCOUNT, "aws-cn")


def test_nothing_is_observed_in_an_empty_account() -> None:
    clients = FakeClients(EMPTY)
    assert Reader(clients).observe(DESIRED, enabling=True) == NOTHING
    assert clients.operations == [
        *("get_function", "get_role", "describe_log_groups", "get_policy"),
        "get_bucket_notification_configuration",
        *("get_queue_url", "get_queue_url", "list_event_source_mappings"),
    ]


def test_a_given_role_is_read_first_and_only_to_enable() -> None:
    desired = make_desired(s3sync__role_arn=GIVEN_ARN)
    clients = FakeClients({**EMPTY, "get_role": [GIVEN, NO_ROLE]})
    given_role = Reader(clients).observe(desired, enabling=True).given_role
    assert given_role is not None
    assert given_role.arn == GIVEN_ARN
    assert clients.calls[0] == ("get_role", {"RoleName": "given"})
    clients = FakeClients(EMPTY)
    assert Reader(clients).observe(desired, enabling=False).given_role is None
    assert ("get_role", {"RoleName": "given"}) not in clients.calls


def test_a_role_of_the_same_name_under_another_path_is_not_the_given_role() -> None:
    desired = make_desired(s3sync__role_arn=GIVEN_ARN.replace("role/", "role/teams/"))
    clients = FakeClients({**EMPTY, "get_role": [GIVEN, NO_ROLE]})
    assert Reader(clients).observe(desired, enabling=True).given_role is None


def test_a_denied_read_is_an_error() -> None:
    clients = FakeClients({**EMPTY, "get_policy": refusal("AccessDeniedException")})
    with pytest.raises(AwsError, match="AccessDenied for lambda:GetPolicy on the function sync"):
        Reader(clients).observe(DESIRED, enabling=True)


def test_the_statements_of_the_function_policy_are_read() -> None:
    statement = {"Sid": "x", "Effect": "Allow"}
    policy = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
    observed = Reader(FakeClients({**EMPTY, "get_policy": policy})).observe(DESIRED, enabling=True)
    assert observed.statements == (statement,)


def test_the_notifications_are_read_without_the_metadata_of_the_response() -> None:
    answer: dict[str, Any] = {"EventBridgeConfiguration": {}, "ResponseMetadata": {}}
    clients = FakeClients({"get_bucket_notification_configuration": answer})
    assert Reader(clients).notifications(BUCKET) == {"EventBridgeConfiguration": {}}


def test_a_missing_bucket_has_no_notifications() -> None:
    clients = FakeClients({"get_bucket_notification_configuration": refusal("NoSuchBucket", status=404)})
    assert Reader(clients).notifications(BUCKET) == {}


# The tables of the cache

ON_DEMAND = {"Table": {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}}
PROVISIONED = {"Table": {"BillingModeSummary": {"BillingMode": "PROVISIONED"}}}
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"


@pytest.mark.parametrize(
    ("answers", "tables"),
    [
        ([ON_DEMAND, ON_DEMAND], CacheTables(on_demand=True)),
        ([ON_DEMAND, PROVISIONED], CacheTables()),
        ([{"Table": {}}, ON_DEMAND], CacheTables()),
        ([ON_DEMAND, NOT_FOUND], CacheTables(missing=("PackageSummary",), on_demand=True)),
        (
            [{"Table": {"SSEDescription": {"KMSMasterKeyArn": KEY}}}, {"Table": {"SSEDescription": {}}}],
            CacheTables(keys=(KEY,)),
        ),
    ],
    ids=["on demand", "one is provisioned", "always provisioned", "missing", "a key"],
)
def test_the_tables_of_the_cache_are_read(answers: list[Any], tables: CacheTables) -> None:
    assert Reader(FakeClients({"describe_table": answers})).cache_tables() == tables


# The region of the bucket


def response(region_header: str | None = None, **fields: str) -> dict[str, Any]:
    headers = {} if region_header is None else {"x-amz-bucket-region": region_header}
    return {**fields, "ResponseMetadata": {"HTTPHeaders": headers}}


@pytest.mark.parametrize(
    ("answer", "region"),
    [
        (response(BucketRegion=REGION), REGION),
        (response(REGION), REGION),
        (response(), ""),
        (refusal("404", status=404), None),
    ],
    ids=["field", "header", "not reported", "no bucket"],
)
def test_the_region_of_a_bucket_is_read(answer: Any, region: str | None) -> None:
    clients = FakeClients({"head_bucket": answer})
    assert Reader(clients).bucket_region(BUCKET, ACCOUNT) == region
    assert clients.arguments("head_bucket") == {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT}


def test_another_region_is_read_from_an_error() -> None:
    error = refusal("301", status=301)
    error.response["ResponseMetadata"]["HTTPHeaders"] = {"x-amz-bucket-region": "us-east-1"}
    assert Reader(FakeClients({"head_bucket": error})).bucket_region(BUCKET, ACCOUNT) == "us-east-1"


def test_a_bucket_of_another_account_is_an_error() -> None:
    error = refusal("403", status=403)
    error.response["ResponseMetadata"]["HTTPHeaders"] = {"x-amz-bucket-region": REGION}
    with pytest.raises(AwsError, match=f"AccessDenied for s3:ListBucket on the bucket {BUCKET}"):
        Reader(FakeClients({"head_bucket": error})).bucket_region(BUCKET, ACCOUNT)
