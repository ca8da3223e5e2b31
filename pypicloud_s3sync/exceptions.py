"""Define every error that this package raises; the command line turns them into exit statuses.

The text of an error is one line that says what failed, on what, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class S3SyncError(Exception):
    """The base class of all errors. Exit status 1."""


class ConfigError(S3SyncError):
    """A setting, an option or a file is missing or invalid. Exit status 2."""


class AwsError(S3SyncError):
    """AWS refused a call or did not answer.

    Parameters
    ----------
    message : str
        One line: the action, the resource, AWS's reason, and what to do.
    code : str
        AWS's error code, for example ``AccessDenied``; empty if AWS did not answer.
    action : str
        The IAM action that failed, for example ``lambda:CreateFunction``.
    resource : str
        The ARN of the resource; empty if AWS did not name it.
    allowable : bool
        Whether an IAM policy of the caller can allow the action, if it was denied.
    """

    #: An IAM policy that allows everything that the caller may lack, not only this action.
    policy: Mapping[str, Any] | None = None

    def __init__(
        self, message: str, code: str = "", action: str = "", resource: str = "", *, allowable: bool = True
    ) -> None:
        super().__init__(message)
        self.code = code
        self.action = action
        self.resource = resource
        self.allowable = allowable


class ConflictError(S3SyncError):
    """Something that this tool may not change is in the way, or something that it needs is missing."""


class BusyError(S3SyncError):
    """Other requests keep the web server from reading AWS at the moment."""


class BundleError(S3SyncError):
    """The Lambda bundle cannot be built or read, or does not work."""


class EventError(S3SyncError):
    """An event, or a part of one, is not an S3 notification."""


class UnreachableError(S3SyncError):
    """The cache's database as a whole refuses its work: to try each row alone would not help."""


class OutOfTimeError(S3SyncError):
    """The function's time was over before S3 and the cache had answered."""


class NotReadError(S3SyncError):
    """A value was not read, because it depends on another one that is missing."""


class ReconcileError(S3SyncError):
    """A reconciliation could not repair everything.

    Parameters
    ----------
    message : str
    document : mapping
        The result, as JSON.
    """

    def __init__(self, message: str, document: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.document = document


class SyncError(S3SyncError):
    """Some of an event's keys could not be synced.

    Parameters
    ----------
    failures : mapping
        The cause of each failure, by S3 key.
    """

    def __init__(self, failures: Mapping[str, BaseException]) -> None:
        self.failures = dict(failures)
        causes = "; ".join(f"{key}: {type(error).__name__}: {error}" for key, error in failures.items())
        super().__init__(f"{len(failures)} of the event's keys could not be synced: {causes}")
