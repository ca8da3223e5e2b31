"""Read the function's log group."""

from __future__ import annotations

from ..models import LogGroup
from .calls import Calls


def find_log_group(calls: Calls, name: str) -> LogGroup | None:
    """Return the log group of exactly this name, or None if it does not exist."""
    resource = f"the log group {name}"
    found = calls.find("logs", "describe_log_groups", resource, logGroupNamePrefix=name) or {}
    group = next((group for group in found.get("logGroups", []) if group["logGroupName"] == name), None)
    if group is None:
        return None
    arn = group["arn"].removesuffix(":*")
    tags = calls.find("logs", "list_tags_for_resource", resource, resourceArn=arn) or {}
    return LogGroup(name, group.get("retentionInDays"), tags.get("tags", {}))
