"""List the rows of any cache through the public methods of ``pypicloud.cache.ICache``."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from ...caches.base import CacheAdapter, RowKey, Snapshot
from ...sync.pending import OTHER_KEYS
from ..capacity import Capacity
from ..differences import summary_of
from ..models import MICROSECONDS, Count, ListedName, ListedRow
from ..spelling import is_spelled

#: The entry of a row's ``data`` that has the hash of the file's content.
SHA256 = "hash_sha256"
#: The latest time that a datetime can have.
LATEST = 253_402_300_800 * MICROSECONDS
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)

#: Returns whether a name has been listed already.
IsListed = Callable[[str], bool]


def never_listed(name: str) -> bool:
    """Return that a name has not been listed."""
    return False


class Scan:
    """Lists the rows of a custom cache, which has no other way to list them than by their names.

    Parameters
    ----------
    adapter : CacheAdapter
    """

    #: Whether the cache stores names and summaries, and does not derive them from its rows.
    has_names = False

    def __init__(self, adapter: CacheAdapter) -> None:
        self.adapter: Any = adapter
        self.cache: Any = adapter.cache
        #: What the cache can take; it is only limited for some DynamoDB tables.
        self.capacity = Capacity()

    def total(self) -> int | None:
        """Return about how many rows there are, or None if that is not known without listing them."""
        return None

    def count(self) -> Count | None:
        """Return how many rows there are, or None if that is not known without listing them."""
        total = self.total()
        return None if total is None else Count(total)

    def count_from(self, cursor: str) -> tuple[int, str] | None:
        """Count rows exactly, as far as one step goes; return the number, and where the next step begins.

        None means, as for :meth:`count`, that the number is not known without listing the rows.

        Parameters
        ----------
        cursor : str
            Where the last step ended; empty for the first step, and returned by the last one.
        """
        count = self.count()
        return None if count is None else (count.number, "")

    def list_names(self) -> Collection[str]:
        """Return the names of all projects that the cache lists."""
        names: Collection[str] = self.cache.distinct()
        return names

    def rows(self, names: Collection[str] = ()) -> Iterator[Sequence[ListedRow]]:
        """Yield pages of rows, in any order: those of some names, or all."""
        for name in names or self.cache.distinct():
            yield [row_of(package) for package in self.cache.all(name)]

    def names(
        self, names: Collection[str] = (), is_listed: IsListed = never_listed
    ) -> Iterator[Sequence[ListedName]]:
        """Yield pages of names with their summaries, in any order: some names, or all.

        Parameters
        ----------
        names : collection of str
            Some names; none stands for all.
        is_listed : callable
            Returns whether a name was on an earlier page, so that it need not be yielded again.
        """
        yield from ()


def read_rows(adapter: CacheAdapter, keys: Sequence[RowKey]) -> Mapping[str, Snapshot | Exception]:
    """Return the rows, by filename, and the error of each row that is damaged.

    Raises
    ------
    Exception
        The cache is unreachable.
    """
    try:
        return adapter.read(keys)
    except Exception as error:
        if adapter.is_unreachable(error):
            raise
        if len(keys) == 1:
            return {keys[0].filename: error}
    return {filename: found for key in keys for filename, found in read_rows(adapter, [key]).items()}


def row_of(package: Any) -> ListedRow:
    """Return a package as it is listed."""
    fields = package.filename, package.name, package.version, microseconds(package.last_modified)
    return listed_row(*fields, package.summary, package.data)


def listed_row(
    filename: str, name: str, version: str, modified: int, summary: str | None, data: Mapping[str, Any]
) -> ListedRow:
    """Return a row as it is listed, from its fields; ``modified`` is in microseconds since 1970."""
    path, others, sha256 = data.get("path"), data.get(OTHER_KEYS), data.get(SHA256)
    key = path if isinstance(path, str) else None
    return ListedRow(
        filename,
        name,
        modified,
        key,
        tuple(others) if isinstance(others, list) else (),
        is_spelled(filename, key, name, version),
        summary_of(summary),
        version,
        sha256 if isinstance(sha256, str) else None,
    )


def microseconds(moment: datetime.datetime) -> int:
    """Return a time in microseconds since 1970."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return (moment - _EPOCH) // _MICROSECOND


def microseconds_of_text(seconds: str) -> int:
    """Return a time in microseconds since 1970, from a decimal number of seconds; 0 for what is no time."""
    try:
        found = round(float(seconds) * MICROSECONDS)
    except (ValueError, OverflowError):
        return 0
    return found if abs(found) <= LATEST else 0


def data_of_text(text: str | None) -> dict[str, Any]:
    """Return a row's data from JSON; empty if it is damaged, so that the row differs from its object."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
