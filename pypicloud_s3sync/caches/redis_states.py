"""Describe the state of a name in Redis, and check that it follows from the rows, without calling Redis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .canary import is_canary

#: The fields of a row that its summary consists of.
FIELDS = ("name", "summary", "last_modified")


class Newest(NamedTuple):
    """A row as it is compared: of two rows of the same time, the one whose filename sorts last is newer."""

    last_modified: float
    filename: str
    summary: dict[str, str]


@dataclass(frozen=True)
class NameState:
    """The state of a name in Redis.

    Parameters
    ----------
    existing, listed : set of str
        Those of the files in question that have a row of this name, and that the name lists.
    newest : Newest or None
        The newest row of the name.
    is_named : bool
        Whether the list of names has the name.
    summary : dict
        Empty if there is none.
    """

    existing: set[str]
    listed: set[str]
    newest: Newest | None
    is_named: bool
    summary: Mapping[str, str]


def state_of(
    name: str,
    own: Mapping[str, Sequence[str | None]],
    members: Iterable[Any],
    rows: Mapping[str, Sequence[str | None]],
    is_named: Any,
    summary: Mapping[str, str],
) -> NameState:
    """Return the state of a name from what was read.

    Parameters
    ----------
    name : str
    own : dict
        The values of :data:`FIELDS` of the rows in question, by filename.
    members : iterable
        Whether the name lists each of them.
    rows : dict
        The same values of every row that can be the newest.
    is_named : object
        Whether the list of names has the name.
    summary : dict
    """
    found = {
        filename: dict(zip(FIELDS, values, strict=True))
        for filename, values in rows.items()
        if values[0] == name
    }
    newest = max((newest_of(filename, fields) for filename, fields in found.items()), default=None)
    listed = {filename for filename, is_listed in zip(own, members, strict=True) if is_listed}
    return NameState(own.keys() & found.keys(), listed, newest, bool(is_named), summary)


def shown_row(name: str, state: NameState) -> Newest | None:
    """Return the row that the summary of a name shows. The canary's files are listed, but not its name."""
    return None if is_canary(name) else state.newest


def is_right(name: str, state: NameState) -> bool:
    """Return whether everything that Redis holds for a name follows from its rows."""
    newest = shown_row(name, state)
    named = state.is_named == (newest is not None)
    return named and state.existing == state.listed and state.summary == (newest.summary if newest else {})


def is_older(summary: Mapping[str, str], row: Newest) -> bool:
    """Return whether a summary is that of an older row; one without a time is not."""
    return float(summary.get("last_modified", "nan")) < row.last_modified


def newest_of(filename: str, fields: Mapping[str, Any]) -> Newest:
    """Return a row as it is compared, from the values of its hash."""
    return Newest(float(fields["last_modified"]), filename, {field: fields[field] or "" for field in FIELDS})
