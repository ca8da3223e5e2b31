"""What there is in AWS: reads only, as the planner's values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from ...exceptions import AwsError
from ..aws import Clients
from ..aws_errors import is_missing, translated
from ..models import Desired, Function, Identity, LogGroup, Observed, Role
from ..policy import POLICY_NAME, table_names
from .delivery import DeliveryReader


class Reader:
    """Reads what a plan is made from; an absent thing is None, anything else that fails is an AwsError."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def find(self, service: str, operation: str, action: str, resource: str, **arguments: Any) -> Any | None:
        """What an operation answers; None where it says that there is no such thing.

        Parameters
        ----------
        service, operation : str
            As boto3 names them.
        action : str
            The IAM action.
        resource : str
            What it is done to, for a reader.
        """
        with translated(action, resource, self.clients.settings.endpoint_url):
            try:
                return getattr(self.clients[service], operation)(**arguments)
            except ClientError as error:
                if is_missing(error):
                    return None
                raise

    def identity(self) -> Identity:
        """The account and partition of the caller."""
        caller = self.find("sts", "get_caller_identity", "sts:GetCallerIdentity", "the caller") or {}
        return Identity(account=caller["Account"], partition=caller["Arn"].split(":")[1])

    def bucket_region(self, bucket: str, account: str) -> str | None:
        """Where a bucket is; empty where S3 does not say, None where there is no such bucket.

        S3 refuses where its owner is another account: S3 would not notify a function of ours.
        It names the region of a bucket elsewhere in a header of its refusal:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
        """
        with translated("s3:ListBucket", f"the bucket {bucket}", self.clients.settings.endpoint_url):
            try:
                response = self.clients["s3"].head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
            except ClientError as error:
                if is_missing(error):
                    return None
                region = _region_header(error.response)
                if region not in (None, self.clients.region):
                    return region
                raise
        return response.get("BucketRegion") or _region_header(response) or ""

    def missing_tables(self) -> list[str]:
        """Those of the DynamoDB cache's tables that are not there."""
        return [
            table
            for table in table_names(self.clients.settings)
            if self.find(
                *("dynamodb", "describe_table", "dynamodb:DescribeTable", f"the table {table}"),
                TableName=table,
            )
            is None
        ]

    def observe(self, desired: Desired, *, enabling: bool) -> Observed:
        """Everything that a plan is made from.

        Parameters
        ----------
        desired : Desired
            Says what ours are names, and which role was given.
        enabling : bool
            Whether it is to be there afterwards.
        """
        names, bucket = desired.names, desired.bucket
        role_arn = desired.role_arn if desired.role is None and enabling else None
        given = self.role(role_arn.rsplit("/", 1)[-1]) if role_arn else None
        function = self.function(names.function)
        return Observed(
            role=self.role(names.role),
            given_role=given if given is not None and given.arn == role_arn else None,
            log_group=self.log_group(names.log_group),
            function=function,
            statements=self.statements(names.function),
            notifications=self.notifications(bucket),
            delivery_resources=DeliveryReader(self.find).resources(desired, function, enabling=enabling),
        )

    def role(self, name: str) -> Role | None:
        """A role, with our inline policy where it has that."""
        resource = f"the role {name}"
        found = self.find("iam", "get_role", "iam:GetRole", resource, RoleName=name)
        if found is None:
            return None
        of_policy = {"RoleName": name, "PolicyName": POLICY_NAME}
        inline = self.find("iam", "get_role_policy", "iam:GetRolePolicy", resource, **of_policy)
        role = found["Role"]
        return Role(
            name=name,
            path=role["Path"],
            arn=role["Arn"],
            trust=_document(role["AssumeRolePolicyDocument"]),
            policy=_document(inline["PolicyDocument"]) if inline else None,
            boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
        )

    def function(self, name: str) -> Function | None:
        """A function, with those parts of its configuration that are ours to set."""
        found = self.find(
            *("lambda", "get_function", "lambda:GetFunction", f"the function {name}"), FunctionName=name
        )
        if found is None:
            return None
        if "TagsError" in found:
            # The tags say whose function it is: without them, ours would look like somebody else's.
            code, said = found["TagsError"]["ErrorCode"], found["TagsError"]["Message"]
            message = (
                f"{code} for lambda:ListTags on the function {name}: allow it to the caller in IAM ({said})"
            )
            raise AwsError(message, code, "lambda:ListTags")
        configuration = found["Configuration"]
        _refuse_unreadable_environment(name, configuration)
        return Function(
            name=name,
            arn=configuration["FunctionArn"],
            configuration=_settable(configuration),
            tags=found.get("Tags") or {},
            code_sha256=configuration["CodeSha256"],
            failure=_failure(configuration),
        )

    def statements(self, function: str) -> tuple[Mapping[str, Any], ...]:
        """The statements of a function's own policy."""
        found = self.find(
            *("lambda", "get_policy", "lambda:GetPolicy", f"the function {function}"), FunctionName=function
        )
        return () if found is None else tuple(json.loads(found["Policy"])["Statement"])

    def log_group(self, name: str) -> LogGroup | None:
        """A log group by its exact name."""
        resource = f"the log group {name}"
        of_prefix = {"logGroupNamePrefix": name}
        found = (
            self.find("logs", "describe_log_groups", "logs:DescribeLogGroups", resource, **of_prefix) or {}
        )
        group = next((group for group in found.get("logGroups", []) if group["logGroupName"] == name), None)
        if group is None:
            return None
        of_group = {"resourceArn": group["arn"].removesuffix(":*")}
        tags = (
            self.find("logs", "list_tags_for_resource", "logs:ListTagsForResource", resource, **of_group)
            or {}
        )
        return LogGroup(name, group.get("retentionInDays"), tags.get("tags", {}))

    def notifications(self, bucket: str) -> dict[str, Any]:
        """A bucket's whole notification configuration; none where the bucket is gone."""
        found = self.find(
            *("s3", "get_bucket_notification_configuration", "s3:GetBucketNotification"),
            f"the bucket {bucket}",
            Bucket=bucket,
        )
        return {key: value for key, value in (found or {}).items() if key != "ResponseMetadata"}


