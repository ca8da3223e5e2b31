"""Let pypicloud's server replace a row in DynamoDB only if it has not changed since it was read.

The condition is that of the function's own transactions; the summary is written as pypicloud writes it.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from botocore.exceptions import ClientError
from pypicloud.cache.dynamo import DynamoCache, DynamoPackage, PackageSummary

from ..exceptions import UnreachableError
from .dynamo_client import is_throttled
from .dynamo_tables import DynamoTables
from .key_repairs import Choose, unused_names
from .transactions import Item

LOG = logging.getLogger(__name__)
CACHE = DynamoCache


def fetch_now(cache: Any, filename: str) -> Any | None:
    """Return a row by a consistent read: ``fetch`` may return an older one."""
    return cache.engine.get(DynamoPackage, filename=filename, consistent=True)


def replace(cache: Any, package: Any, choose: Choose) -> bool:
    """Replace the row of a package; return False if it has changed since it was read.

    Raises
    ------
    UnreachableError
        If DynamoDB throttles the table of packages. Nothing has been written.
    """
    filename, tables = package.filename, DynamoTables(cache.engine, time.sleep)
    item = _read(tables, filename)
    row = tables.load(DynamoPackage, item)
    wanted = choose(row)
    try:
        if (item or wanted) and not tables.transact([tables.replacement(filename, item, wanted)]):
            return False
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "AccessDeniedException":
            raise
        _replace_unconditionally(cache, package, wanted, error)
    if wanted is not None:
        cache.engine.save(PackageSummary(wanted), overwrite=True)
    for name in unused_names(package, row, wanted):
        cache._maybe_delete_summary(name)
    return True


def _read(tables: DynamoTables, filename: str) -> Item | None:
    """Return an item by a consistent read, or None if it does not exist."""
    try:
        items, _ = tables.get({filename}, set())
    except ClientError as error:
        if is_throttled(error):
            raise UnreachableError(str(error)) from error
        raise
    if filename not in items:
        raise UnreachableError("DynamoDB did not return the item: it has no capacity left")
    item: Item | None = items[filename]
    return item


def _replace_unconditionally(cache: Any, package: Any, wanted: Any | None, error: ClientError) -> None:
    """Write a row as pypicloud does. The permissions in its documents do not allow conditional deletions."""
    LOG.warning(
        "%s: allow the server dynamodb:PutItem and dynamodb:DeleteItem, or a key of %s that the function adds"
        " at the same time may be lost",
        error,
        package.filename,
    )
    if wanted is None:
        cache.engine.delete(package)
    else:
        cache.engine.save(wanted, overwrite=True)
