"""What the function's role may do: values in, values out."""

import pytest

from pypicloud_s3sync.deploy.desired import resource_names
from pypicloud_s3sync.deploy.models import Identity
from pypicloud_s3sync.deploy.policy import (
    VPC_ACTIONS,
    lets_lambda_assume,
    role_policy,
    table_names,
    trust_policy,
)
from support.fakes import ACCOUNT, BUCKET, IDENTITY, REGION, make_settings

LOG_GROUP = "/aws/lambda/sync"
TABLES = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table"
REDIS = {"pypi__db": "redis", "db__url": "redis://cache.example:6379", "db__region_name": None}
SQL = {"pypi__db": "sql", "db__url": "postgresql://cache.example/pypi", "db__region_name": None}
VPC = {"s3sync__vpc_subnet_ids": "subnet-1", "s3sync__vpc_security_group_ids": "sg-1"}
OF_ANY_CACHE = {"ReadPackages", "SeeMissingPackages", "WriteLog"}
OF_DYNAMO = {"FindTables", "WriteRows", "FindRowsOfName", "WriteSummaries"}
SETTINGS = [{}, REDIS, SQL, VPC, {"storage__prefix": "pkgs/"}, {"db__namespace": "eu-"}]


def policy_for(identity=IDENTITY, region=REGION, **more):
    settings = make_settings(**more)
    return role_policy(settings, identity, region, resource_names(settings, region))


def statements(*args, **more):
    return {statement["Sid"]: statement for statement in policy_for(*args, **more)["Statement"]}


# Least privilege


def test_a_dynamodb_cache_is_given_exactly_what_its_handler_calls():
    given = {sid: (item["Action"], item["Resource"]) for sid, item in statements().items()}
    assert given == {
        "ReadPackages": (["s3:GetObject"], f"arn:aws:s3:::{BUCKET}/*"),
        "SeeMissingPackages": (["s3:ListBucket"], f"arn:aws:s3:::{BUCKET}"),
        "WriteLog": (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{LOG_GROUP}:*",
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
            ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:PutItem"],
            f"{TABLES}/PackageSummary",
        ),
    }


@pytest.mark.parametrize("more", SETTINGS, ids=str)
def test_no_action_has_a_wildcard(more):
    for sid, statement in statements(**more).items():
        for action in statement["Action"]:
            assert "*" not in action, f"{sid} allows {action}"
            assert "?" not in action, f"{sid} allows {action}"


@pytest.mark.parametrize("more", SETTINGS, ids=str)
def test_only_what_has_no_resource_in_iam_is_allowed_on_all(more):
    on_all = {sid for sid, statement in statements(**more).items() if statement["Resource"] == "*"}
    assert on_all <= {"FindTables", "ReachVpc"}


@pytest.mark.parametrize("more", SETTINGS, ids=str)
def test_a_policy_is_a_document_of_allowing_statements_with_ids_of_their_own(more):
    document = policy_for(**more)
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert document["Version"] == "2012-10-17"
    assert len(sids) == len(set(sids))
    assert all(sid.isalnum() for sid in sids), "IAM takes letters and digits only"
    assert {statement["Effect"] for statement in document["Statement"]} == {"Allow"}
    assert set(document) == {"Version", "Statement"}


@pytest.mark.parametrize("more", SETTINGS, ids=str)
def test_the_role_never_changes_the_bucket_or_gives_itself_rights(more):
    changing = ("Put", "Delete", "Create", "Update", "Tag", "Untag")
    for statement in statements(**more).values():
        for action in statement["Action"]:
            service, operation = action.split(":")
            assert service in ("s3", "logs", "dynamodb", "ec2"), action
            assert service != "s3" or not operation.startswith(changing), action


# What the settings change


@pytest.mark.parametrize("more", [REDIS, SQL], ids=["redis", "sql"])
def test_another_cache_is_given_nothing_in_dynamodb(more):
    assert set(statements(**more)) == OF_ANY_CACHE


def test_a_dynamodb_cache_has_its_statements():
    assert set(statements()) == OF_ANY_CACHE | OF_DYNAMO


def test_objects_are_read_under_the_prefix_only():
    given = statements(storage__prefix="pkgs/")
    assert given["ReadPackages"]["Resource"] == f"arn:aws:s3:::{BUCKET}/pkgs/*"
    assert given["SeeMissingPackages"]["Resource"] == f"arn:aws:s3:::{BUCKET}"


