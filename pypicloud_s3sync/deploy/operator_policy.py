"""Build the least IAM policy of an operator, who runs the commands or whose server shows the admin UI.

Statements whose ``Sid`` begins with ``Read`` change nothing. Nothing here calls AWS: an administrator can
print the policy before the operator has any credentials.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from ..config.options import Delivery
from ..config.partitions import partition_of
from ..config.settings import SyncSettings
from ..exceptions import AwsError
from . import schedule
from .desired import (
    PARAMETER_PATH,
    PREFIX_OF_LONG,
    REPLICATION,
    ROLE_PATH,
    STAGING_PREFIX,
    replication_role_name,
    resource_names,
)
from .models import Identity
from .policy import VERSION, allow, literal, table_names

#: Stands for an account or a region that is not known; IAM allows it in that part of an ARN:
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
ANY = "*"
#: Lambda looks at the network of a function in a VPC on behalf of the caller:
#: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
NETWORK_ACTIONS = ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs")
#: What creating, updating and deleting a role takes.
ROLE_ACTIONS = (
    *("iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy"),
    *("iam:DetachRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
    *("iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:TagRole", "iam:UpdateAssumeRolePolicy"),
)


class Purpose(enum.StrEnum):
    """A task of an operator, which needs rights of its own."""

    #: ``plan``, ``enable``, ``status``, ``doctor``, ``replay`` and ``disable``, on the command line or in the
    #: admin UI.
    ENABLE = "enable"
    #: ``plan``, ``status`` and ``doctor``.
    STATUS = "status"
    #: All that the admin UI shows.
    PANEL = "panel"
    #: ``replicate``, for the bucket of these settings; each bucket needs such a policy.
    REPLICATE = "replicate"
    #: ``compare`` and ``wait``.
    COMPARE = "compare"


@dataclass(frozen=True)
class Scope:
    """The place that a policy is for.

    Parameters
    ----------
    partition : str
    account, region : str
        :data:`ANY` if it is not known.
    """

    partition: str
    account: str
    region: str

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        """Return the ARN of a resource in the account and a region, by default the scope's."""
        region = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"


@dataclass(frozen=True)
class Patterns:
    """The names of the resources that contain function, region and bucket, or patterns of these names."""

    roles: tuple[str, ...]
    queues: tuple[str, ...]
    rules: tuple[str, ...]
    parameters: tuple[str, ...]
    replication_roles: tuple[str, ...] = (f"{REPLICATION}-*",)
    schedules: tuple[str, ...] = ()
    schedule_roles: tuple[str, ...] = ()

    @classmethod
    def exact(cls, settings: SyncSettings, region: str) -> Patterns:
        """Return the names in a region."""
        names = resource_names(settings, region)
        queues = names.queue, names.dead_letters
        roles, replication_role = (
            (names.role, names.spare_role),
            replication_role_name(settings.bucket, region),
        )
        schedules = (names.schedule,), (names.schedule_role,)
        return cls(roles, queues, (names.rule,), (names.parameter,), (replication_role,), *schedules)

    @classmethod
    def of_function(cls, function: str) -> Patterns:
        """Return patterns for the names in any region and for any bucket."""
        either = f"{function}-*", f"{PREFIX_OF_LONG}-*"
        parameters = (f"{PARAMETER_PATH}{function}-*",)
        queues = f"{function}-*", f"failed-{function}-*"
        return cls(either, queues, either, parameters, schedules=either, schedule_roles=either)


def operator_policy(
    settings: SyncSettings,
    purposes: Collection[Purpose],
    scope: Scope,
    patterns: Patterns | None = None,
) -> dict[str, Any]:
    """Return the least policy for some purposes.

    Parameters
    ----------
    settings : SyncSettings
        The function, the bucket, the tables, and the features that need rights.
    purposes : collection of Purpose
    scope : Scope
    patterns : Patterns, optional
        The names of resources. The default is exact names if the region is known.
    """
    if patterns is None:
        known = scope.region != ANY
        patterns = (
            Patterns.exact(settings, scope.region) if known else Patterns.of_function(settings.function_name)
        )
    statements = _Statements(settings, scope, patterns)
    # These need nothing of a function.
    alone = {Purpose.REPLICATE, Purpose.COMPARE}
    chosen = [] if alone.issuperset(purposes) else [*statements.reading()]
    if Purpose.PANEL in purposes:
        chosen += statements.reading_the_log()
    if not {Purpose.ENABLE, Purpose.STATUS}.isdisjoint(purposes):
        chosen += statements.examining()
    if Purpose.ENABLE in purposes:
        chosen += [*statements.writing(), *statements.reconciling(), *statements.replaying()]
    if Purpose.COMPARE in purposes:
        chosen += statements.comparing()
    if Purpose.REPLICATE in purposes:
        chosen += [*statements.reading_replication(), *statements.writing_replication()]
    # Two purposes may need the same statement, whose id must be unique.
    return {"Version": VERSION, "Statement": list({each["Sid"]: each for each in chosen}.values())}


