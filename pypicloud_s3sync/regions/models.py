"""Define the data classes of a comparison of regions."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..sync.converge import Syncer


class Kind(enum.StrEnum):
    """The kinds of differences, each named after the place where something was lost."""

    #: Another bucket has the file, this one does not: replication.
    NOT_REPLICATED = "not_replicated"
    #: An object without a row: the function, or the time before it.
    MISSING_ROW = "missing_row"
    #: A row without an object.
    EXTRA_ROW = "extra_row"
    #: A row that does not match its object.
    STALE_ROW = "stale_row"
    #: Another bucket has another file under the same name.
    DIFFERENT_CONTENT = "different_content"


@dataclass(frozen=True)
class Region:
    """A bucket and its cache.

    Parameters
    ----------
    config : str
        The configuration that names them.
    bucket : str
    region : str
        The bucket's region.
    syncer : Syncer
        Reads its objects and its rows.
    s3 : boto3 S3 client
        Lists the bucket.
    reading : callable
        Returns a context for the calls to S3 and the cache, which translates their errors.
    known : Path, optional
        The file of :class:`.KnownObjects`.
    """

    config: str
    bucket: str
    region: str
    syncer: Syncer
    s3: Any
    reading: Callable[[], AbstractContextManager[None]] = nullcontext
    known: Path | None = None

    @property
    def prefix(self) -> str:
        """``storage.prefix``."""
        return self.syncer.prefix


class Described(NamedTuple):
    """What a row or an object says about a file; ``sha256`` is None if it does not say that."""

    name: str
    version: str
    sha256: str | None


class Held(NamedTuple):
    """What a region holds of a filename.

    Parameters
    ----------
    keys : tuple of str
        The keys of its objects, the newest first.
    modified : int
        The time of the newest object, in seconds since 1970.
    size : int or None
        The size of the newest object in bytes, if it is known.
    package : Described or None
        What the newest object says; None if there is no object, or if it is not a package.
    row : Described or None
    is_stale : bool
        Whether the row is known not to say what the object says.
    """

    keys: tuple[str, ...] = ()
    modified: int = 0
    size: int | None = None
    package: Described | None = None
    row: Described | None = None
    is_stale: bool = False


class Difference(NamedTuple):
    """A difference.

    Parameters
    ----------
    kind : Kind
    filename : str
    region : int
        The index of the region that lacks the file or has another one.
    package : str
        The project that ``reconcile`` has to look at, if it does not find the difference in the listings.
    """

    kind: Kind
    filename: str
    region: int
    package: str = ""


@dataclass(frozen=True)
class Totals:
    """What a region holds in total.

    Parameters
    ----------
    region : Region
    objects, rows : int
        The objects and rows that were listed.
    digest : str
        A hash of the names, versions, filenames and contents of its packages.
    """

    region: Region
    objects: int
    rows: int
    digest: str

    def document(self) -> Mapping[str, Any]:
        """Return the totals as JSON."""
        return {
            "config": self.region.config,
            "bucket": self.region.bucket,
            "region": self.region.region,
            "objects": self.objects,
            "rows": self.rows,
            "digest": self.digest,
        }
