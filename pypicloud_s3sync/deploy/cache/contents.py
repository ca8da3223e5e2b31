"""Compare how many packages the bucket holds with how many rows the cache has, in a few cheap requests.

Equal numbers do not prove that bucket and cache agree, and a large bucket is not counted to its end: the last
comparison by ``reconcile``, of which this host keeps the result, says more.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...config.settings import SyncSettings
from ...exceptions import S3SyncError
from ...reconcile.bucket import count_packages
from ...reconcile.models import Count, Report
from ...sync.counts import count_of
from ...sync.masking import mask
from ..aws.errors import translated
from ..location import Location
from ..models import CacheTables
from ..problems import ADD_MISSED
from ..runs import run_files
from .local_cache import opened, unreachable

#: The most pages of 1,000 keys that are listed to count the packages.
PAGES = 5
SUFFIX = ".compared"


@dataclass(frozen=True)
class Contents:
    """The number of packages in the bucket and of rows in the cache; None if it could not be counted.

    ``problems`` says why.
    """

    packages: Count | None
    rows: Count | None
    problems: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        counts = {"objects": self.packages, "rows": self.rows}
        return {
            **{name: None if count is None else count.number for name, count in counts.items()},
            **{f"{name}_exact": count is not None and count.exact for name, count in counts.items()},
            "problems": list(self.problems),
        }

    def warnings(self) -> Iterator[str]:
        """Yield a warning if the numbers show that bucket and cache differ."""
        if self.packages is None or self.rows is None or not self.rows.exact:
            return
        packages, rows = self.packages.number, self.rows.number
        # A bucket that was not counted to its end has at least so many.
        if packages > rows or (self.packages.exact and packages != rows):
            least = "" if self.packages.exact else "at least "
            held = f"{least}{count_of(packages, 'package')}"
            listed = count_of(rows, "row")
            yield f"the bucket holds {held}, but the cache has {listed}: {ADD_MISSED}"


def read_contents(settings: SyncSettings, location: Location, tables: CacheTables) -> Contents:
    """Return the number of packages and of rows; a failure is only named.

    Parameters
    ----------
    settings : SyncSettings
    location : Location
    tables : CacheTables
        The tables of a DynamoDB cache, which count their rows themselves.
    """
    if location.missing_bucket is not None or tables.missing:
        # The status names the problem.
        return Contents(None, None)
    problems: list[str] = []
    packages = rows = None
    try:
        packages = _packages(settings, location)
    except S3SyncError as error:
        problems.append(mask(str(error), settings.secrets))
    try:
        rows = _rows(settings, tables)
    except S3SyncError as error:
        problems.append(mask(str(error), settings.secrets))
    return Contents(packages, rows, tuple(problems))


def _packages(settings: SyncSettings, location: Location) -> Count:
    with translated("s3:ListBucket", f"the bucket {settings.bucket}", settings.endpoint_url):
        return count_packages(location.clients["s3"], settings.bucket, settings.prefix, PAGES)


def _rows(settings: SyncSettings, tables: CacheTables) -> Count | None:
    if settings.cache_backend == "dynamo":
        return None if tables.rows is None else Count(tables.rows, exact=False)
    # Imported here, because it imports pypicloud.
    from ...reconcile.scans import scan_of

    with opened(settings) as adapter:
        try:
            return scan_of(adapter).count()
        except Exception as error:
            if adapter.is_unreachable(error):
                raise unreachable(error) from error
            raise


def result_of(report: Report) -> dict[str, Any]:
    """Return what is kept of a comparison, as JSON."""
    document = report.document()
    kept = ("dry_run", "in_sync", "objects", "rows", "differences", "repaired", "added", "queued", "kept")
    return {
        "at": int(time.time()),
        **{name: document[name] for name in kept},
        "failed": report.failures,
    }


def remember(settings: SyncSettings, report: Report) -> None:
    """Keep the result of a comparison of the whole bucket for :func:`last_comparison`."""
    path = run_files.path_for(settings, SUFFIX)
    new = path.with_suffix(f".{os.getpid()}")
    descriptor = run_files.open_private(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    with open(descriptor, "w") as file:
        json.dump(result_of(report), file)
    new.replace(path)


def last_comparison(settings: SyncSettings) -> dict[str, Any] | None:
    """Return the result of the last comparison on this host, or None if there was none."""
    try:
        descriptor = run_files.open_private(run_files.path_for(settings, SUFFIX), os.O_RDONLY)
    except FileNotFoundError:
        return None
    with open(descriptor) as file:
        document: dict[str, Any] = json.load(file)
    return document
