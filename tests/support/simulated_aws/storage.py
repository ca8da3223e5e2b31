"""S3, SSM, CloudWatch Logs and DynamoDB."""

from __future__ import annotations

from typing import Any

from pypicloud_s3sync.deploy.notifications import DESTINATIONS
from support.fakes import refusal
from support.replication import check
from support.simulated_aws.base import Service, copied, found, refuse_existing, tag_dict, tag_list

UNUSABLE = "Unable to validate the following destination configurations"


class DynamoDB(Service):
    name = "dynamodb"

    def describe_table(self, TableName: str) -> Any:
        return {"Table": found(self.state.tables, TableName, "ResourceNotFoundException", 400)}


class Ssm(Service):
    name = "ssm"

    def get_parameter(self, Name: str, WithDecryption: bool = False) -> Any:
        return {
            "Parameter": {
                **found(self.state.parameters, Name, "ParameterNotFound", 400),
                "ARN": self.arn(f"parameter{Name}"),
            }
        }

    def describe_parameters(self, ParameterFilters: Any) -> Any:
        ((name,),) = [condition["Values"] for condition in ParameterFilters]
        parameter = self.state.parameters.get(name)
        return {"Parameters": [] if parameter is None else [{"Name": name, **parameter["Metadata"]}]}

    def list_tags_for_resource(self, ResourceType: str, ResourceId: str) -> Any:
        return {
            "TagList": tag_list(found(self.state.parameters, ResourceId, "InvalidResourceId", 400)["Tags"])
        }

    def put_parameter(
        self,
        Name: str,
        Value: str,
        Type: str,
        Tier: str,
        KeyId: str = "alias/aws/ssm",
        Overwrite: bool = False,
        Tags: Any = None,
    ) -> None:
        if not Overwrite:
            refuse_existing(self.state.parameters, Name, "ParameterAlreadyExists", 400)
        elif Tags is not None:
            raise refusal("ValidationException", "Tags and Overwrite can't be used together.")
        tags = tag_dict(Tags or []) or self.state.parameters.get(Name, {}).get("Tags", {})
        metadata = {"KeyId": KeyId, "Tier": Tier}
        self.state.parameters[Name] = {"Value": Value, "Type": Type, "Metadata": metadata, "Tags": tags}

    def add_tags_to_resource(self, ResourceType: str, ResourceId: str, Tags: Any) -> None:
        found(self.state.parameters, ResourceId, "InvalidResourceId", 400)["Tags"] |= tag_dict(Tags)

    def delete_parameter(self, Name: str) -> None:
        found(self.state.parameters, Name, "ParameterNotFound", 400)
        del self.state.parameters[Name]


class Logs(Service):
    name = "logs"

    def _arn(self, name: str) -> str:
        return self.arn(f"log-group:{name}")

    def describe_log_groups(self, logGroupNamePrefix: str) -> Any:
        groups = [
            {"logGroupName": name, "arn": f"{self._arn(name)}:*", **group["Retention"]}
            for name, group in self.state.groups.items()
            if name.startswith(logGroupNamePrefix)
        ]
        return {"logGroups": groups}

    def _group(self, name: str) -> dict[str, Any]:
        return found(self.state.groups, name.rpartition("log-group:")[2], "ResourceNotFoundException", 400)

    def list_tags_for_resource(self, resourceArn: str) -> Any:
        return {"tags": dict(self._group(resourceArn)["Tags"])}

    def create_log_group(self, logGroupName: str, tags: dict[str, str]) -> None:
        refuse_existing(self.state.groups, logGroupName, "ResourceAlreadyExistsException", 400)
        self.state.groups[logGroupName] = {"Retention": {}, "Tags": dict(tags)}

    def put_retention_policy(self, logGroupName: str, retentionInDays: int) -> None:
        self._group(logGroupName)["Retention"] = {"retentionInDays": retentionInDays}

    def tag_resource(self, resourceArn: str, tags: dict[str, str]) -> None:
        self._group(resourceArn)["Tags"] |= tags

    def delete_log_group(self, logGroupName: str) -> None:
        self._group(logGroupName)
        del self.state.groups[logGroupName]


