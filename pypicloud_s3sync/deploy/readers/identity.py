"""Read the identity of the caller."""

from __future__ import annotations

from ..models import Identity
from .calls import Calls


def caller_identity(calls: Calls) -> Identity:
    """Return the account and partition of the caller, and its ARN."""
    caller = calls.do("sts", "get_caller_identity", "the caller")
    return Identity(account=caller["Account"], partition=caller["Arn"].split(":")[1], arn=caller["Arn"])