@dataclass(frozen=True)
class _Statements:
    """The statements of a policy, in the order in which a policy lists them."""

    settings: SyncSettings
    scope: Scope
    patterns: Patterns

    def reading(self) -> Iterator[dict[str, Any]]:
        """Yield what ``plan`` and ``status`` need."""
        scope, settings = self.scope, self.settings
        actions = ["s3:GetBucketNotification", "s3:ListBucket", "s3:ListBucketVersions"]
        yield allow("ReadBucket", actions, self._bucket)
        if settings.cache_backend == "dynamo" and settings.db_credentials is None:
            yield allow("ReadTables", ["dynamodb:DescribeTable"], *self._tables)
        # IAM names a role that does not exist without its path.
        nameless = [scope.arn("iam", f"role/{name}", "") for name in self.patterns.roles]
        given = [settings.role_arn] if settings.role_arn else []
        yield allow("ReadRole", ["iam:GetRole", "iam:GetRolePolicy"], *self._roles, *nameless, *given)
        actions = ["lambda:GetFunction", "lambda:GetPolicy", "lambda:ListTags"]
        yield allow("ReadFunction", actions, self._function)
        # Logs checks the right to list groups on all of them.
        yield allow("ReadLogGroups", ["logs:DescribeLogGroups"], scope.arn("logs", "log-group:*"))
        yield allow("ReadLogGroupTags", ["logs:ListTagsForResource"], *self._log_group)
        yield allow("ReadMetrics", ["cloudwatch:GetMetricData"], "*")
        if settings.bundle and settings.bundle.startswith("s3://"):
            bundle = settings.bundle.removeprefix("s3://")
            yield allow("ReadBundle", ["s3:GetObject"], f"arn:{scope.partition}:s3:::{bundle}")
        if settings.may_have_parameter:
            actions = ["ssm:GetParameter", "ssm:ListTagsForResource"]
            yield allow("ReadParameter", actions, *self._parameters)
        actions = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]
        yield allow("ReadQueues", actions, *self._queues)
        yield allow("ReadMappings", ["lambda:ListEventSourceMappings"], "*")
        if settings.reconcile_schedule is not None:
            yield allow("ReadSchedule", ["scheduler:GetSchedule"], *self._schedules)
            names = [scope.arn("iam", f"role/{name}", "") for name in self.patterns.schedule_roles]
            actions = ["iam:GetRole", "iam:GetRolePolicy"]
            yield allow("ReadScheduleRole", actions, *self._schedule_roles, *names)
        if settings.delivery is Delivery.EVENTBRIDGE:
            actions = ["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"]
            yield allow("ReadRule", actions, *self._rules)
            yield allow("ReadRules", ["events:ListRules"], "*")

    def reading_the_log(self) -> Iterator[dict[str, Any]]:
        """Yield what the admin UI needs to show the packages that were synced last."""
        yield allow("ReadLog", ["logs:FilterLogEvents"], *self._log_group)

    def examining(self) -> Iterator[dict[str, Any]]:
        """Yield what ``doctor`` needs besides; its canary needs the rights of an upload as well."""
        scope, settings = self.scope, self.settings
        yield allow("ReadEncryption", ["s3:GetEncryptionConfiguration"], self._bucket)
        # The settings name neither the buckets of the other regions nor the role that S3 replicates with.
        actions = ["s3:GetBucketVersioning", "s3:GetReplicationConfiguration"]
        yield allow("ReadRegions", [*actions, "s3:ListBucket"], f"arn:{scope.partition}:s3:::*")
        yield allow("ReadRoles", ["iam:GetRole"], scope.arn("iam", "role/*", ""))
        yield allow("ReadObjects", ["s3:GetObject"], f"{self._bucket}/{literal(settings.prefix)}*")
        given = [settings.role_arn] if settings.role_arn else self._roles
        yield allow("SimulateRole", ["iam:SimulatePrincipalPolicy"], *given)
        yield allow("InvokeFunction", ["lambda:InvokeFunction"], self._function)
        if settings.cache_backend != "dynamo" or settings.db_credentials is not None:
            return
        yield allow("ReadRows", ["dynamodb:BatchGetItem"], *self._tables)
        yield allow("FindTables", ["dynamodb:ListTables"], "*")
        yield allow("ReadScaling", ["application-autoscaling:DescribeScalableTargets"], "*")

    def writing(self) -> Iterator[dict[str, Any]]:
        """Yield what ``enable`` and ``disable`` need."""
        settings = self.settings
        yield allow("WriteNotification", ["s3:PutBucketNotification"], self._bucket)
        yield from self._writing_the_role()
        yield allow(
            "WriteFunction",
            [
                *("lambda:AddPermission", "lambda:CreateFunction", "lambda:DeleteFunction"),
                *("lambda:RemovePermission", "lambda:TagResource", "lambda:UpdateFunctionCode"),
                "lambda:UpdateFunctionConfiguration",
            ],
            self._function,
        )
        actions = [
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
        ]
        yield allow("WriteLogGroup", actions, *self._log_group)
        actions = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"]
        yield allow("UploadLargeBundle", actions, f"{self._bucket}/{STAGING_PREFIX}*")
        if settings.vpc_subnet_ids:
            yield allow("DescribeNetwork", list(NETWORK_ACTIONS), "*")
        if settings.may_have_parameter:
            actions = ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter"]
            yield allow("WriteParameter", actions, *self._parameters)
        actions = ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue"]
        yield allow("WriteQueues", actions, *self._queues)
        actions = [f"lambda:{verb}EventSourceMapping" for verb in ("Create", "Delete", "Update")]
        condition = {"ArnEquals": {"lambda:FunctionArn": self._function}}
        yield {**allow("WriteMapping", actions, "*"), "Condition": condition}
        if settings.reconcile_schedule is not None:
            actions = [f"scheduler:{verb}Schedule" for verb in ("Create", "Delete", "Update")]
            yield allow("WriteSchedule", actions, *self._schedules)
            yield allow("WriteScheduleRole", list(ROLE_ACTIONS), *self._schedule_roles)
            passing = allow("PassRoleToScheduler", ["iam:PassRole"], *self._schedule_roles)
            service = {"StringEquals": {"iam:PassedToService": schedule.SERVICE}}
            yield {**passing, "Condition": service}
        if settings.delivery is Delivery.EVENTBRIDGE:
            actions = ["DeleteRule", "PutRule", "PutTargets", "RemoveTargets", "TagResource"]
            yield allow("WriteRule", [f"events:{action}" for action in actions], *self._rules)

    def reconciling(self) -> Iterator[dict[str, Any]]:
        """Yield what ``reconcile`` needs besides, with which ``enable`` ends."""
        yield allow("FanOut", ["sqs:SendMessage"], self._queues[0])
        actions = ["BatchGetItem", "ConditionCheckItem", "DeleteItem", "PutItem", "Query", "Scan"]
        yield from self._using_rows("ReconcileRows", actions)

    def comparing(self) -> Iterator[dict[str, Any]]:
        """Yield what ``compare`` and ``wait`` need."""
        yield allow("ListPackages", ["s3:ListBucket"], self._bucket)
        yield allow("LookAtPackages", ["s3:GetObject"], self._packages)
        yield from self._using_rows("ReadRows", ["BatchGetItem", "DescribeTable", "Query", "Scan"])

    def _using_rows(self, sid: str, actions: list[str]) -> Iterator[dict[str, Any]]:
        """Yield what uses the tables of a DynamoDB cache with the operator's credentials."""
        settings = self.settings
        if settings.cache_backend != "dynamo" or settings.db_credentials is not None:
            return
        rows, summaries = self._tables
        tables = rows, f"{rows}/index/*", summaries
        yield allow(sid, [f"dynamodb:{action}" for action in actions], *tables)
        yield allow("FindTables", ["dynamodb:ListTables"], "*")

    def replaying(self) -> Iterator[dict[str, Any]]:
        """Yield what ``replay`` needs besides."""
        actions = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"]
        yield allow("ReplayFailedEvents", actions, self._queues[-1])

    def reading_replication(self) -> Iterator[dict[str, Any]]:
        """Yield what ``replicate --plan`` needs."""
        actions = [
            *("s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:GetReplicationConfiguration"),
            "s3:ListBucket",
        ]
        yield allow("ReadReplication", actions, self._bucket)
        # IAM names a role that does not exist without its path.
        nameless = [self.scope.arn("iam", f"role/{name}", "") for name in self.patterns.replication_roles]
        actions = ["iam:GetRole", "iam:GetRolePolicy"]
        yield allow("ReadReplicationRole", actions, *self._replication_roles, *nameless)

    def writing_replication(self) -> Iterator[dict[str, Any]]:
        """Yield what ``replicate`` needs; removing the rules needs the same right as changing them."""
        actions = ["s3:PutBucketVersioning", "s3:PutReplicationConfiguration"]
        yield allow("WriteReplication", actions, self._bucket)
        yield allow("WriteReplicationRole", list(ROLE_ACTIONS), *self._replication_roles)
        passing = allow("PassRoleToS3", ["iam:PassRole"], *self._replication_roles)
        yield {**passing, "Condition": {"StringEquals": {"iam:PassedToService": "s3.amazonaws.com"}}}

    def _writing_the_role(self) -> Iterator[dict[str, Any]]:
        """Yield what the function's role needs; a role that the settings name is only passed to Lambda."""
        given = self.settings.role_arn
        if given is None:
            yield allow("WriteRole", list(ROLE_ACTIONS), *self._roles)
        passing = allow("PassRoleToLambda", ["iam:PassRole"], *([given] if given else self._roles))
        yield {**passing, "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}

    @property
    def _bucket(self) -> str:
        return f"arn:{self.scope.partition}:s3:::{self.settings.bucket}"

    @property
    def _packages(self) -> str:
        return f"{self._bucket}/{literal(self.settings.prefix)}*"

    @property
    def _tables(self) -> list[str]:
        settings = self.settings
        names = table_names(settings)
        return [self.scope.arn("dynamodb", f"table/{name}", settings.db_region) for name in names]

    @property
    def _function(self) -> str:
        return self.scope.arn("lambda", f"function:{self.settings.function_name}")

    @property
    def _roles(self) -> list[str]:
        return [self.scope.arn("iam", f"role{ROLE_PATH}{name}", "") for name in self.patterns.roles]

    @property
    def _replication_roles(self) -> list[str]:
        names = self.patterns.replication_roles
        return [self.scope.arn("iam", f"role{ROLE_PATH}{name}", "") for name in names]

    @property
    def _log_group(self) -> list[str]:
        # The actions differ in whether they name the group with ":*".
        group = self.scope.arn("logs", f"log-group:/aws/lambda/{self.settings.function_name}")
        return [group, f"{group}:*"]

    @property
    def _queues(self) -> list[str]:
        return [self.scope.arn("sqs", name) for name in self.patterns.queues]

    @property
    def _parameters(self) -> list[str]:
        return [self.scope.arn("ssm", f"parameter{name}") for name in self.patterns.parameters]

    @property
    def _schedule_roles(self) -> list[str]:
        names = self.patterns.schedule_roles
        return [self.scope.arn("iam", f"role{ROLE_PATH}{name}", "") for name in names]

    @property
    def _schedules(self) -> list[str]:
        names = self.patterns.schedules
        return [self.scope.arn("scheduler", f"schedule/{schedule.GROUP}/{name}") for name in names]

    @property
    def _rules(self) -> list[str]:
        return [self.scope.arn("events", f"rule/{name}") for name in self.patterns.rules]


def scope_of(settings: SyncSettings, account: str | None) -> Scope:
    """Return the account, the region and the partition, as far as the settings tell them.

    Parameters
    ----------
    settings : SyncSettings
    account : str, optional
        The account, if it is known. That of a role in the settings is the operator's too: nobody can pass a
        role of another account to Lambda.
    """
    of_role = settings.role_arn.split(":")[4] if settings.role_arn else None
    partition = partition_of(settings.likely_region or "")
    return Scope(partition.name if partition else "aws", account or of_role or ANY, settings.region or ANY)


def policy_for_reading(
    settings: SyncSettings,
    identity: Identity,
    region: str,
    error: AwsError,
    purposes: Collection[Purpose] = (Purpose.PANEL,),
) -> dict[str, Any]:
    """Return all rights that reading needs, and what a denial names besides, for example ``kms:Decrypt``.

    If KMS does not name the key, it is one of the account and the region.
    """
    scope = Scope(identity.partition, identity.account, region)
    policy = operator_policy(settings, purposes, scope)
    reading = [statement for statement in policy["Statement"] if statement["Sid"].startswith("Read")]
    policy = {**policy, "Statement": reading}
    if any(error.action in statement["Action"] for statement in policy["Statement"]):
        return policy
    unnamed = scope.arn("kms", "key/*") if error.action.startswith("kms:") else "*"
    also = {"Effect": "Allow", "Action": [error.action], "Resource": [error.resource or unnamed]}
    return {**policy, "Statement": [*policy["Statement"], also]}