class S3(Service):
    """Buckets whose notifications are checked, and whose objects have versions."""

    name = "s3"

    def _bucket(self, name: str, code: str = "NoSuchBucket") -> dict[str, Any]:
        return found(self.state.buckets, name, code)

    def head_bucket(self, Bucket: str, ExpectedBucketOwner: str) -> Any:
        return {"BucketRegion": self._bucket(Bucket, "404")["Region"]}

    def get_bucket_notification_configuration(self, Bucket: str) -> Any:
        return copied(self._bucket(Bucket)["Notifications"]) | {"ResponseMetadata": {}}

    def put_bucket_notification_configuration(
        self,
        Bucket: str,
        NotificationConfiguration: dict[str, Any],
        ExpectedBucketOwner: str,
        SkipDestinationValidation: bool = False,
    ) -> None:
        bucket = self._bucket(Bucket)
        if not SkipDestinationValidation:
            self._validate(NotificationConfiguration, f"arn:aws:s3:::{Bucket}")
        bucket["Notifications"] = copied(NotificationConfiguration)

    def _validate(self, configuration: dict[str, Any], bucket_arn: str) -> None:
        for kind, field in DESTINATIONS.items():
            for entry in configuration.get(kind, []):
                if not self._may_send(entry[field], bucket_arn):
                    error = refusal("InvalidArgument", UNUSABLE)
                    details: Any = error.response["Error"]
                    details |= {"ArgumentName1": entry[field], "ArgumentValue1": "no"}
                    raise error

    def _may_send(self, destination: str, bucket_arn: str) -> bool:
        service, name = destination.split(":")[2], destination.rpartition(":")[2]
        if service == "lambda":
            # An alias has a policy of its own.
            function, _, alias = destination.partition("function:")[2].partition(":")
            known = self.state.functions.get(function, {})
            statements = (known["Aliases"].get(alias, {}) if known and alias else known).get("Policy", [])
        elif service == "sqs":
            policy = self.state.queues.get(name, {}).get("Attributes", {}).get("Policy", {})
            statements = policy.get("Statement", [])
        else:
            return True
        return any(bucket_arn in str(statement.get("Condition")) for statement in statements)

    def get_bucket_versioning(self, Bucket: str) -> Any:
        return {"Status": status} if (status := self._bucket(Bucket).get("Versioning")) else {}

    def put_bucket_versioning(
        self, Bucket: str, VersioningConfiguration: dict[str, Any], ExpectedBucketOwner: str
    ) -> None:
        self._bucket(Bucket)["Versioning"] = VersioningConfiguration["Status"]

    def get_bucket_encryption(self, Bucket: str) -> Any:
        rules = found(self._bucket(Bucket), "Encryption", "ServerSideEncryptionConfigurationNotFoundError")
        return {"ServerSideEncryptionConfiguration": copied(rules)}

    def get_object_lock_configuration(self, Bucket: str) -> Any:
        code = "ObjectLockConfigurationNotFoundError"
        return {"ObjectLockConfiguration": found(self._bucket(Bucket), "ObjectLock", code)}

    def get_bucket_replication(self, Bucket: str) -> Any:
        code = "ReplicationConfigurationNotFoundError"
        return {"ReplicationConfiguration": copied(found(self._bucket(Bucket), "Replication", code))}

    def put_bucket_replication(
        self, Bucket: str, ReplicationConfiguration: dict[str, Any], ExpectedBucketOwner: str
    ) -> None:
        check(ReplicationConfiguration["Rules"])
        names = [
            rule["Destination"]["Bucket"].rpartition(":")[2] for rule in ReplicationConfiguration["Rules"]
        ]
        for name in (Bucket, *names):
            if self._bucket(name).get("Versioning") != "Enabled":
                raise refusal("InvalidRequest", "Destination bucket must have versioning enabled.")
        self._bucket(Bucket)["Replication"] = copied(ReplicationConfiguration)

    def delete_bucket_replication(self, Bucket: str, ExpectedBucketOwner: str) -> None:
        self._bucket(Bucket).pop("Replication", None)

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> Any:
        bucket, version = self._bucket(Bucket), {"Key": Key, "Size": len(Body)}
        if not bucket["Versioned"]:
            bucket["versions"] = [item for item in bucket["versions"] if item["Key"] != Key]
        identifier = str(self.state.number()) if bucket["Versioned"] else "null"
        bucket["versions"].append({**version, "VersionId": identifier})
        return {"VersionId": identifier} if bucket["Versioned"] else {}

    def list_object_versions(self, Bucket: str, Prefix: str) -> Any:
        versions = [item for item in self._bucket(Bucket)["versions"] if item["Key"].startswith(Prefix)]
        return {
            "Versions": [item for item in versions if item["Size"] is not None],
            "DeleteMarkers": [item for item in versions if item["Size"] is None],
            "IsTruncated": False,
        }

    def delete_object(self, Bucket: str, Key: str, VersionId: str | None = None) -> Any:
        bucket = self._bucket(Bucket)
        if VersionId is None and bucket["Versioned"]:
            marker = {"Key": Key, "Size": None, "VersionId": str(self.state.number())}
            bucket["versions"].append(marker)
            return
        bucket["versions"] = [
            item
            for item in bucket["versions"]
            if (item["Key"], item["VersionId"]) != (Key, VersionId or "null")
        ]
