"""Create, update and delete the rule that sends the bucket's events from EventBridge to the queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...exceptions import AwsError
from ..aws.errors import MISSING
from ..desired.resources import DESCRIPTION
from ..desired.tags import tag_list
from ..models import Rule
from .calls import Calls


class RuleWriter:
    """Actions on the rule, on the account's default event bus."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, rule: Rule) -> None:
        """Create the rule, then add the queue as its target."""
        self._put(rule, Tags=tag_list(rule.tags))
        self._put_target(rule)

    def update(self, rule: Rule, before: Rule) -> None:
        """Update the parts that differ; the tags first, since they record who turned on EventBridge."""
        if not rule.tags.items() <= before.tags.items():
            arguments: dict[str, Any] = {"ResourceARN": before.arn, "Tags": tag_list(rule.tags)}
            self.calls.do("events", "tag_resource", f"the rule {rule.name}", **arguments)
        if (rule.pattern, rule.state) != (before.pattern, before.state):
            self._put(rule)
        if rule.target != before.target:
            self._put_target(rule)

    def _put(self, rule: Rule, **more: Any) -> None:
        self.calls.do(
            *("events", "put_rule", f"the rule {rule.name}"),
            Name=rule.name,
            EventPattern=json.dumps(rule.pattern),
            State=rule.state,
            Description=DESCRIPTION,
            **more,
        )

    def _put_target(self, rule: Rule) -> None:
        resource = f"the rule {rule.name}"
        response = self.calls.do("events", "put_targets", resource, Rule=rule.name, Targets=[rule.target])
        _raise_for_failed("events:PutTargets", resource, response)

    def delete(self, name: str) -> None:
        """Delete the rule after its targets, foreign ones included, as EventBridge requires."""
        resource = f"the rule {name}"
        response = self.calls.find("events", "list_targets_by_rule", resource, Rule=name) or {}
        targets = [target["Id"] for target in response.get("Targets", [])]
        if targets:
            response = self.calls.find("events", "remove_targets", resource, Rule=name, Ids=targets)
            _raise_for_failed("events:RemoveTargets", resource, response or {})
        self.calls.delete_if_exists("events", "delete_rule", resource, Name=name)


def _raise_for_failed(action: str, resource: str, response: Mapping[str, Any]) -> None:
    """Raise an error for an entry that failed although the call succeeded; a missing one is removed."""
    for entry in response.get("FailedEntries", []):
        if entry.get("ErrorCode") in MISSING:
            continue
        reason = f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
        raise AwsError(f"{action} on {resource} failed: {reason}; run again")
