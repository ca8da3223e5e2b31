"""Find the filenames to look at: compare two sorted listings.

A difference is a reason to look at a key, not a decision: the listings are not taken at the same moment.
:mod:`..sync.converge` decides, as for an event.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import NamedTuple, TypeVar

from ..caches.canary import is_canary
from .models import MICROSECONDS, Difference, Kind, Known, ListedName, ListedObject, ListedRow

_MASK = 2**63 - 1

L = TypeVar("L", bound=NamedTuple)
R = TypeVar("R", bound=NamedTuple)


def differences(
    objects: Iterable[ListedObject], rows: Iterable[ListedRow], prefix: str, *, every: bool = False
) -> Iterator[Difference]:
    """Yield the filenames whose objects and row do not agree.

    Parameters
    ----------
    objects, rows : iterable
        Both sorted by filename. A row that is listed twice counts once.
    prefix : str
        ``storage.prefix``.
    every : bool
        Also yield the filenames whose objects and row agree: a listing does not show everything.
    """
    for filename, found, listed in _matched(objects, rows, "filename"):
        row = listed[-1] if listed else None
        keys = tuple(sorted(stored.key for stored in found))
        packages = [stored for stored in found if stored.known is None or stored.known.name is not None]
        if row is None:
            if packages:
                yield Difference(Kind.MISSING, filename, keys, _project(keys[0]))
        elif not found:
            yield Difference(Kind.GONE, filename, (key_of(row, prefix),), row.name)
        else:
            listings_agree = _agree(packages, row)
            if every or not listings_agree or not _says(row, _newest(packages).known):
                yield Difference(Kind.STALE, filename, keys, row.name, listings_agree)


def wrong_names(rows: Iterable[ListedRow], names: Iterable[ListedName]) -> Iterator[str]:
    """Yield the names whose entry or summary does not follow from the rows.

    Parameters
    ----------
    rows : iterable
        Sorted by name and filename. A project may have as many as the bucket.
    names : iterable
        Sorted by name.
    """
    for name, having, listed in _matched(_projects(rows), names, "name"):
        if is_canary(name):
            right = not listed or _is_hidden(listed[-1])
        else:
            right = bool(having and listed and _follows(having[-1], listed[-1]))
        # A row without a name is damaged, and no project.
        if name and not right:
            yield name


def hash_of(texts: Iterable[str]) -> int:
    """Return a hash of some texts that does not depend on their order. It is good in this process only."""
    return sum(map(hash, texts)) & _MASK


class _Project(NamedTuple):
    """The newest row of a project, and a hash of all its filenames."""

    name: str
    newest: ListedRow
    files: int


def _projects(rows: Iterable[ListedRow]) -> Iterator[_Project]:
    for name, listed in groupby(rows, attrgetter("name")):
        newest, files, last = next(listed), 0, ""
        for row in chain([newest], listed):
            if row.filename != last:
                files += hash(row.filename)
            last = row.filename
            newest = max(newest, row, key=lambda row: (row.modified, row.filename))
        yield _Project(name, newest, files & _MASK)


def _follows(project: _Project, listed: ListedName) -> bool:
    newest = project.newest
    if not listed.complete or (listed.modified, listed.summary) != (newest.modified, newest.summary):
        return False
    return listed.files in (None, project.files)


def _is_hidden(listed: ListedName) -> bool:
    """Return whether no list of projects shows a name."""
    return listed.modified is None and not listed.complete


def _newest(objects: Iterable[ListedObject]) -> ListedObject:
    return max(objects, key=lambda stored: (stored.modified, stored.key))


def _agree(packages: Sequence[ListedObject], row: ListedRow) -> bool:
    """Return whether a row has the keys and the time of its objects."""
    if not packages:
        return False
    newest = _newest(packages)
    return (
        row.key == newest.key
        and row.modified // MICROSECONDS == newest.modified
        and set(row.other_keys) == {stored.key for stored in packages} - {newest.key}
    )


def _says(row: ListedRow, known: Known | None) -> bool:
    """Return whether a row says what the metadata of its object says, or what its key spells."""
    if known is None:
        return row.plausible
    wanted = known.name, known.version, summary_of(known.summary), known.sha256
    return (row.name, row.version, row.summary, row.sha256) == wanted


def summary_of(text: str | None) -> int:
    """Return the hash of a summary; that of an empty one is the same as that of none."""
    return hash(text) if text else 0


def key_of(row: ListedRow, prefix: str) -> str:
    """Return a key under which to look for a row's object; one that does not exist if the row has none."""
    if row.key and row.key.startswith(prefix) and posixpath.basename(row.key) == row.filename:
        return row.key
    separator = "" if not prefix or prefix.endswith("/") else "/"
    return f"{prefix}{separator}{row.filename}"


def _project(key: str) -> str:
    """Return the folder of a key, which pypicloud names after the project."""
    return posixpath.basename(posixpath.dirname(key))


def _matched(left: Iterable[L], right: Iterable[R], field: str) -> Iterator[tuple[str, list[L], list[R]]]:
    """Yield each value of a field with the entries of both sides, which are sorted by it."""
    get = attrgetter(field)
    lefts, rights = groupby(left, get), groupby(right, get)
    one, other = next(lefts, None), next(rights, None)
    while one is not None and other is not None:
        if one[0] < other[0]:
            yield one[0], list(one[1]), []
            one = next(lefts, None)
        elif other[0] < one[0]:
            yield other[0], [], list(other[1])
            other = next(rights, None)
        else:
            yield one[0], list(one[1]), list(other[1])
            one, other = next(lefts, None), next(rights, None)
    while one is not None:
        yield one[0], list(one[1]), []
        one = next(lefts, None)
    while other is not None:
        yield other[0], [], list(other[1])
        other = next(rights, None)
