"""Building the IAM documents of the function's role."""

from __future__ import annotations

from typing import Any

import pytest
from moto import mock_aws
from pypicloud.cache.dynamo import DynamoCache
from pypicloud.util import EnvironSettings

from pypicloud_s3sync.deploy.desired.policy import (
    VPC_ACTIONS,
    lambda_may_assume,
    role_policy,
    table_names,
    trust_policy,
)
from pypicloud_s3sync.deploy.desired.resources import desire, resource_names
from pypicloud_s3sync.deploy.models import CacheTables, Identity
from support.fakes import (
    ACCOUNT,
    BUCKET,
    IDENTITY,
    REGION,
    make_desired,
    make_settings,
    not_none,
)

LOG_GROUP = "/aws/lambda/sync"
TABLES = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table"
REDIS: dict[str, str | None] = {
    "pypi__db": "redis",
    "db__url": "redis://cache.example:6379",
    "db__region_name": None,
}
SQL: dict[str, str | None] = {
    "pypi__db": "sql",
    "db__url": "postgresql://cache.example/pypi",
    "db__region_name": None,
}
VPC: dict[str, str | None] = {"s3sync__vpc_subnet_ids": "subnet-1", "s3sync__vpc_security_group_ids": "sg-1"}
COMMON_SIDS = {"ReadPackages", "SeeMissingPackages", "WriteLog", "RetryEvents"}
DYNAMO_SIDS = {"FindTables", "WriteRows", "FindRowsOfName", "WriteSummaries"}
SETTINGS: list[dict[str, str | None]] = [
    {},
    REDIS,
    SQL,
    VPC,
    {"storage__prefix": "pkgs/"},
    {"db__namespace": "eu-"},
]


def policy_for(
    changes: dict[str, str | None], identity: Identity = IDENTITY, region: str = REGION
) -> dict[str, Any]:
    settings = make_settings(**changes)
    return role_policy(settings, identity, region, resource_names(settings, region))


def statements(
    changes: dict[str, str | None] | None = None, identity: Identity = IDENTITY, region: str = REGION
) -> dict[str, dict[str, Any]]:
    """Return the statements of the policy for some settings by their ids."""
    policy = policy_for(changes or {}, identity, region)
    return {statement["Sid"]: statement for statement in policy["Statement"]}


# Least privilege


@pytest.mark.parametrize(
    ("prefix", "resource"),
    [
        ("/a//b/", "/a//b/*"),
        ("a*b?/", "a${*}b${?}/*"),
        ("${aws:username}/", "${$}{aws:username}/*"),
        # No policy may contain characters beyond U+00FF.
        ("é/日本語/ł/", "é/*/*/*"),
    ],
)
def test_a_prefix_is_meant_literally(prefix: str, resource: str) -> None:
    found = statements({"storage__prefix": prefix})["ReadPackages"]
    assert found["Resource"] == f"arn:aws:s3:::{BUCKET}/{resource}"


def test_the_role_for_a_dynamodb_cache_allows_exactly_what_the_handler_calls() -> None:
    allowed = {sid: (item["Action"], item["Resource"]) for sid, item in statements().items()}
    assert allowed == {
        "ReadPackages": (["s3:GetObject"], f"arn:aws:s3:::{BUCKET}/*"),
        "SeeMissingPackages": (["s3:ListBucket"], f"arn:aws:s3:::{BUCKET}"),
        "WriteLog": (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{LOG_GROUP}:*",
        ),
        "RetryEvents": (
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"],
            f"arn:aws:sqs:{REGION}:{ACCOUNT}:{resource_names(make_settings(), REGION).queue}",
        ),
        "FindTables": (["dynamodb:ListTables"], "*"),
        "WriteRows": (
            [
                "dynamodb:BatchGetItem",
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
            ],
            f"{TABLES}/DynamoPackage",
        ),
        "FindRowsOfName": (["dynamodb:Query"], f"{TABLES}/DynamoPackage/index/name-index"),
        "WriteSummaries": (
            [
                "dynamodb:BatchGetItem",
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
            ],
            f"{TABLES}/PackageSummary",
        ),
    }


def test_the_role_may_read_exactly_the_parameter_with_its_secrets() -> None:
    changes = {**REDIS, "db__url": "redis://:p-word@cache.example"}
    name = resource_names(make_settings(**changes), REGION).parameter
    found = statements(changes)
    assert found.keys() == COMMON_SIDS | {"ReadSecrets"}
    assert found["ReadSecrets"]["Action"] == ["ssm:GetParameter"]
    assert found["ReadSecrets"]["Resource"] == f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"
    assert name.startswith("/pypicloud-s3sync/sync-")
    assert statements({**changes, "s3sync__secrets": "environment"}).keys() == COMMON_SIDS
    assert statements(REDIS).keys() == COMMON_SIDS


