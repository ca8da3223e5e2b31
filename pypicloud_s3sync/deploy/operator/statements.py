"""Build the statements of an operator's policy, a method for each kind of task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...config.options import Delivery
from ...config.settings import SyncSettings
from .. import snap_start
from ..desired import schedule
from ..desired.policy import allow, literal, table_names
from ..desired.resources import ROLE_PATH, STAGING_PREFIX
from .scope import Patterns, Scope

#: Lambda looks at the network of a function in a VPC on behalf of the caller:
#: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
NETWORK_ACTIONS = ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs")
#: What creating, updating and deleting a role takes.
ROLE_ACTIONS = (
    *("iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy"),
    *("iam:DetachRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
    *("iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:TagRole", "iam:UpdateAssumeRolePolicy"),
)


@dataclass(frozen=True)
class Statements:
    """The statements of a policy; each method yields them in the order in which a policy lists them."""

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
        if settings.snap_start:
            actions = [
                *("lambda:GetFunction", "lambda:GetPolicy"),
                *("lambda:ListAliases", "lambda:ListVersionsByFunction"),
            ]
            yield allow("ReadVersions", actions, *self._versions)
        # Logs checks the right to list groups on all of them.
        yield allow("ReadLogGroups", ["logs:DescribeLogGroups"], scope.arn("logs", "log-group:*"))
        yield allow("ReadLogGroupTags", ["logs:ListTagsForResource"], *self._log_group)
        yield allow("ReadMetrics", ["cloudwatch:GetMetricData"], "*")
        if settings.bundle and settings.bundle.startswith("s3://"):
            bundle = literal(settings.bundle.removeprefix("s3://"))
            yield allow("ReadBundle", ["s3:GetObject"], f"arn:{scope.partition}:s3:::{bundle}")
        if settings.may_have_parameter:
            actions = ["ssm:GetParameter", "ssm:ListTagsForResource"]
            yield allow("ReadParameter", actions, *self._parameters)
            # To see its key; this action does not support resource-level permissions.
            yield allow("ReadParameters", ["ssm:DescribeParameters"], "*")
        if settings.secret_arn is not None:
            # To see its key, not its value.
            yield allow("ReadSecret", ["secretsmanager:DescribeSecret"], settings.secret_arn)
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
        actions = [
            *("s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning"),
            *("s3:GetReplicationConfiguration", "s3:ListBucket"),
        ]
        yield allow("ReadRegions", actions, f"arn:{scope.partition}:s3:::*")
        yield allow("ReadRoles", ["iam:GetRole"], scope.arn("iam", "role/*", ""))
        yield allow("ReadObjects", ["s3:GetObject"], f"{self._bucket}/{literal(settings.prefix)}*")
        given = [settings.role_arn] if settings.role_arn else self._roles
        yield allow("SimulateRole", ["iam:SimulatePrincipalPolicy"], *given)
        yield allow("InvokeFunction", ["lambda:InvokeFunction"], *self._invoked)
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
        if settings.snap_start:
            actions = [
                *(
                    "lambda:AddPermission",
                    "lambda:CreateAlias",
                    "lambda:DeleteAlias",
                    "lambda:DeleteFunction",
                ),
                *("lambda:PublishVersion", "lambda:RemovePermission", "lambda:UpdateAlias"),
            ]
            yield allow("WriteVersions", actions, *self._versions)
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
        invoked = self._invoked if settings.snap_start else self._function
        condition = {"ArnEquals": {"lambda:FunctionArn": invoked}}
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
            *("s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning"),
            *("s3:GetEncryptionConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket"),
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
    def _versions(self) -> list[str]:
        # Its versions and its aliases; Lambda's documentation leaves open which actions name the function.
        return [self._function, f"{self._function}:*"]

    @property
    def _invoked(self) -> list[str]:
        # Without the alias until enable has created it.
        alias = [snap_start.qualified(self._function)] if self.settings.snap_start else []
        return [self._function, *alias]

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