def test_tables_are_in_the_region_of_the_cache_and_the_log_in_that_of_the_function():
    given = statements(region="us-east-1", db__region_name="ap-southeast-2")
    assert given["WriteRows"]["Resource"].startswith("arn:aws:dynamodb:ap-southeast-2:")
    assert given["WriteLog"]["Resource"].startswith("arn:aws:logs:us-east-1:")


@pytest.mark.parametrize(
    ("more", "expected"),
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
def test_tables_are_called_as_pypicloud_calls_them(more, expected):
    settings = make_settings(**more)
    rows, summaries = table_names(settings)
    assert (rows, summaries) == expected
    given = statements(**more)
    assert given["WriteRows"]["Resource"] == f"{TABLES}/{rows}"
    assert given["FindRowsOfName"]["Resource"] == f"{TABLES}/{rows}/index/name-index"
    assert given["WriteSummaries"]["Resource"] == f"{TABLES}/{summaries}"


@pytest.mark.parametrize(
    "more", [{}, {"db__namespace": "eu-"}, {"db__tablenames": "rows summaries", "db__namespace": "x-"}]
)
def test_the_tables_in_the_policy_are_those_that_pypicloud_makes(more, monkeypatch):
    """pypicloud itself names its tables, in moto."""
    from moto import mock_aws
    from pypicloud.cache.dynamo import DynamoCache
    from pypicloud.util import EnvironSettings

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    given = {"pypi.storage": "pypicloud.storage.base.IStorage", "db.region_name": REGION}
    given |= {key.replace("__", "."): value for key, value in more.items()}
    with mock_aws():
        cache = DynamoCache(**DynamoCache.configure(EnvironSettings(given, {})))
        made = cache.engine.dynamo.client.list_tables()["TableNames"]
    assert sorted(made) == sorted(table_names(make_settings(**more)))


def test_network_interfaces_are_allowed_in_a_vpc_only():
    assert "ReachVpc" not in statements()
    given = statements(**VPC)["ReachVpc"]
    assert given["Action"] == list(VPC_ACTIONS)
    assert all(action.startswith("ec2:") for action in VPC_ACTIONS)
    assert set(statements(**VPC)) == OF_ANY_CACHE | OF_DYNAMO | {"ReachVpc"}
    assert set(statements(**VPC, **REDIS)) == OF_ANY_CACHE | {"ReachVpc"}


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_every_arn_is_of_the_callers_partition(partition):
    given = statements(Identity(ACCOUNT, partition), **VPC)
    arns = [statement["Resource"] for statement in given.values() if statement["Resource"] != "*"]
    assert {arn.split(":")[1] for arn in arns} == {partition}
    assert len(arns) == 6


# Who may run as the role


def test_lambda_and_nobody_else_runs_as_our_role():
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
    assert lets_lambda_assume(trust_policy())


def trust(*changes):
    """A trust policy with a statement for each change of the usual one."""
    usual = trust_policy()["Statement"][0]
    return {"Version": "2012-10-17", "Statement": [{**usual, **change} for change in changes]}


EC2 = {"Principal": {"Service": "ec2.amazonaws.com"}}
DENY = {"Effect": "Deny"}


ASSUMABLE = {
    "a list of one service": trust({"Principal": {"Service": ["lambda.amazonaws.com"]}}),
    "a list of services": trust({"Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}}),
    "an account too": trust({"Principal": {"Service": "lambda.amazonaws.com", "AWS": "111122223333"}}),
    "anybody": trust({"Principal": "*"}),
    "a list of one action": trust({"Action": ["sts:AssumeRole"]}),
    "a list of actions": trust({"Action": ["sts:TagSession", "sts:AssumeRole"]}),
    "any action of STS": trust({"Action": "sts:*"}),
    "any action": trust({"Action": "*"}),
    "an action in other case": trust({"Action": "sts:assumerole"}),
    "an action with a wildcard": trust({"Action": "sts:Assume*"}),
    "a condition": trust({"Sid": "x", "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}),
    "the second statement": trust(EC2, {}),
    "another is denied": trust({**DENY, **EC2}, {}),
    "a statement that is no list": {"Version": "2012-10-17", "Statement": trust({})["Statement"][0]},
}
NOT_ASSUMABLE = {
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
def test_a_role_that_lambda_may_assume_is_seen_as_such_however_it_is_written(document):
    assert lets_lambda_assume(document)


@pytest.mark.parametrize("document", NOT_ASSUMABLE.values(), ids=NOT_ASSUMABLE)
def test_a_role_that_lambda_may_not_assume_is_told_apart(document):
    assert not lets_lambda_assume(document)
