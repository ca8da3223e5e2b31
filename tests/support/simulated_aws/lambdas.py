"""Lambda: functions, their versions and aliases, policies, and event source mappings."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from pypicloud_s3sync.config.runtimes import WITHOUT_SNAP_START
from support.fakes import refusal
from support.simulated_aws.base import Service, copied, found, refuse_existing

MISSING, CONFLICT = "ResourceNotFoundException", "ResourceConflictException"
OFF = {"ApplyOn": "None"}
CANNOT_ASSUME = "The role defined for the function cannot be assumed by Lambda."


class Lambda(Service):
    name = "lambda"
    #: How long a mapping is being deleted, in seconds.
    DELETION = 20
    #: A runtime with which functions run, but get no new code.
    BLOCKED_RUNTIME = "python3.8"

    def _function(self, name: str) -> dict[str, Any]:
        """Return a function by its name or its ARN, also by the ARN of its alias."""
        function, _, alias = name.rpartition("function:")[2].partition(":")
        known = found(self.state.functions, function, MISSING)
        if alias:
            found(known["Aliases"], alias, MISSING)
        return known

    def _policy(self, name: str, alias: str | None) -> dict[str, Any]:
        """Return what has the policy: the function, or its alias."""
        function = self._function(name)
        return function if alias is None else found(function["Aliases"], alias, MISSING)

    def _version(self, function: dict[str, Any], number: str) -> dict[str, Any]:
        return found({version["Version"]: version for version in function["Versions"]}, number, MISSING)

    def _check(self, configuration: dict[str, Any]) -> None:
        """Refuse a role that does not exist or may not send to the dead-letter target."""
        roles = {role["Arn"]: role for role in self.state.roles.values()}
        role = roles.get(configuration["Role"])
        if role is None:
            raise refusal("InvalidParameterValueException", CANNOT_ASSUME)
        if configuration.get("SnapStart", OFF) != OFF and configuration["Runtime"] in WITHOUT_SNAP_START:
            raise refusal("InvalidParameterValueException", "SnapStart is not supported for the runtime.")
        target = configuration.get("DeadLetterConfig", {}).get("TargetArn")
        if target and target not in json.dumps(role["Policies"]):
            raise refusal(
                "InvalidParameterValueException",
                "The provided execution role does not have permissions to call SendMessage on SQS",
            )

    def get_function(self, FunctionName: str, Qualifier: str | None = None) -> Any:
        function = self._function(FunctionName)
        if Qualifier is not None:
            alias = function["Aliases"].get(Qualifier, {"FunctionVersion": Qualifier})
            version = self._version(function, alias["FunctionVersion"])
            # The first look at a new version comes while Lambda takes its snapshot.
            state = version["States"].pop(0) if version["States"] else "Active"
            return {"Configuration": {**self._shown(version), "State": state}}
        return {
            "Configuration": copied(function["Configuration"]),
            "Tags": dict(function["Tags"]),
        }

    def create_function(
        self, FunctionName: str, Code: dict[str, Any], PackageType: str, Tags: dict[str, str], **more: Any
    ) -> None:
        refuse_existing(self.state.functions, FunctionName, CONFLICT)
        self._check(more)
        self.state.functions[FunctionName] = {
            "Configuration": {
                **copied(more),
                "FunctionArn": self.arn(f"function:{FunctionName}"),
                "CodeSha256": self._digest(Code),
                "PackageType": PackageType,
                "State": "Active",
                "LastUpdateStatus": "Successful",
            },
            "Tags": dict(Tags),
            "Policy": [],
            "Versions": [],
            "Aliases": {},
            "Number": 0,
        }

    def _shown(self, version: dict[str, Any]) -> dict[str, Any]:
        return {key: copied(value) for key, value in version.items() if key != "States"}

    def publish_version(self, FunctionName: str, Description: str) -> Any:
        function = self._function(FunctionName)
        content = copied(function["Configuration"])
        self._check(content)
        for version in function["Versions"][-1:]:
            # A version is published only if something has changed since the last one.
            if version["Of"] == content:
                return self._shown(version)
        function["Number"] += 1
        number = str(function["Number"])
        published = {**content, "Of": content, "Description": Description, "Version": number}
        function["Versions"].append({**published, "States": ["Pending"]})
        return self._shown(published)

    def list_versions_by_function(self, FunctionName: str, Marker: str = "") -> Any:
        """Return one version a page."""
        function = self._function(FunctionName)
        latest = {**function["Configuration"], "Version": "$LATEST"}
        pages = [latest, *function["Versions"]]
        page = int(Marker or 0)
        more = {"NextMarker": str(page + 1)} if page + 1 < len(pages) else {}
        return {"Versions": [self._shown(pages[page])], **more}

    def list_aliases(self, FunctionName: str) -> Any:
        aliases = self._function(FunctionName)["Aliases"]
        return {"Aliases": [copied({**alias, "Name": name}) for name, alias in aliases.items()]}

    def create_alias(self, FunctionName: str, Name: str, FunctionVersion: str, Description: str) -> None:
        function = self._function(FunctionName)
        self._version(function, FunctionVersion)
        refuse_existing(function["Aliases"], Name, CONFLICT)
        function["Aliases"][Name] = {"FunctionVersion": FunctionVersion, "Policy": []}

    def update_alias(self, FunctionName: str, Name: str, FunctionVersion: str, RoutingConfig: Any) -> None:
        function = self._function(FunctionName)
        self._version(function, FunctionVersion)
        found(function["Aliases"], Name, MISSING)["FunctionVersion"] = FunctionVersion
        function["Aliases"][Name].pop("RoutingConfig", None)
        if RoutingConfig["AdditionalVersionWeights"]:
            function["Aliases"][Name]["RoutingConfig"] = RoutingConfig

    def delete_alias(self, FunctionName: str, Name: str) -> None:
        # Lambda accepts the deletion of an alias that does not exist.
        self._function(FunctionName)["Aliases"].pop(Name, None)

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
        configuration |= copied(changes)

    def tag_resource(self, Resource: str, Tags: dict[str, str]) -> None:
        self._function(Resource)["Tags"] |= Tags

    def delete_function(self, FunctionName: str, Qualifier: str | None = None) -> None:
        function = self._function(FunctionName)
        if Qualifier is not None:
            version = self._version(function, Qualifier)
            if any(alias["FunctionVersion"] == Qualifier for alias in function["Aliases"].values()):
                raise refusal(CONFLICT, "The version is referenced by an alias.", 409)
            function["Versions"].remove(version)
            return
        del self.state.functions[FunctionName]

    def get_policy(self, FunctionName: str, Qualifier: str | None = None) -> Any:
        statements = self._policy(FunctionName, Qualifier)["Policy"]
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
        Qualifier: str | None = None,
    ) -> None:
        function = self._function(FunctionName)
        policy = self._policy(FunctionName, Qualifier)["Policy"]
        if any(statement["Sid"] == StatementId for statement in policy):
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
        policy.append(statement)

    def remove_permission(self, FunctionName: str, StatementId: str, Qualifier: str | None = None) -> None:
        holder = self._policy(FunctionName, Qualifier)
        kept = [statement for statement in holder["Policy"] if statement["Sid"] != StatementId]
        if len(kept) == len(holder["Policy"]):
            raise refusal(MISSING, "No policy is associated with the given resource.", 404)
        holder["Policy"] = kept

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
            **copied(configuration),
        }

    def update_event_source_mapping(
        self, UUID: str, Enabled: bool, FunctionName: str = "", **configuration: Any
    ) -> None:
        mapping = found(self._mappings(), UUID, MISSING)
        if mapping["State"] == "Deleting":
            raise refusal("ResourceInUseException", "The mapping is being deleted.")
        if FunctionName:
            self._function(FunctionName)
            mapping["FunctionArn"] = FunctionName
        mapping |= {**copied(configuration), "State": "Enabled" if Enabled else "Disabled"}

    def delete_event_source_mapping(self, UUID: str) -> None:
        mapping = found(self._mappings(), UUID, MISSING)
        if mapping["State"] == "Deleting":
            raise refusal("ResourceInUseException", "The mapping is being deleted.")
        mapping |= {"State": "Deleting", "Deleted": self.time.now}
