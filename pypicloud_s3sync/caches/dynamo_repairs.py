"""Let pypicloud rebuild a DynamoDB cache without losing its tables: a repair that ``compat`` applies.

pypicloud 1.3.12 clears its cache by deleting the tables and creating them again with the same throughput. An
on-demand table has a throughput of zero, with which no table can be created: the tables are gone. Tables with
provisioned throughput lose their encryption key, their tags and everything else. The repair can go once
pypicloud creates the tables as they were.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from pypicloud.cache import dynamo

from ..exceptions import ConflictError

LOG = logging.getLogger(__name__)
#: What an item of CreateTable's request has in common with DescribeTable's answer.
_INDEX = ("IndexName", "KeySchema", "Projection")


def apply() -> None:
    """Apply the repair."""
    dynamo.DynamoCache.clear_all = _clear_all


def _clear_all(self: Any) -> None:
    """Delete both tables, and create them as they were: billing, encryption, tags and backups included."""
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
        backups = self._read("describe_continuous_backups", TableName=name).get(
            "ContinuousBackupsDescription", {}
        )
        self.backups = backups.get("PointInTimeRecoveryDescription", {})

    def _read(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Return an answer, or an empty one if the caller may not read it."""
        try:
            answer: Mapping[str, Any] = getattr(self.client, operation)(**arguments)
        except ClientError as error:
            LOG.warning("The rebuild of %s may lose what %s returns: %s", self.name, operation, error)
            return {}
        return answer

    def complete(self) -> None:
        """Wait for the new table, and turn on its backups if they were on."""
        waiter = self.client.get_waiter("table_exists")
        waiter.wait(TableName=self.name, WaiterConfig={"Delay": 2, "MaxAttempts": 150})
        if self.backups.get("PointInTimeRecoveryStatus") == "ENABLED":
            days = self.backups.get("RecoveryPeriodInDays")
            specification = {
                "PointInTimeRecoveryEnabled": True,
                **({"RecoveryPeriodInDays": days} if days else {}),
            }
            self.client.update_continuous_backups(
                TableName=self.name, PointInTimeRecoverySpecification=specification
            )


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
