"""Let pypicloud's server replace a row in DynamoDB only if it has not changed since it was read.

The condition is that of the function's own transactions; the summary is written as pypicloud writes it.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from botocore.exceptions import ClientError
from pypicloud.cache.dynamo import DynamoCache, DynamoPackage, PackageSummary

from .dynamo_tables import DynamoTables, throttled
from .key_repairs import REPLACE, Choose

LOG = logging.getLogger(__name__)


def apply() -> None:
    """Add the method."""
    setattr(DynamoCache, REPLACE, _replace)


def _replace(self: Any, package: Any, choose: Choose) -> bool:
    """Replace the row of a package, by a consistent read: pypicloud's own may return an older row."""
    filename, tables = package.filename, DynamoTables(self.engine, time.sleep)
    items, _ = tables.get({filename}, set())
    if filename not in items:
        raise throttled("BatchGetItem did not return the item")
    item = items[filename]
    row = tables.load(DynamoPackage, item)
    wanted = choose(row)
    try:
        if (item or wanted) and not tables.transact([tables.replacement(filename, item, wanted)]):
            return False
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "AccessDeniedException":
            raise
        _replace_unconditionally(self, package, wanted, error)
    if wanted is not None:
        self.engine.save(PackageSummary(wanted), overwrite=True)
    names = {known.name for known in (package, row) if known is not None}
    for name in names - {getattr(wanted, "name", None)}:
        self._maybe_delete_summary(name)
    return True


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
