"""Write the resources of a template as an AWS CloudFormation template.

The properties are those of https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .. import snap_start
from ..desired.policy import POLICY_NAME
from ..desired.resources import DESCRIPTION
from ..desired.tags import ROLE_TAG, tag_list
from ..models import Queue, Role
from .resources import ACCOUNT, PARTITION, Resources, filled

#: A resource that stays when it leaves the template: S3 uses it until ``enable`` changes the notification.
RETAINED = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
#: The longest key of the zip with which the description of a version has at most 256 characters.
MAX_KEY = 160
NEXT_STEP = (
    "The stack does not change the bucket's notifications, because other tools share them."
    " Run ppc-s3sync enable with the same configuration: it adds the notification of the sync."
)


def cloudformation(resources: Resources) -> dict[str, Any]:
    """Return a CloudFormation template."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{DESCRIPTION}: {resources.bucket} in {resources.region}",
        "Parameters": {
            "BundleBucket": {
                "Type": "String",
                "Description": "The bucket, in the same region, that holds the zip of ppc-s3sync bundle",
            },
            "BundleKey": {
                "Type": "String",
                "Description": "The key of the zip. A stack deploys another zip only under another key.",
                # A version's description contains it, which has at most 256 characters.
                **({"MaxLength": MAX_KEY} if resources.alias else {}),
            },
        },
        "Rules": {
            "Region": {
                "Assertions": [
                    {
                        "Assert": {"Fn::Equals": [{"Ref": "AWS::Region"}, resources.region]},
                        "AssertDescription": f"The bucket {resources.bucket} is in {resources.region}",
                    }
                ]
            }
        },
        "Resources": _Writer(resources).resources(),
        "Outputs": {
            "FunctionArn": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}},
            "NextStep": {"Value": NEXT_STEP},
        },
    }


