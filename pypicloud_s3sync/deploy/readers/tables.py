"""Read which tables of the DynamoDB cache exist, and in which account they are."""

from __future__ import annotations

from ..policy import table_names
from .calls import Calls
from .identity import caller_identity


def account_of_tables(calls: Calls) -> str:
    """Return the account of the credentials that the settings have for the DynamoDB tables."""
    return caller_identity(Calls(calls.clients.with_credentials_of_tables())).account


def missing_tables(calls: Calls) -> list[str]:
    """Return the names of the DynamoDB cache's tables that do not exist."""
    return [
        table
        for table in table_names(calls.clients.settings)
        if calls.find("dynamodb", "describe_table", f"the table {table}", TableName=table) is None
    ]
