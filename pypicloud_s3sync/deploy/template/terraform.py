"""Write the resources of a template in Terraform's JSON syntax.

The arguments are those of https://registry.terraform.io/providers/hashicorp/aws/latest/docs, the syntax that
of https://developer.hashicorp.com/terraform/language/syntax/json.
"""

from __future__ import annotations

import json
from typing import Any

from .. import snap_start
from ..desired.policy import POLICY_NAME
from ..desired.resources import DESCRIPTION
from ..desired.tags import ROLE_TAG, SWITCH_TAG
from ..models import Queue, Role
from .resources import ACCOUNT, PARTITION, RUN_TAGS, Resources, filled

#: ``data.aws_region.current.region`` exists since this version.
PROVIDER_VERSION = ">= 6.0"
NEXT_STEP = (
    "The bucket's notifications are not part of this configuration, because other tools share them."
    " Run ppc-s3sync enable with the same settings: it adds the notification of the sync."
)


def terraform(resources: Resources) -> dict[str, Any]:
    """Return a Terraform configuration in JSON syntax."""
    return {
        "terraform": {
            "required_version": ">= 1.3",
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": PROVIDER_VERSION}},
        },
        "variable": {
            "bundle": {"type": "string", "description": "The path of the zip of ppc-s3sync bundle"},
        },
        "data": {
            "aws_caller_identity": {"current": {}},
            "aws_partition": {"current": {}},
            "aws_region": {"current": {}},
        },
        "resource": _Writer(resources).resources(),
        "output": {
            "function_arn": {"value": "${aws_lambda_function.sync.arn}"},
            "next_step": {"value": NEXT_STEP},
        },
    }