def _refuse_unreadable_environment(name: str, configuration: Mapping[str, Any]) -> None:
    """Where the caller may not decrypt it, it looks empty: what others put into it would be lost."""
    error = configuration.get("Environment", {}).get("Error")
    if error:
        code, said = error.get("ErrorCode", ""), error.get("Message", "")
        message = f"the environment of the function {name} cannot be read ({code}: {said})"
        raise AwsError(f"{message}: allow kms:Decrypt to the caller", code, "kms:Decrypt")


def _failure(configuration: Mapping[str, Any]) -> str | None:
    """Why a function cannot run, or its last update was not made."""
    if configuration.get("State") == "Failed":
        return str(configuration.get("StateReason") or "its creation failed")
    if configuration.get("LastUpdateStatus") == "Failed":
        return str(configuration.get("LastUpdateStatusReason") or "its last update failed")
    return None


def _settable(configuration: Mapping[str, Any]) -> dict[str, Any]:
    vpc = configuration.get("VpcConfig", {})
    return {
        "Description": configuration.get("Description", ""),
        "Role": configuration["Role"],
        "Runtime": configuration.get("Runtime"),
        "Handler": configuration.get("Handler"),
        "Architectures": configuration.get("Architectures", ["x86_64"]),
        "MemorySize": configuration["MemorySize"],
        "Timeout": configuration["Timeout"],
        "VpcConfig": {
            "SubnetIds": sorted(vpc.get("SubnetIds", [])),
            "SecurityGroupIds": sorted(vpc.get("SecurityGroupIds", [])),
        },
        "Environment": configuration.get("Environment", {}).get("Variables", {}),
    }


def _document(document: Any) -> dict[str, Any]:
    """An IAM document; boto3 has parsed it already, other clients leave it URL-encoded."""
    return dict(document) if isinstance(document, Mapping) else json.loads(unquote(document))


def _region_header(response: Mapping[str, Any]) -> str | None:
    region: str | None = response["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    return region
