"""Create, update and delete the function's log group."""

from __future__ import annotations

from typing import Any

from ..models import LogGroup
from ..readers.log_groups import find_log_group
from .calls import Calls


class LogGroupWriter:
    """Actions on the log group."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, group: LogGroup) -> None:
        """Create the log group with its retention."""
        resource, arguments = f"the log group {group.name}", {"logGroupName": group.name}
        self.calls.create(
            lambda: self.calls.do("logs", "create_log_group", resource, tags=dict(group.tags), **arguments),
            lambda: self._adopt(group),
        )
        self._put_retention(group)

    def _adopt(self, group: LogGroup) -> bool:
        """Tag a log group that a late invocation of the function created since the plan was made.

        Such a group has neither tags nor a retention.
        """
        found = find_log_group(self.calls, group.name)
        if found is None or (found.tags != group.tags and (found.tags or found.retention_days)):
            return False
        self._tag(group, found)
        return True

    def update(self, group: LogGroup, before: LogGroup, owned: bool) -> None:
        """Update the retention, and the tags if this tool created the log group."""
        if group.retention_days != before.retention_days:
            self._put_retention(group)
        if owned:
            self._tag(group, before)

    def _tag(self, group: LogGroup, before: LogGroup) -> None:
        if not group.tags.items() <= before.tags.items():
            resource, arn = f"the log group {group.name}", self._arn(group.name)
            self.calls.do("logs", "tag_resource", resource, resourceArn=arn, tags=dict(group.tags))

    def _put_retention(self, group: LogGroup) -> None:
        arguments: dict[str, Any] = {"logGroupName": group.name, "retentionInDays": group.retention_days}
        self.calls.do("logs", "put_retention_policy", f"the log group {group.name}", **arguments)

    def _arn(self, name: str) -> str:
        groups = self.calls.do(
            "logs", "describe_log_groups", f"the log group {name}", logGroupNamePrefix=name
        )
        arn: str = next(group["arn"] for group in groups["logGroups"] if group["logGroupName"] == name)
        return arn.removesuffix(":*")

    def delete(self, name: str) -> None:
        """Delete the log group and its events."""
        self.calls.delete_if_exists("logs", "delete_log_group", f"the log group {name}", logGroupName=name)
