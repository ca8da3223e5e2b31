"""Every error this package raises on purpose; the command line turns them into exit codes.

An error's text is one line that says what failed, on what, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping


class S3SyncError(Exception):
    """The root: something failed, and the message says what to do. Exit status 1."""


class ConfigError(S3SyncError):
    """What was asked for cannot be: a setting, an option, a file. Exit status 2."""


class AwsError(S3SyncError):
    """AWS refused a call or did not answer.

    Parameters
    ----------
    message : str
        One line: the action, the resource, AWS's reason, the way out.
    code : str
        AWS's error code, for example ``AccessDenied``; empty where AWS did not answer.
    action : str
        The IAM action that failed, for example ``lambda:CreateFunction``.
    resource : str
        The ARN that it failed on; empty where AWS did not say.
    """

    def __init__(self, message: str, code: str = "", action: str = "", resource: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.action = action
        self.resource = resource


class ConflictError(S3SyncError):
    """Something that is not ours stands where ours would go."""


class BundleError(S3SyncError):
    """The Lambda bundle could not be built, or does not work."""


class EventError(S3SyncError):
    """An event that is not an S3 notification."""


class SyncError(S3SyncError):
    """Some of an event's records could not be brought into the cache.

    Parameters
    ----------
    failures : mapping
        The cause of each failure by its S3 key.
    """

    def __init__(self, failures: Mapping[str, BaseException]) -> None:
        self.failures = dict(failures)
        causes = "; ".join(f"{key}: {type(error).__name__}: {error}" for key, error in failures.items())
        super().__init__(f"{len(failures)} of the event's keys could not be synced: {causes}")
