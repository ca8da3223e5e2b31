"""Describe what could not be read, and which permission is missing."""

from __future__ import annotations

import json

from ..deploy.aws.denials import policy_that_allows
from ..exceptions import NotReadError, S3SyncError
from .models import Finding, skipped, warning

#: What prints every permission that this command needs.
ALL = "`ppc-s3sync policy --for status` prints all that doctor reads with"


def statement(error: Exception) -> str:
    """Return how to allow what AWS denied: the statement for the caller's policy; empty if none can."""
    policy = policy_that_allows(error)
    if policy is None:
        return ""
    statements = policy["Statement"]
    allow = json.dumps(statements[0] if len(statements) == 1 else statements)
    return f"add this statement to the policy of the IAM role or user that runs it: {allow}; {ALL}"


def unread(error: S3SyncError) -> Finding:
    """Return the finding that a value could not be read."""
    if isinstance(error, NotReadError):
        return skipped(str(error))
    return warning(f"unknown: {error}", statement(error) or "remove the cause, then run it again")
