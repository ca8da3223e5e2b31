"""Patch pypicloud so that it creates the tables of a DynamoDB cache once, and rebuilds them as they were.

:mod:`pypicloud_s3sync.compat` applies the patches.

If several workers start and no table exists, each of them creates it. DynamoDB refuses all but the first, and
pypicloud 1.3.12 then does not start. The repair can go once pypicloud waits for the other worker's table.

To rebuild its cache, pypicloud 1.3.12 deletes the tables and creates them again with the same throughput. An
on-demand table has a throughput of zero, with which no table can be created: the tables are gone. Tables with
provisioned throughput lose their encryption key, their tags and everything else. The repair can go once
pypicloud creates the tables as they were.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html

Auto scaling needs no repair: its targets, policies and alarms have the name of the table, and AWS keeps them.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.HowTo.SDK.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError
from dynamo3 import DynamoDBConnection, DynamoDBError
from pypicloud.cache import dynamo

from ..exceptions import ConflictError

LOG = logging.getLogger(__name__)
#: What an item of CreateTable's request has in common with DescribeTable's answer.
_INDEX = ("IndexName", "KeySchema", "Projection")
#: An operation of the client, and its arguments.
_Call = tuple[str, dict[str, Any]]


def apply() -> None:
    """Apply the repairs."""
    dynamo.DynamoCache.clear_all = _clear_all
    dynamo.DynamoDBConnection = _Connection


class _Connection(DynamoDBConnection):  # type: ignore[misc]
    """A connection for which a table that another worker has just created is no error."""

    def create_table(self, tablename: str, *args: Any, **kwargs: Any) -> Any:
        """Create a table; flywheel then waits until it is active."""
        try:
            return super().create_table(tablename, *args, **kwargs)
        except DynamoDBError as error:
            if error.kwargs.get("Code") != "ResourceInUseException":
                raise
            LOG.info("Another process has created the DynamoDB table %s", tablename)


def _clear_all(self: Any) -> None:
    """Delete both tables, and create them as they were, with all that was set on them."""
    client = self.engine.dynamo.client
    models = dynamo.DynamoPackage, dynamo.PackageSummary
    names = [model.meta_.ddb_tablename(self.engine.namespace) for model in models]
    # Everything is read before anything is deleted.
    tables = [_Table(client, name) for name in names]
    for name in names:
        client.delete_table(TableName=name)
    for name in names:
        client.get_waiter("table_not_exists").wait(
            TableName=name, WaiterConfig={"Delay": 2, "MaxAttempts": 150}
        )
    for table in tables:
        client.create_table(**table.request)
    for table in tables:
        table.complete()


class _Table:
    """A table as it is before it is deleted."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name
        described = client.describe_table(TableName=name)["Table"]
        if described.get("DeletionProtectionEnabled") or described.get("Replicas"):
            raise ConflictError(
                f"the DynamoDB table {name} is protected against deletion or has replicas, so it cannot be"
                " rebuilt: run ppc-s3sync reconcile"
            )
        self.request = create_request(described)
        tags = self._read("list_tags_of_resource", ResourceArn=described["TableArn"]).get("Tags")
        if tags:
            self.request["Tags"] = tags
        #: The calls that set what CreateTable does not take.
        self.calls = [
            *self._of_policy(described["TableArn"]),
            *self._of_backups(),
            *self._of_time_to_live(),
            *self._of_kinesis(),
        ]

    def _of_policy(self, arn: str) -> Iterator[_Call]:
        policy = self._read("get_resource_policy", ResourceArn=arn).get("Policy")
        if policy:
            # The same policy had been confirmed, if it does not allow its own change.
            arguments = {"ResourceArn": arn, "Policy": policy, "ConfirmRemoveSelfResourceAccess": True}
            yield "put_resource_policy", arguments

    def _of_backups(self) -> Iterator[_Call]:
        answer = self._read("describe_continuous_backups", TableName=self.name)
        backups = answer.get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
        if backups.get("PointInTimeRecoveryStatus") == "ENABLED":
            days = backups.get("RecoveryPeriodInDays")
            specification = {
                "PointInTimeRecoveryEnabled": True,
                **({"RecoveryPeriodInDays": days} if days else {}),
            }
            arguments = {"TableName": self.name, "PointInTimeRecoverySpecification": specification}
            yield "update_continuous_backups", arguments

    def _of_time_to_live(self) -> Iterator[_Call]:
        found = self._read("describe_time_to_live", TableName=self.name).get("TimeToLiveDescription", {})
        if found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
            specification = {"Enabled": True, "AttributeName": found["AttributeName"]}
            yield (
                "update_time_to_live",
                {"TableName": self.name, "TimeToLiveSpecification": specification},
            )

    def _of_kinesis(self) -> Iterator[_Call]:
        answer = self._read("describe_kinesis_streaming_destination", TableName=self.name)
        for stream in answer.get("KinesisDataStreamDestinations", []):
            if stream["DestinationStatus"] not in ("ACTIVE", "ENABLING", "UPDATING"):
                continue
            arguments: dict[str, Any] = {"TableName": self.name, "StreamArn": stream["StreamArn"]}
            precision = stream.get("ApproximateCreationDateTimePrecision")
            if precision:
                configuration = {"ApproximateCreationDateTimePrecision": precision}
                arguments["EnableKinesisStreamingConfiguration"] = configuration
            yield "enable_kinesis_streaming_destination", arguments

    def _read(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Return an answer, or an empty one if there is nothing, or it cannot be read."""
        method = getattr(self.client, operation, None)
        if method is None:
            reason = "this version of botocore does not know it"
            LOG.warning("The rebuild of %s may lose what %s returns: %s", self.name, operation, reason)
            return {}
        try:
            answer: Mapping[str, Any] = method(**arguments)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "PolicyNotFoundException":
                LOG.warning("The rebuild of %s may lose what %s returns: %s", self.name, operation, error)
            return {}
        return answer

    def complete(self) -> None:
        """Wait for the new table, and set what CreateTable does not take.

        The packages are more important: what cannot be set is logged, so that someone else can set it.
        """
        waiter = self.client.get_waiter("table_exists")
        waiter.wait(TableName=self.name, WaiterConfig={"Delay": 2, "MaxAttempts": 150})
        for operation, arguments in self.calls:
            try:
                getattr(self.client, operation)(**arguments)
            except ClientError as error:
                call = f"{operation} {json.dumps(arguments)}"
                LOG.error("The rebuild of %s could not repeat %s: %s", self.name, call, error)


def create_request(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of CreateTable for a table that DescribeTable has described."""
    on_demand = table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    request = {
        **{name: table[name] for name in ("TableName", "AttributeDefinitions", "KeySchema")},
        "BillingMode": "PAY_PER_REQUEST" if on_demand else "PROVISIONED",
        **_capacity(table, on_demand),
    }
    indexes = [
        {**{name: index[name] for name in _INDEX}, **_capacity(index, on_demand)}
        for index in table.get("GlobalSecondaryIndexes", [])
    ]
    if indexes:
        request["GlobalSecondaryIndexes"] = indexes
    encryption = table.get("SSEDescription", {})
    if encryption.get("Status") in ("ENABLED", "UPDATING"):
        request["SSESpecification"] = {
            "Enabled": True,
            "SSEType": encryption["SSEType"],
            "KMSMasterKeyId": encryption["KMSMasterKeyArn"],
        }
    if table.get("StreamSpecification", {}).get("StreamEnabled"):
        request["StreamSpecification"] = table["StreamSpecification"]
    if "TableClass" in table.get("TableClassSummary", {}):
        request["TableClass"] = table["TableClassSummary"]["TableClass"]
    return request


def _capacity(described: Mapping[str, Any], on_demand: bool) -> dict[str, Any]:
    if on_demand:
        limits = described.get("OnDemandThroughput")
        return {"OnDemandThroughput": limits} if limits else {}
    throughput = described["ProvisionedThroughput"]
    return {
        "ProvisionedThroughput": {
            name: throughput[name] for name in ("ReadCapacityUnits", "WriteCapacityUnits")
        }
    }
