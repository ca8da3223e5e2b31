"""Lambda: functions, their policies, and event source mappings."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from typing import Any

from support.fakes import refusal
from support.simulated_aws.base import Service, found, refuse_existing

MISSING, CONFLICT = "ResourceNotFoundException", "ResourceConflictException"
CANNOT_ASSUME = "The role defined for the function cannot be assumed by Lambda."


class Lambda(Service):
    name = "lambda"
    #: How long a mapping is being deleted, in seconds.
    DELETION = 20
    #: A runtime with which functions run, but get no new code.
    BLOCKED_RUNTIME = "python3.8"

    def _function(self, name: str) -> dict[str, Any]:
        return found(self.state.functions, name.rpartition(":")[2], MISSING)

    def _check(self, configuration: dict[str, Any]) -> None:
        """Refuse a role that does not exist or may not send to the dead-letter target."""
        roles = {role["Arn"]: role for role in self.state.roles.values()}
        role = roles.get(configuration["Role"])
        if role is None:
            raise refusal("InvalidParameterValueException", CANNOT_ASSUME)
        target = configuration.get("DeadLetterConfig", {}).get("TargetArn")
        if target and target not in json.dumps(role["Policies"]):
            raise refusal(
                "InvalidParameterValueException",
                "The provided execution role does not have permissions to call SendMessage on SQS",
            )

    def get_function(self, FunctionName: str) -> Any:
        function = self._function(FunctionName)
        return {
            "Configuration": copy.deepcopy(function["Configuration"]),
            "Tags": dict(function["Tags"]),
        }

    def create_function(
        self, FunctionName: str, Code: dict[str, Any], PackageType: str, Tags: dict[str, str], **more: Any
    ) -> None:
        refuse_existing(self.state.functions, FunctionName, CONFLICT)
        self._check(more)
        self.state.functions[FunctionName] = {
            "Configuration": {
                **copy.deepcopy(more),
                "FunctionArn": self.arn(f"function:{FunctionName}"),
                "CodeSha256": self._digest(Code),
                "PackageType": PackageType,
                "State": "Active",
                "LastUpdateStatus": "Successful",
            },
            "Tags": dict(Tags),
            "Policy": [],
        }

    def _digest(self, code: dict[str, Any]) -> str:
        if "S3Key" in code:
            versions = self.state.buckets[code["S3Bucket"]]["versions"]
            newest = [item for item in versions if item["Key"] == code["S3Key"]][-1:]
            if not newest or newest[0]["Size"] is None:
                raise refusal("InvalidParameterValueException", "Error occurred while GetObject. NoSuchKey")
            return base64.b64encode(bytes.fromhex(code["S3Key"][-71:].partition(".")[0])).decode()
        return base64.b64encode(hashlib.sha256(code["ZipFile"]).digest()).decode()

    def update_function_code(self, FunctionName: str, Architectures: list[str], **code: Any) -> None:
        configuration = self._function(FunctionName)["Configuration"]
        if configuration["Runtime"] == self.BLOCKED_RUNTIME:
            message = f"The runtime parameter of {self.BLOCKED_RUNTIME} is no longer supported"
            raise refusal("InvalidParameterValueException", message)
        configuration |= {"CodeSha256": self._digest(code), "Architectures": Architectures}

    def update_function_configuration(self, FunctionName: str, **changes: Any) -> None:
        configuration = self._function(FunctionName)["Configuration"]
        self._check({**configuration, **changes})
        configuration |= copy.deepcopy(changes)

    def tag_resource(self, Resource: str, Tags: dict[str, str]) -> None:
        self._function(Resource)["Tags"] |= Tags

    def delete_function(self, FunctionName: str) -> None:
        self._function(FunctionName)
        del self.state.functions[FunctionName]

    def get_policy(self, FunctionName: str) -> Any:
        statements = self._function(FunctionName)["Policy"]
        if not statements:
            raise refusal(MISSING, "The resource you requested does not exist.", 404)
        return {"Policy": json.dumps({"Statement": statements})}

    def add_permission(
        self,
        FunctionName: str,
        StatementId: str,
        Action: str,
        Principal: str,
        SourceArn: str,
        SourceAccount: str,
    ) -> None:
        function = self._function(FunctionName)
        if any(statement["Sid"] == StatementId for statement in function["Policy"]):
            raise refusal(CONFLICT, "The statement id provided already exists.", 409)
        statement = {
            "Sid": StatementId,
            "Effect": "Allow",
            "Principal": {"Service": Principal},
            "Action": Action,
            "Resource": function["Configuration"]["FunctionArn"],
            "Condition": {
                "StringEquals": {"AWS:SourceAccount": SourceAccount},
                "ArnLike": {"AWS:SourceArn": SourceArn},
            },
        }
        function["Policy"].append(statement)

    def remove_permission(self, FunctionName: str, StatementId: str) -> None:
        function = self._function(FunctionName)
        kept = [statement for statement in function["Policy"] if statement["Sid"] != StatementId]
        if len(kept) == len(function["Policy"]):
            raise refusal(MISSING, "No policy is associated with the given resource.", 404)
        function["Policy"] = kept

    def _mappings(self) -> dict[str, dict[str, Any]]:
        """Return the mappings without those whose deletion has ended by now."""
        for uuid, mapping in list(self.state.mappings.items()):
            if mapping["State"] == "Deleting" and self.time.now >= mapping["Deleted"] + self.DELETION:
                del self.state.mappings[uuid]
        return self.state.mappings

    def list_event_source_mappings(self, EventSourceArn: str) -> Any:
        mappings = self._mappings().values()
        found = [dict(mapping) for mapping in mappings if mapping["EventSourceArn"] == EventSourceArn]
        return {"EventSourceMappings": found}

    def create_event_source_mapping(
        self, EventSourceArn: str, FunctionName: str, Enabled: bool, **configuration: Any
    ) -> None:
        function = self._function(FunctionName)["Configuration"]
        if EventSourceArn.rpartition(":")[2] not in self.state.queues:
            raise refusal("InvalidParameterValueException", "NonExistentQueue: the queue does not exist")
        self._check(function)
        for mapping in self._mappings().values():
            if (mapping["EventSourceArn"], mapping["FunctionArn"]) == (EventSourceArn, FunctionName):
                raise refusal(CONFLICT, f"The event source arn already exists: UUID {mapping['UUID']}", 409)
        uuid = f"00000000-0000-0000-0000-{self.state.number():012}"
        self.state.mappings[uuid] = {
            "UUID": uuid,
            "EventSourceArn": EventSourceArn,
            "FunctionArn": FunctionName,
            "State": "Enabled" if Enabled else "Disabled",
            **copy.deepcopy(configuration),
        }

    def update_event_source_mapping(self, UUID: str, Enabled: bool, **configuration: Any) -> None:
        mapping = found(self._mappings(), UUID, MISSING)
        if mapping["State"] == "Deleting":
            raise refusal("ResourceInUseException", "The mapping is being deleted.")
        mapping |= {**copy.deepcopy(configuration), "State": "Enabled" if Enabled else "Disabled"}

    def delete_event_source_mapping(self, UUID: str) -> None:
        mapping = found(self._mappings(), UUID, MISSING)
        if mapping["State"] == "Deleting":
            raise refusal("ResourceInUseException", "The mapping is being deleted.")
        mapping |= {"State": "Deleting", "Deleted": self.time.now}