class _Writer:
    """Writes each resource; refers to another one by its logical id, so that it is created first."""

    def __init__(self, resources: Resources) -> None:
        self.of = resources
        self.references = {
            resources.function.arn: "Function",
            resources.queue.arn: "Queue",
            resources.dead_letters.arn: "DeadLetterQueue",
            **({resources.role.arn: "Role"} if resources.role else {}),
            **({resources.schedule_role.arn: "ScheduleRole"} if resources.schedule_role else {}),
        }

    def resources(self) -> dict[str, Any]:
        """Return all resources by their logical ids."""
        written = {
            "Role": self._role(self.of.role),
            "LogGroup": self._log_group(),
            "DeadLetterQueue": self._queue(self.of.dead_letters),
            "Queue": self._queue(self.of.queue),
            "QueuePolicy": self._queue_policy(),
            "Function": self._function(),
            **self._alias(),
            "EventSourceMapping": self._mapping(),
            "Rule": self._rule(),
            "ScheduleRole": self._role(self.of.schedule_role),
            "Schedule": self._schedule(),
            "Permission": self._permission(),
        }
        return {name: resource for name, resource in written.items() if resource is not None}

    def _role(self, role: Role | None) -> dict[str, Any] | None:
        if role is None:
            return None
        boundary = {"PermissionsBoundary": role.boundary} if role.boundary else {}
        properties = {
            "RoleName": role.name,
            "Path": role.path,
            "Description": role.description,
            "AssumeRolePolicyDocument": filled(role.trust, substituted),
            "Policies": [{"PolicyName": POLICY_NAME, "PolicyDocument": self._referring(role.policy)}],
            **boundary,
            "Tags": tag_list(role.tags),
        }
        return {"Type": "AWS::IAM::Role", "Properties": properties}

    def _log_group(self) -> dict[str, Any]:
        group = self.of.log_group
        properties = {
            "LogGroupName": group.name,
            "RetentionInDays": group.retention_days,
            "Tags": tag_list(group.tags),
        }
        return {"Type": "AWS::Logs::LogGroup", "Properties": properties}

    def _queue(self, queue: Queue) -> dict[str, Any]:
        attributes = {name: value for name, value in queue.attributes.items() if name != "Policy"}
        for name in ("VisibilityTimeout", "MessageRetentionPeriod"):
            if name in attributes:
                attributes[name] = int(attributes[name])
        attributes["SqsManagedSseEnabled"] = attributes["SqsManagedSseEnabled"] == "true"
        # Each queue names the other one, so only one of them can refer to the other by its logical id.
        allowed = attributes.pop("RedriveAllowPolicy", None)
        properties = {
            "QueueName": queue.name,
            **self._referring(attributes),
            **({"RedriveAllowPolicy": filled(allowed, substituted)} if allowed else {}),
            "Tags": tag_list(queue.tags),
        }
        return {"Type": "AWS::SQS::Queue", "Properties": properties}

    def _queue_policy(self) -> dict[str, Any]:
        properties = {
            "Queues": [{"Ref": "Queue"}],
            "PolicyDocument": self._referring(self.of.queue.attributes["Policy"]),
        }
        return {"Type": "AWS::SQS::QueuePolicy", "Properties": properties}

    def _function(self) -> dict[str, Any]:
        function = self.of.function
        configuration = {**function.configuration}
        variables = configuration.pop("Environment")
        network = configuration.pop("VpcConfig")
        properties = {
            "FunctionName": function.name,
            "PackageType": function.package,
            "Code": {"S3Bucket": {"Ref": "BundleBucket"}, "S3Key": {"Ref": "BundleKey"}},
            **self._referring(configuration),
            **({"VpcConfig": network} if network["SubnetIds"] else {}),
            "Environment": {"Variables": filled(variables, substituted)},
            "Tags": [*tag_list(function.tags), *self._role_tag()],
        }
        # Without its log group, Lambda would create one that keeps its events forever.
        return {"Type": "AWS::Lambda::Function", "DependsOn": "LogGroup", "Properties": properties}

    def _role_tag(self) -> list[dict[str, Any]]:
        """Return the tag by which ``enable`` sees that the function had its role from the beginning."""
        return [{"Key": ROLE_TAG, "Value": {"Fn::GetAtt": ["Role", "RoleId"]}}] if self.of.role else []

    def _alias(self) -> dict[str, Any]:
        """Return a version of the function and the alias that points to it.

        A stack publishes another version only if it replaces the resource. The description therefore contains
        what the version freezes: the key of the zip, the id of the role, and a digest of the configuration.
        """
        if self.of.alias is None:
            return {}
        frozen = json.dumps(self._function()["Properties"], sort_keys=True)
        digest = hashlib.sha256(frozen.encode()).hexdigest()[:12]
        role = " for the role ${Role.RoleId}" if self.of.role else ""
        text = f"{snap_start.PUBLISHED}{role}: {digest} ${{BundleKey}}"
        version = {"FunctionName": {"Ref": "Function"}, "Description": {"Fn::Sub": text}}
        alias = {
            "Name": self.of.alias,
            "Description": snap_start.ALIAS_DESCRIPTION,
            "FunctionName": {"Ref": "Function"},
            "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
        }
        return {
            "Version": {"Type": "AWS::Lambda::Version", "DeletionPolicy": "Retain", "Properties": version},
            "Alias": {"Type": "AWS::Lambda::Alias", **RETAINED, "Properties": alias},
        }

    def _mapping(self) -> dict[str, Any]:
        mapping = self.of.mapping
        properties = {
            "EventSourceArn": self._referring(mapping.queue_arn),
            "FunctionName": self._referring(mapping.function_arn),
            **mapping.configuration,
        }
        return {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}

    def _rule(self) -> dict[str, Any] | None:
        rule = self.of.rule
        if rule is None:
            return None
        properties = {
            "Name": rule.name,
            "Description": DESCRIPTION,
            "EventPattern": rule.pattern,
            "State": rule.state,
            "Targets": [self._referring(rule.target)],
            "Tags": tag_list(rule.tags),
        }
        return {"Type": "AWS::Events::Rule", **RETAINED, "Properties": properties}

    def _schedule(self) -> dict[str, Any] | None:
        schedule = self.of.schedule
        if schedule is None:
            return None
        arguments = self._referring(schedule.arguments)
        return {"Type": "AWS::Scheduler::Schedule", "Properties": {"Name": schedule.name, **arguments}}

    def _permission(self) -> dict[str, Any] | None:
        """Return the permission; CloudFormation chooses the id of the statement."""
        permission = self.of.permission
        if permission is None:
            return None
        left_out = ("StatementId", "Qualifier")
        properties = {key: value for key, value in permission.items() if key not in left_out}
        properties["FunctionName"] = self.of.mapping.function_arn
        return {"Type": "AWS::Lambda::Permission", **RETAINED, "Properties": self._referring(properties)}

    def _referring(self, value: Any) -> Any:
        """Return a value with references in place of ARNs of the stack's own resources."""

        def fill(text: str) -> Any:
            if text == self.of.alias_arn:
                return {"Ref": "Alias"}
            name = self.references.get(text)
            return {"Fn::GetAtt": [name, "Arn"]} if name else substituted(text)

        return filled(value, fill)


def substituted(text: str) -> Any:
    """Return a text with CloudFormation's pseudo parameters in place of account and partition."""
    if ACCOUNT not in text and PARTITION not in text:
        return text
    # "${!x}" stands for the text "${x}", for example in a policy's resource.
    literal = text.replace("${", "${!")
    return {"Fn::Sub": literal.replace(ACCOUNT, "${AWS::AccountId}").replace(PARTITION, "${AWS::Partition}")}
