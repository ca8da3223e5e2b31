"""Describe why the function cannot use the tables of a DynamoDB cache."""

from __future__ import annotations

from collections.abc import Iterator

from ...config.settings import SyncSettings
from ..models import CacheTables, Identity
from ..problems import SETTINGS, TABLES, Problem
from ..readers import Reader


def foreign_tables(settings: SyncSettings, identity: Identity, reader: Reader) -> Iterator[Problem]:
    """Yield the problem that the tables are in another account: the role could not name them."""
    if not settings.tables_may_be_foreign:
        return
    account = reader.account_of_tables()
    if account != identity.account:
        yield foreign_account(account, identity)


def foreign_account(account: str, identity: Identity) -> Problem:
    """Return the problem that the credentials of the tables belong to this account, not to the caller's."""
    return Problem(
        SETTINGS,
        f"db.aws_access_key_id belongs to the account {account}, but the credentials for the bucket"
        f" belong to {identity.account}",
        "the function can use the tables of its own account only, so move the tables, or use"
        " credentials of one account",
    )


def missing_tables(settings: SyncSettings, tables: CacheTables) -> Iterator[Problem]:
    """Yield the problem that tables of the DynamoDB cache do not exist."""
    if tables.missing:
        yield Problem(
            TABLES,
            f"the DynamoDB table {tables.missing[0]} does not exist in {settings.db_region}",
            "check db.region_name, db.namespace and db.tablenames; if the table was deleted, restart"
            " pypicloud, which creates its tables when it starts",
        )
