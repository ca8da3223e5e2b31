"""Read which tables of the DynamoDB cache exist."""

from __future__ import annotations

from ..policy import table_names
from .calls import Calls


def missing_tables(calls: Calls) -> list[str]:
    """Return the names of the DynamoDB cache's tables that do not exist."""
    return [
        table
        for table in table_names(calls.clients.settings)
        if calls.find("dynamodb", "describe_table", f"the table {table}", TableName=table) is None
    ]
