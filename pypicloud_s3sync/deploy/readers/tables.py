"""Read the tables of the DynamoDB cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..desired.policy import table_names
from ..models import CacheTables, TableCapacity
from .calls import Calls
from .identity import caller_identity


def account_of_tables(calls: Calls) -> str:
    """Return the account of the credentials that the settings have for the DynamoDB tables."""
    return caller_identity(Calls(calls.clients.with_credentials_of_tables())).account


def cache_tables(calls: Calls) -> CacheTables:
    """Return which tables of a DynamoDB cache exist, how they are billed, and the keys that encrypt them."""
    settings = calls.clients.settings
    if settings.cache_backend != "dynamo":
        return CacheTables()
    found = {
        table: calls.find("dynamodb", "describe_table", f"the table {table}", TableName=table)
        for table in table_names(settings)
    }
    rows = found[table_names(settings)[0]]
    descriptions = [response["Table"] for response in found.values() if response is not None]
    return CacheTables(
        missing=tuple(table for table, response in found.items() if response is None),
        # The summary is absent from a table that was always provisioned: botocore, dynamodb 2012-08-10.
        on_demand=all(
            description.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
            for description in descriptions
        ),
        keys=tuple(
            sorted(
                {
                    description["SSEDescription"]["KMSMasterKeyArn"]
                    for description in descriptions
                    if description.get("SSEDescription", {}).get("KMSMasterKeyArn")
                }
            )
        ),
        rows=None if rows is None else rows["Table"].get("ItemCount"),
        provisioned=tuple(_provisioned(descriptions)),
    )


def _provisioned(descriptions: list[Mapping[str, Any]]) -> Iterator[TableCapacity]:
    """Yield the capacity of the tables that are not on-demand, whose units are zero."""
    for description in descriptions:
        parts = [description, *description.get("GlobalSecondaryIndexes", [])]
        reads, writes = (
            min(part.get("ProvisionedThroughput", {}).get(kind, 0) for part in parts)
            for kind in ("ReadCapacityUnits", "WriteCapacityUnits")
        )
        if reads and writes:
            yield TableCapacity(description["TableName"], reads, writes)