def test_the_role_may_read_exactly_the_secret_of_the_user() -> None:
    arn = f"arn:aws:secretsmanager:us-east-2:{ACCOUNT}:secret:prod/cache-AbCdEf"
    found = statements({**REDIS, "s3sync__secrets": arn})
    assert found.keys() == COMMON_SIDS | {"ReadSecrets"}
    assert found["ReadSecrets"]["Action"] == ["secretsmanager:GetSecretValue"]
    assert found["ReadSecrets"]["Resource"] == arn


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_no_action_has_a_wildcard(changes: dict[str, str | None]) -> None:
    for sid, statement in statements(changes).items():
        for action in statement["Action"]:
            assert "*" not in action, f"{sid} allows {action}"
            assert "?" not in action, f"{sid} allows {action}"


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_only_actions_without_resource_level_permissions_are_allowed_on_all_resources(
    changes: dict[str, str | None],
) -> None:
    on_all = {sid for sid, statement in statements(changes).items() if statement["Resource"] == "*"}
    assert on_all <= {"FindTables", "ReachVpc"}


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_a_policy_consists_of_allow_statements_with_unique_ids(changes: dict[str, str | None]) -> None:
    document = policy_for(changes)
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert document["Version"] == "2012-10-17"
    assert len(sids) == len(set(sids))
    assert all(sid.isalnum() for sid in sids), "IAM accepts letters and digits only"
    assert {statement["Effect"] for statement in document["Statement"]} == {"Allow"}
    assert set(document) == {"Version", "Statement"}


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_the_role_cannot_change_the_bucket_or_its_own_permissions(changes: dict[str, str | None]) -> None:
    changing = ("Put", "Delete", "Create", "Update", "Tag", "Untag")
    for statement in statements(changes).values():
        for action in statement["Action"]:
            service, operation = action.split(":")
            assert service in ("s3", "logs", "sqs", "dynamodb", "ec2"), action
            assert service != "s3" or not operation.startswith(changing), action


# Effects of the settings


@pytest.mark.parametrize("changes", [REDIS, SQL], ids=["redis", "sql"])
def test_the_role_for_another_cache_allows_nothing_in_dynamodb(changes: dict[str, str | None]) -> None:
    assert set(statements(changes)) == COMMON_SIDS


def test_the_role_for_a_dynamodb_cache_has_statements_for_the_tables() -> None:
    assert set(statements()) == COMMON_SIDS | DYNAMO_SIDS


def test_only_objects_under_the_prefix_may_be_read() -> None:
    found = statements({"storage__prefix": "pkgs/"})
    assert found["ReadPackages"]["Resource"] == f"arn:aws:s3:::{BUCKET}/pkgs/*"
    assert found["SeeMissingPackages"]["Resource"] == f"arn:aws:s3:::{BUCKET}"


def test_tables_have_the_region_of_the_cache_and_the_log_has_that_of_the_function() -> None:
    found = statements({"db__region_name": "ap-southeast-2"}, region="us-east-1")
    assert found["WriteRows"]["Resource"].startswith("arn:aws:dynamodb:ap-southeast-2:")
    assert found["WriteLog"]["Resource"].startswith("arn:aws:logs:us-east-1:")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("DynamoPackage", "PackageSummary")),
        ({"db__namespace": "eu-"}, ("eu-DynamoPackage", "eu-PackageSummary")),
        ({"db__tablenames": "rows summaries"}, ("rows", "summaries")),
        ({"db__tablenames": "rows\n  summaries"}, ("rows", "summaries")),
        (
            {"db__tablenames": "rows summaries", "db__namespace": "eu-"},
            ("eu-rows", "eu-summaries"),
        ),
    ],
)
def test_tables_have_the_names_that_pypicloud_uses(
    changes: dict[str, str | None], expected: tuple[str, str]
) -> None:
    settings = make_settings(**changes)
    rows, summaries = table_names(settings)
    assert (rows, summaries) == expected
    found = statements(changes)
    assert found["WriteRows"]["Resource"] == f"{TABLES}/{rows}"
    assert found["FindRowsOfName"]["Resource"] == f"{TABLES}/{rows}/index/name-index"
    assert found["WriteSummaries"]["Resource"] == f"{TABLES}/{summaries}"


