"""Define the name of the test package of ``ppc-s3sync doctor --canary``, which no list of projects shows.

The cache has a row for it, so that it can be seen to arrive. But the function adds no summary for its name to
DynamoDB, and does not add the name to Redis' list, so nobody finds it; the server's queries of an SQL cache
leave it out (:mod:`.sql_repairs`).
"""

from __future__ import annotations

import re

#: The normalized name.
NAME = "pypicloud-s3sync-canary"
#: The versions are numbers below 1.
_FILENAME = re.compile(rf"{NAME}-0[\d.]*\.tar\.gz")


def is_canary(name: str) -> bool:
    """Return whether a name is that of the canary."""
    return name == NAME


def is_canary_file(filename: str) -> bool:
    """Return whether a filename is one of the canary's."""
    return _FILENAME.fullmatch(filename) is not None
