"""Makes, changes and deletes the rule that hands EventBridge's events to the function."""

from __future__ import annotations

import json
from typing import Any

from ...exceptions import AwsError
from ..desired import DESCRIPTION
from ..models import Rule
from .calls import Calls


class RuleWriter:
    """Actions on the rule, on the account's default event bus."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, rule: Rule) -> None:
        """Make the rule, then point it at the function."""
        self._put(rule, Tags=_tag_list(rule))
        self._put_target(rule)

    def update(self, rule: Rule, before: Rule) -> None:
        """Change whatever differs. The tags first: they tell whose the bucket's switch is."""
        if not rule.tags.items() <= before.tags.items():
            of_rule: dict[str, Any] = {"ResourceARN": before.arn, "Tags": _tag_list(rule)}
            self.calls.do("events", "tag_resource", f"the rule {rule.name}", **of_rule)
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
        answer = self.calls.do("events", "put_targets", resource, Rule=rule.name, Targets=[rule.target])
        for entry in answer.get("FailedEntries", []):
            why = f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
            raise AwsError(f"events:PutTargets on {resource} failed: {why}")

    def delete(self, name: str) -> None:
        """Delete the rule; EventBridge wants its targets gone first, also those that somebody added."""
        resource = f"the rule {name}"
        found = self.calls.find("events", "list_targets_by_rule", resource, Rule=name)
        targets = [target["Id"] for target in found.get("Targets", [])]
        if targets:
            self.calls.delete_if_exists("events", "remove_targets", resource, Rule=name, Ids=targets)
        self.calls.delete_if_exists("events", "delete_rule", resource, Name=name)


def _tag_list(rule: Rule) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(rule.tags.items())]