@pytest.mark.parametrize(
    "changes", [{}, {"db__namespace": "eu-"}, {"db__tablenames": "rows summaries", "db__namespace": "x-"}]
)
def test_the_policy_names_the_tables_that_pypicloud_creates(
    changes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    settings = {"pypi.storage": "pypicloud.storage.base.IStorage", "db.region_name": REGION}
    settings |= {key.replace("__", "."): value for key, value in changes.items()}
    with mock_aws():
        cache = DynamoCache(**DynamoCache.configure(EnvironSettings(settings, {})))
        created = cache.engine.dynamo.client.list_tables()["TableNames"]
    assert sorted(created) == sorted(table_names(make_settings(**changes)))


def test_network_interfaces_may_be_managed_in_a_vpc_only() -> None:
    assert "ReachVpc" not in statements()
    statement = statements(VPC)["ReachVpc"]
    assert statement["Action"] == list(VPC_ACTIONS)
    assert all(action.startswith("ec2:") for action in VPC_ACTIONS)
    assert set(statements(VPC)) == COMMON_SIDS | DYNAMO_SIDS | {"ReachVpc"}
    assert set(statements({**VPC, **REDIS})) == COMMON_SIDS | {"ReachVpc"}


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_every_arn_has_the_partition_of_the_caller(partition: str) -> None:
    found = statements(VPC, Identity(ACCOUNT, partition))
    arns = [statement["Resource"] for statement in found.values() if statement["Resource"] != "*"]
    assert {arn.split(":")[1] for arn in arns} == {partition}
    assert len(arns) == 7


# The trust policy


def test_only_lambda_may_assume_a_created_role() -> None:
    assert trust_policy() == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    assert lambda_may_assume(trust_policy())


def trust(*changes: dict[str, Any]) -> dict[str, Any]:
    """Return a trust policy with one statement, a variant of the usual one, for each argument."""
    usual = trust_policy()["Statement"][0]
    return {"Version": "2012-10-17", "Statement": [{**usual, **change} for change in changes]}


EC2 = {"Principal": {"Service": "ec2.amazonaws.com"}}
DENY = {"Effect": "Deny"}
ASSUMABLE: dict[str, dict[str, Any]] = {
    "a list of one service": trust({"Principal": {"Service": ["lambda.amazonaws.com"]}}),
    "a list of services": trust({"Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}}),
    "an account as well": trust({"Principal": {"Service": "lambda.amazonaws.com", "AWS": "111122223333"}}),
    "everyone": trust({"Principal": "*"}),
    "a list of one action": trust({"Action": ["sts:AssumeRole"]}),
    "a list of actions": trust({"Action": ["sts:TagSession", "sts:AssumeRole"]}),
    "any action of STS": trust({"Action": "sts:*"}),
    "any action": trust({"Action": "*"}),
    "an action in lower case": trust({"Action": "sts:assumerole"}),
    "an action with a wildcard": trust({"Action": "sts:Assume*"}),
    "a condition": trust({"Sid": "x", "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}),
    "the second statement": trust(EC2, {}),
    "another is denied": trust({**DENY, **EC2}, {}),
    "a statement outside a list": {"Version": "2012-10-17", "Statement": trust({})["Statement"][0]},
}
NOT_ASSUMABLE: dict[str, dict[str, Any]] = {
    "empty": {},
    "no statement": {"Version": "2012-10-17", "Statement": []},
    "another service": trust(EC2),
    "other services": trust({"Principal": {"Service": ["ec2.amazonaws.com", "edgelambda.amazonaws.com"]}}),
    "a longer name": trust({"Principal": {"Service": "lambda.amazonaws.com.evil.example"}}),
    "an account": trust({"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}),
    "the name as an account": trust({"Principal": {"AWS": "lambda.amazonaws.com"}}),
    "a federation": trust({"Principal": {"Federated": "x"}, "Action": "sts:AssumeRoleWithSAML"}),
    "another action": trust({"Action": "sts:AssumeRoleWithWebIdentity"}),
    "a list of another action": trust({"Action": ["sts:TagSession"]}),
    "denied": trust(DENY),
    "denied, another allowed": trust(DENY, EC2),
    "allowed, then denied": trust({}, DENY),
    "denied, then allowed": trust(DENY, {}),
}


@pytest.mark.parametrize("document", ASSUMABLE.values(), ids=ASSUMABLE)
def test_a_trust_policy_that_allows_lambda_is_recognised_in_any_form(document: dict[str, Any]) -> None:
    assert lambda_may_assume(document)


@pytest.mark.parametrize("document", NOT_ASSUMABLE.values(), ids=NOT_ASSUMABLE)
def test_a_trust_policy_that_does_not_allow_lambda_is_recognised(document: dict[str, Any]) -> None:
    assert not lambda_may_assume(document)


# Customer-managed keys

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd"


def test_the_role_may_use_exactly_the_keys_of_the_tables_through_dynamodb() -> None:
    tables = CacheTables(keys=(KEY,))
    desired = desire(make_settings(), IDENTITY, REGION, "inputs", tables)
    statements = [item for item in not_none(not_none(desired.role).policy)["Statement"] if "kms" in str(item)]
    assert statements == [
        {
            "Sid": "UseKeyOfTables",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:DescribeKey"],
            "Resource": KEY,
            "Condition": {"StringLike": {"kms:ViaService": f"dynamodb.{REGION}.*"}},
        }
    ]


def test_without_customer_keys_the_role_has_no_right_on_any_key() -> None:
    assert "kms" not in str(not_none(make_desired().role).policy)
