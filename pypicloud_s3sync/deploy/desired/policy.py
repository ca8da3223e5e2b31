"""Build the least-privilege IAM documents for the function's role and its queue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from ...config.settings import SyncSettings
from ..models import Identity, Names

VERSION = "2012-10-17"
#: The names of pypicloud's tables, unless ``db.tablenames`` names others.
TABLES = ("DynamoPackage", "PackageSummary")
#: The name of the inline policy in the roles that this tool creates.
POLICY_NAME = "sync"
#: Lambda needs these to create and delete its network interfaces in a VPC:
#: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
VPC_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
#: Lambda needs these to poll the queue on behalf of the function, and to send it the events that failed:
#: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
#: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
QUEUE_ACTIONS = (
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
)
#: A key that is not known: a condition limits the right to one secret.
ANY_KEY = "*"
#: The ids of this tool's statements in the queue's policy.
SIDS = ("ReceiveFromBucket", "ReceiveFromRule")


def trust_policy() -> dict[str, Any]:
    """Return a trust policy that lets the Lambda service, and nothing else, assume the role."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {"Version": VERSION, "Statement": [statement]}


def lambda_may_assume(trust: Mapping[str, Any]) -> bool:
    """Return whether a trust policy allows the Lambda service to assume the role and never denies it."""
    effects = {
        statement.get("Effect")
        for statement in _listed(trust.get("Statement", []))
        if _is_lambda(statement.get("Principal", {})) and _is_assume(statement.get("Action", []))
    }
    return "Allow" in effects and "Deny" not in effects


def _is_lambda(principal: Any) -> bool:
    services = ["*"] if principal == "*" else _listed(principal.get("Service", []))
    return not {"lambda.amazonaws.com", "*"}.isdisjoint(services)


