"""Read the rules of the default event bus."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..desired.delivery import TARGET
from ..desired.tags import from_tag_list
from ..models import Desired, Rule
from .calls import Calls
from .event_patterns import may_match


def find_rule(calls: Calls, name: str) -> Rule | None:
    """Return a rule with this tool's target, or None if the rule does not exist."""
    resource = f"the rule {name}"
    found = calls.find("events", "describe_rule", resource, Name=name)
    if found is None:
        return None
    targets = calls.find("events", "list_targets_by_rule", resource, Rule=name) or {}
    tags = calls.find("events", "list_tags_for_resource", resource, ResourceARN=found["Arn"]) or {}
    target = next((target for target in targets.get("Targets", []) if target["Id"] == TARGET), None)
    return Rule(
        name=name,
        arn=found["Arn"],
        pattern=json.loads(found.get("EventPattern") or "{}"),
        state=found["State"],
        target=None if target is None else dict(target),
        tags=from_tag_list(tags.get("Tags", [])),
    )


def other_rules(calls: Calls, desired: Desired) -> Iterator[str]:
    """Yield the names of the rules of other owners that may receive the bucket's events."""
    arguments: dict[str, str] = {}
    while True:
        page = calls.find("events", "list_rules", "the event bus", **arguments) or {}
        for rule in page.get("Rules", []):
            pattern = rule.get("EventPattern")
            if rule["Name"] == desired.names.rule or not pattern:
                continue
            if may_match(json.loads(pattern), desired.bucket, desired.function.arn):
                yield rule["Name"]
        if not page.get("NextToken"):
            return
        arguments = {"NextToken": page["NextToken"]}
