"""Describe what keeps S3 sync from working, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: A foreign resource is in the way.
CONFLICT = "conflict"
#: The tables of the DynamoDB cache do not exist.
TABLES = "tables"
#: The settings ask for something that AWS does not accept.
SETTINGS = "config"
#: Events reach the function, but it fails.
FAILING = "failing"
#: Events do not reach the function, because a resource was switched off.
PAUSED = "paused"
#: AWS refused a call that reads how the function is doing.
DENIED = "denied"
#: A call that reads how the function is doing failed for another reason.
UNKNOWN = "unknown"

#: How to add the packages whose events were missed.
ADD_MISSED = "run `ppc-s3sync reconcile` to add what was missed"


@dataclass(frozen=True)
class Problem:
    """A problem of an installation or of the settings.

    Parameters
    ----------
    problem : str
        One of the constants of this module.
    message : str
        What is wrong, and with which resource.
    remedy : str
        What to do about it.
    policy : dict, optional
        An IAM policy that allows the call that AWS denied.
    """

    problem: str
    message: str
    remedy: str
    policy: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        # A line with two colons is hard to read.
        separator = ";" if ": " in self.message else ":"
        return f"{self.message}{separator} {self.remedy}"

    @property
    def document(self) -> dict[str, Any]:
        """The problem as JSON."""
        return {key: value for key, value in vars(self).items() if value is not None}
