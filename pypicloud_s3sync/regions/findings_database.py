"""Store the findings of a comparison of regions in a temporary database on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..reconcile.listing import temporary_database
from ..reconcile.models import Kind as CacheKind
from .models import Described, Difference, Held, Kind

_TABLES = """
CREATE TABLE flaws (region INTEGER, filename TEXT, kind TEXT, described TEXT);
CREATE TABLE disputed (id INTEGER PRIMARY KEY, filename TEXT, held TEXT);
CREATE TABLE differences (
    place INTEGER, filename TEXT, region INTEGER, package TEXT, PRIMARY KEY (place, filename, region)
) WITHOUT ROWID;
"""
#: A second look may show that a difference is not visible in a listing.
_ADD = """
INSERT INTO differences VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET package = excluded.package WHERE excluded.package != ''
"""
#: The order in which differences are listed.
PLACES = {kind: place for place, kind in enumerate(Kind)}


class Flaw(NamedTuple):
    """A difference between a bucket and its cache; ``package`` is what the object says, if there is one."""

    filename: str
    kind: CacheKind
    package: Described | None


class Findings:
    """What was found; :meth:`close` removes it."""

    def __init__(self) -> None:
        self._database = temporary_database(_TABLES)

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    def add_flaw(self, region: int, flaw: Flaw) -> None:
        """Add a difference inside a region."""
        values = region, flaw.filename, flaw.kind.value, json.dumps(flaw.package)
        self._database.execute("INSERT INTO flaws VALUES (?, ?, ?, ?)", values)

    def flaws(self, region: int) -> Iterator[Flaw]:
        """Yield the differences inside a region, sorted by filename."""
        query = "SELECT filename, kind, described FROM flaws WHERE region = ? ORDER BY filename"
        for filename, kind, described in self._database.execute(query, [region]):
            yield Flaw(filename, CacheKind(kind), _described(json.loads(described)))

    def dispute(self, filename: str, held: Sequence[Held]) -> None:
        """Add a filename that the listings do not agree about, to be taken by :meth:`disputed`."""
        query = "INSERT INTO disputed (filename, held) VALUES (?, ?)"
        self._database.execute(query, (filename, json.dumps(held)))

    def count_disputed(self) -> int:
        """Return the number of filenames that the listings do not agree about."""
        return int(self._database.execute("SELECT count(*) FROM disputed").fetchone()[0])

    def disputed(self, size: int) -> Iterator[list[tuple[str, list[Held]]]]:
        """Yield batches of the filenames that the listings do not agree about, with what they tell."""
        rows = self._database.execute("SELECT filename, held FROM disputed ORDER BY id")
        while batch := rows.fetchmany(size):
            yield [(filename, [_held(values) for values in json.loads(held)]) for filename, held in batch]

    def add(self, difference: Difference) -> None:
        """Add a difference to the result."""
        values = PLACES[difference.kind], *difference[1:]
        self._database.execute(_ADD, values)

    def counts(self) -> dict[Kind, int]:
        """Return the number of differences of each kind."""
        found = dict(self._database.execute("SELECT place, count(*) FROM differences GROUP BY place"))
        return {kind: found.get(place, 0) for kind, place in PLACES.items()}

    def repairs(self, kind: Kind) -> Iterator[tuple[int, str]]:
        """Yield the index of each region in which ``reconcile`` repairs a kind, with :attr:`.package`."""
        query = "SELECT DISTINCT region, package FROM differences WHERE place = ? ORDER BY region, package"
        yield from self._database.execute(query, [PLACES[kind]])

    def differences(self, kind: Kind | None = None) -> Iterator[Difference]:
        """Yield the differences of one kind or all, sorted by kind, filename and region."""
        query = "SELECT * FROM differences WHERE place BETWEEN ? AND ? ORDER BY place, filename, region"
        kinds = list(Kind)
        places = (0, len(kinds)) if kind is None else (PLACES[kind], PLACES[kind])
        for place, *others in self._database.execute(query, places):
            yield Difference(kinds[place], *others)


def _held(values: Sequence[object]) -> Held:
    held = Held._make(values)
    return held._replace(keys=tuple(held.keys), package=_described(held.package), row=_described(held.row))


def _described(values: Sequence[object] | None) -> Described | None:
    return None if values is None else Described._make(values)
