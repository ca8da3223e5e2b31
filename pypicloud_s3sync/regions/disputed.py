"""Read the objects in S3 that the listings of the regions do not agree about.

The listings are not taken at the same moment: a file that was uploaded or deleted meanwhile is in only one of
them. Of files without a difference, nothing is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..caches.base import RowKey, Snapshot
from ..sync.packages import StoredObject, to_package
from .differences import says
from .models import Held, Region
from .survey import described

#: A filename, and what each region holds of it.
Disputed = tuple[str, list[Held]]


def look_again(regions: Sequence[Region], disputed: Sequence[Disputed]) -> list[Disputed]:
    """Return what the regions hold now of some filenames.

    Raises
    ------
    Exception
        The error of S3 or of a cache if one of them could not be read.
    """
    places = [_places(filename, held, regions) for filename, held in disputed]
    found = []
    for index, region in enumerate(regions):
        with region.reading():
            found.append(_look(region, [(filename, held[index]) for filename, held in disputed], places))
    return [
        (filename, [of_region[number] for of_region in found])
        for number, (filename, _) in enumerate(disputed)
    ]


def _places(filename: str, held: Sequence[Held], regions: Sequence[Region]) -> list[str]:
    """Return the keys of a filename in any region, without ``storage.prefix``."""
    keys = (
        key.removeprefix(region.prefix) for it, region in zip(held, regions, strict=True) for key in it.keys
    )
    return list(dict.fromkeys(keys)) or [filename]


def _look(
    region: Region, disputed: Sequence[tuple[str, Held]], places: Sequence[Sequence[str]]
) -> list[Held]:
    """Return what a region holds now of some filenames."""
    wanted = [
        (number, key)
        for number, ((_, held), relative) in enumerate(zip(disputed, places, strict=True))
        for key in held.keys or (region.prefix + place for place in relative)
    ]
    answers = region.syncer.reader.read(region.bucket, [key for _, key in wanted])
    stored: list[list[StoredObject]] = [[] for _ in disputed]
    for (number, _), answer in zip(wanted, answers, strict=True):
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            stored[number].append(answer)
    looked = [_now(region, held, found) for (_, held), found in zip(disputed, stored, strict=True)]
    return _with_rows(region, [filename for filename, _ in disputed], looked)


def _now(region: Region, held: Held, stored: list[StoredObject]) -> Held:
    stored.sort(key=lambda found: (found.last_modified, found.key), reverse=True)
    packages = [(found, to_package(found, region.syncer.adapter.cache.new_package)) for found in stored]
    newest = next(((found, package) for found, package in packages if package is not None), None)
    if newest is None:
        return held._replace(package=None)
    found, package = newest
    modified = int(found.last_modified.timestamp())
    is_listed = held.keys[:1] == (found.key,) and held.modified == modified
    size = held.size if is_listed else None
    return held._replace(package=described(package), modified=modified, size=size)


def _with_rows(region: Region, filenames: Sequence[str], held: list[Held]) -> list[Held]:
    """Return what a region holds with the current rows of those files whose listed row is in doubt."""
    doubtful = {
        filename: number
        for number, (filename, it) in enumerate(zip(filenames, held, strict=True))
        if it.row is not None and it.package is not None and not it.is_stale and not says(it.row, it.package)
    }
    keys = [RowKey(filename, _name(held[number])) for filename, number in doubtful.items()]
    rows = region.syncer.adapter.read(keys) if keys else {}
    for filename, number in doubtful.items():
        snapshot: Any = rows[filename]
        if not isinstance(snapshot, Snapshot):
            raise snapshot
        row = snapshot.row
        held[number] = held[number]._replace(row=None if row is None else described(row))
    return held


def _name(held: Held) -> str | None:
    return None if held.row is None else held.row.name