def _is_assume(actions: Any) -> bool:
    """Return whether some action is ``sts:AssumeRole``; actions ignore case and may have wildcards."""
    return any(fnmatchcase("sts:assumerole", action.lower()) for action in _listed(actions))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def role_policy(
    settings: SyncSettings,
    identity: Identity,
    region: str,
    names: Names,
    table_keys: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return a policy that allows what the function does, on the resources that it uses only.

    Parameters
    ----------
    settings : SyncSettings
    identity : Identity
    region : str
        The function's region.
    names : Names
        The log group among them exists before the function, which therefore need not create it.
    table_keys : tuple of str, optional
        The ARNs of the KMS keys that encrypt the DynamoDB tables.
    """
    bucket = f"arn:{identity.partition}:s3:::{settings.bucket}"
    queue = f"arn:{identity.partition}:sqs:{region}:{identity.account}:{names.queue}"
    logs = f"arn:{identity.partition}:logs:{region}:{identity.account}:log-group:{names.log_group}:*"
    statements = [
        allow("ReadPackages", ["s3:GetObject"], f"{bucket}/{literal(settings.prefix)}*"),
        # Without this, S3 answers 403 instead of 404 for an object that does not exist:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        allow("SeeMissingPackages", ["s3:ListBucket"], bucket),
        allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], logs),
        allow("RetryEvents", list(QUEUE_ACTIONS), queue),
    ]
    if settings.cache_backend == "dynamo":
        statements += _dynamo(settings, identity)
        if settings.reconcile_schedule is not None:
            tables = f"arn:{identity.partition}:dynamodb:{settings.db_region}:{identity.account}:table"
            found = [f"{tables}/{name}" for name in table_names(settings)]
            statements.append(allow("ListRows", ["dynamodb:DescribeTable", "dynamodb:Scan"], *found))
    statements += _secrets(settings, identity, region, names)
    if settings.vpc_subnet_ids:
        statements.append(allow("ReachVpc", list(VPC_ACTIONS), "*"))
    if table_keys:
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
        actions = ["kms:Decrypt", "kms:DescribeKey"]
        service = {"StringLike": {"kms:ViaService": f"dynamodb.{settings.db_region}.*"}}
        statements.append({**allow("UseKeyOfTables", actions, *table_keys), "Condition": service})
    return {"Version": VERSION, "Statement": statements}


def literal(text: str) -> str:
    """Escape the characters that have a meaning in the resources of a policy.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    Characters beyond U+00FF, which no policy may contain, become a wildcard:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    return re.sub(r"[^\x00-\xff]+", "*", re.sub(r"[*?$]", r"${\g<0>}", text))


def queue_policy(bucket_arn: str, rule_arn: str, queue_arn: str, account: str) -> dict[str, Any]:
    """Return a queue policy that lets only S3 and EventBridge send, for one bucket and one rule.

    Both may send with any delivery: when the delivery changes, events of the previous one still arrive. See
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html and
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    from_bucket = {"ArnEquals": {"aws:SourceArn": bucket_arn}, "StringEquals": {"aws:SourceAccount": account}}
    from_rule = {"ArnEquals": {"aws:SourceArn": rule_arn}}
    senders = (("s3.amazonaws.com", from_bucket), ("events.amazonaws.com", from_rule))
    statements = [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": condition,
        }
        for sid, (service, condition) in zip(SIDS, senders, strict=True)
    ]
    return {"Version": VERSION, "Statement": statements}


def with_foreign_statements(wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a queue policy with the statements of an existing one that this tool did not add.

    Such a statement may be a rule of the company, for example one that denies requests without TLS.
    """
    if not found:
        return dict(wanted)
    foreign = [item for item in _listed(found.get("Statement", [])) if item.get("Sid") not in SIDS]
    return {**found, "Statement": [*foreign, *wanted["Statement"]]} if foreign else dict(wanted)


def _secrets(settings: SyncSettings, identity: Identity, region: str, names: Names) -> list[dict[str, Any]]:
    """Return what the function needs to read its secrets, apart from the right to use their key."""
    if settings.keeps_parameter:
        arn = parameter_arn(names.parameter, region, identity)
        return [allow("ReadSecrets", ["ssm:GetParameter"], arn)]
    secret = settings.secret_arn
    return [] if secret is None else [allow("ReadSecrets", ["secretsmanager:GetSecretValue"], secret)]


def parameter_arn(name: str, region: str, identity: Identity) -> str:
    """Return the ARN of a parameter, whose name begins with a slash."""
    return f"arn:{identity.partition}:ssm:{region}:{identity.account}:parameter{name}"


def _dynamo(settings: SyncSettings, identity: Identity) -> list[dict[str, Any]]:
    rows, summaries = table_names(settings)
    tables = f"arn:{identity.partition}:dynamodb:{settings.db_region}:{identity.account}:table"
    return [
        # pypicloud lists all tables when it starts; ListTables does not support resource-level permissions.
        allow("FindTables", ["dynamodb:ListTables"], "*"),
        allow(
            "WriteRows",
            [
                "dynamodb:BatchGetItem",
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
            ],
            f"{tables}/{rows}",
        ),
        allow("FindRowsOfName", ["dynamodb:Query"], f"{tables}/{rows}/index/name-index"),
        allow(
            "WriteSummaries",
            [
                "dynamodb:BatchGetItem",
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
            ],
            f"{tables}/{summaries}",
        ),
    ]


def table_names(settings: SyncSettings) -> tuple[str, str]:
    """Return the names of the package and summary tables, as ``DynamoCache.configure`` and flywheel do."""
    names = settings.cache_settings.get("db.tablenames", "").split() or TABLES
    namespace = settings.cache_settings.get("db.namespace", "")
    return namespace + names[0], namespace + names[-1]


def allow(sid: str, actions: list[str], *resources: str) -> dict[str, Any]:
    """Return a statement that allows actions on resources."""
    resource = resources[0] if len(resources) == 1 else list(resources)
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
