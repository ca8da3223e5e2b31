"""Define the state of a reconciliation in steps, which one invocation of the function hands to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..exceptions import EventError

#: The phases: see :mod:`.passes`.
BUCKET, COUNT, ROWS, DONE = "bucket", "count", "rows", "done"


@dataclass(frozen=True)
class State:
    """The progress of a reconciliation, and what it has done.

    Parameters
    ----------
    phase : str
        ``bucket``, ``count``, ``rows`` or ``done``.
    cursor : str
        The last key, filename or name that was looked at.
    objects : int
        The number of objects that were listed.
    agreeing : int
        The number of rows whose object was listed.
    rows : int
        The number of rows that were counted after the first pass.
    added, repaired, deleted : int
        The number of rows that were added, corrected and deleted.
    kept : int
        The number of rows without an object, if there are too many to be deleted.
    failed : int
        The number of keys that could not be converged.
    """

    phase: str = BUCKET
    cursor: str = ""
    objects: int = 0
    agreeing: int = 0
    rows: int = 0
    added: int = 0
    repaired: int = 0
    deleted: int = 0
    kept: int = 0
    failed: int = 0

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> State:
        """Return the state in a document.

        Raises
        ------
        EventError
            The document is no state.
        """
        try:
            state = cls(**document)
        except TypeError:
            raise EventError("the request to reconcile has unknown fields: run ppc-s3sync enable") from None
        for name, value in asdict(state).items():
            if type(value) is not type(getattr(cls, name)):
                raise EventError(f"the request to reconcile has no valid {name}: run ppc-s3sync enable")
        if state.phase not in (BUCKET, COUNT, ROWS, DONE):
            raise EventError("the request to reconcile has no valid phase: run ppc-s3sync enable")
        return state

    def document(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return asdict(self)