class _Writer:
    """Writes each resource; refers to another one by its address, so that it is created first."""

    def __init__(self, resources: Resources) -> None:
        self.of = resources
        self.references = {
            resources.function.arn: "${aws_lambda_function.sync.arn}",
            resources.alias_arn: "${aws_lambda_alias.sync.arn}",
            resources.queue.arn: "${aws_sqs_queue.sync.arn}",
            resources.dead_letters.arn: "${aws_sqs_queue.failed.arn}",
            **({resources.role.arn: "${aws_iam_role.sync.arn}"} if resources.role else {}),
            **(
                {resources.schedule_role.arn: "${aws_iam_role.schedule.arn}"}
                if resources.schedule_role
                else {}
            ),
        }

    def resources(self) -> dict[str, Any]:
        """Return all resources by their types and names."""
        return {
            **self._roles(),
            "aws_cloudwatch_log_group": {"sync": self._log_group()},
            "aws_sqs_queue": {
                "failed": self._queue(self.of.dead_letters),
                "sync": {
                    **self._queue(self.of.queue),
                    "lifecycle": {"ignore_changes": _tags(SWITCH_TAG)},
                },
            },
            # A resource of its own, because each queue names the other one.
            "aws_sqs_queue_redrive_allow_policy": {"failed": self._redrive_allow_policy()},
            "aws_sqs_queue_policy": {"sync": self._queue_policy()},
            "aws_lambda_function": {"sync": self._function()},
            **self._alias(),
            "aws_lambda_event_source_mapping": {"sync": self._mapping()},
            **self._rule(),
            **self._schedule(),
            **self._permission(),
        }

    def _roles(self) -> dict[str, Any]:
        found = {"sync": self.of.role, "schedule": self.of.schedule_role}
        roles = {name: role for name, role in found.items() if role is not None}
        if not roles:
            return {}
        return {
            "aws_iam_role": {name: self._role(role) for name, role in roles.items()},
            "aws_iam_role_policy": {
                name: {
                    "name": POLICY_NAME,
                    "role": f"${{aws_iam_role.{name}.name}}",
                    "policy": self._json(role.policy),
                }
                for name, role in roles.items()
            },
        }

    def _role(self, role: Role) -> dict[str, Any]:
        return {
            "name": role.name,
            "path": role.path,
            "description": role.description,
            "assume_role_policy": self._json(role.trust),
            **({"permissions_boundary": role.boundary} if role.boundary else {}),
            "tags": _texts(role.tags),
        }

    def _schedule(self) -> dict[str, Any]:
        schedule = self.of.schedule
        if schedule is None:
            return {}
        target = schedule.target
        written = {
            "name": schedule.name,
            "description": schedule.arguments["Description"],
            "schedule_expression": schedule.arguments["ScheduleExpression"],
            "state": schedule.arguments["State"],
            "flexible_time_window": {"mode": schedule.arguments["FlexibleTimeWindow"]["Mode"]},
            "target": {
                "arn": self._referring(target["Arn"]),
                "role_arn": self._referring(target["RoleArn"]),
                "input": interpolated(target["Input"]),
            },
        }
        return {"aws_scheduler_schedule": {"sync": written}}

    def _log_group(self) -> dict[str, Any]:
        group = self.of.log_group
        return {
            "name": group.name,
            "retention_in_days": group.retention_days,
            "tags": _texts(group.tags),
        }

    def _queue(self, queue: Queue) -> dict[str, Any]:
        attributes = queue.attributes
        written: dict[str, Any] = {
            "name": queue.name,
            "message_retention_seconds": int(attributes["MessageRetentionPeriod"]),
            "sqs_managed_sse_enabled": attributes["SqsManagedSseEnabled"] == "true",
        }
        if "VisibilityTimeout" in attributes:
            written["visibility_timeout_seconds"] = int(attributes["VisibilityTimeout"])
        if "RedrivePolicy" in attributes:
            written["redrive_policy"] = self._json(attributes["RedrivePolicy"])
        return {**written, "tags": _texts(queue.tags)}

    def _redrive_allow_policy(self) -> dict[str, Any]:
        document = self._json(self.of.dead_letters.attributes["RedriveAllowPolicy"])
        return {"queue_url": "${aws_sqs_queue.failed.url}", "redrive_allow_policy": document}

    def _queue_policy(self) -> dict[str, Any]:
        document = self._json(self.of.queue.attributes["Policy"])
        return {"queue_url": "${aws_sqs_queue.sync.url}", "policy": document}

    def _function(self) -> dict[str, Any]:
        function, configuration = self.of.function, self.of.function.configuration
        network = configuration["VpcConfig"]
        vpc = {"subnet_ids": network["SubnetIds"], "security_group_ids": network["SecurityGroupIds"]}
        region = self.of.region
        # Without the log group, Lambda would create one that keeps its events forever.
        depends_on = ["aws_cloudwatch_log_group.sync"]
        depends_on += ["aws_iam_role_policy.sync"] if self.of.role else []
        # By this tag, enable sees that the function had its role from the beginning.
        role_tag = {ROLE_TAG: "${aws_iam_role.sync.unique_id}"} if self.of.role else {}
        return {
            "function_name": function.name,
            "description": configuration["Description"],
            "role": self._referring(configuration["Role"]),
            "package_type": function.package,
            "filename": "${var.bundle}",
            "source_code_hash": "${filebase64sha256(var.bundle)}",
            "runtime": configuration["Runtime"],
            "handler": configuration["Handler"],
            "architectures": configuration["Architectures"],
            "memory_size": configuration["MemorySize"],
            "timeout": configuration["Timeout"],
            **({"vpc_config": vpc} if vpc["subnet_ids"] else {}),
            "dead_letter_config": {
                "target_arn": self._referring(configuration["DeadLetterConfig"]["TargetArn"])
            },
            "environment": {"variables": _texts(configuration["Environment"])},
            **self._snap_start(),
            "tags": {**_texts(function.tags), **role_tag},
            "depends_on": depends_on,
            "lifecycle": {
                # The tags that ppc-s3sync enable sets.
                "ignore_changes": _tags(*RUN_TAGS, ROLE_TAG),
                "precondition": {
                    "condition": f'${{data.aws_region.current.region == "{region}"}}',
                    "error_message": f"The bucket {self.of.bucket} is in {region}.",
                },
            },
        }

    def _snap_start(self) -> dict[str, Any]:
        if self.of.alias is None:
            return {}
        return {
            "publish": True,
            "snap_start": {"apply_on": self.of.function.configuration["SnapStart"]["ApplyOn"]},
        }

    def _alias(self) -> dict[str, Any]:
        if self.of.alias is None:
            return {}
        written = {
            "name": self.of.alias,
            "description": snap_start.ALIAS_DESCRIPTION,
            "function_name": "${aws_lambda_function.sync.function_name}",
            "function_version": "${aws_lambda_function.sync.version}",
        }
        return {"aws_lambda_alias": {"sync": written}}

    def _mapping(self) -> dict[str, Any]:
        mapping, configuration = self.of.mapping, self.of.mapping.configuration
        return {
            "event_source_arn": self._referring(mapping.queue_arn),
            "function_name": self._referring(mapping.function_arn),
            "batch_size": configuration["BatchSize"],
            "function_response_types": configuration["FunctionResponseTypes"],
            "enabled": configuration["Enabled"],
            "scaling_config": {"maximum_concurrency": configuration["ScalingConfig"]["MaximumConcurrency"]},
        }

    def _rule(self) -> dict[str, Any]:
        rule = self.of.rule
        if rule is None or rule.target is None:
            return {}
        written = {
            "name": rule.name,
            "description": DESCRIPTION,
            "event_pattern": self._json(rule.pattern),
            "state": rule.state,
            "tags": _texts(rule.tags),
            "lifecycle": {"ignore_changes": _tags(*RUN_TAGS)},
        }
        target = {
            "rule": "${aws_cloudwatch_event_rule.sync.name}",
            "target_id": rule.target["Id"],
            "arn": self._referring(rule.target["Arn"]),
        }
        return {
            "aws_cloudwatch_event_rule": {"sync": written},
            "aws_cloudwatch_event_target": {"sync": target},
        }

    def _permission(self) -> dict[str, Any]:
        permission = self.of.permission
        if permission is None:
            return {}
        written = {
            "statement_id": permission["StatementId"],
            "function_name": "${aws_lambda_function.sync.function_name}",
            "action": permission["Action"],
            "principal": permission["Principal"],
            **({"qualifier": "${aws_lambda_alias.sync.name}"} if self.of.alias else {}),
            "source_arn": self._referring(permission["SourceArn"]),
            "source_account": self._referring(permission["SourceAccount"]),
        }
        return {"aws_lambda_permission": {"sync": written}}

    def _referring(self, text: str) -> str:
        """Return a text, or the reference to a resource of the configuration whose ARN it is."""
        return self.references.get(text) or interpolated(text)

    def _json(self, document: Any) -> str:
        """Return a document as the text that an argument takes, with references to resources."""
        return json.dumps(filled(document, self._referring), sort_keys=True)


def interpolated(text: str) -> str:
    """Return a text with references in place of account and partition, and the rest taken literally."""
    # "$${" and "%%{" stand for the texts "${" and "%{".
    literal = text.replace("${", "$${").replace("%{", "%%{")
    return literal.replace(ACCOUNT, "${data.aws_caller_identity.current.account_id}").replace(
        PARTITION, "${data.aws_partition.current.partition}"
    )


def _texts(values: Any) -> Any:
    return filled(values, interpolated)


def _tags(*names: str) -> list[str]:
    return [f'tags["{name}"]' for name in names]
