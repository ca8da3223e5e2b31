"""Describe a plan as a JSON document: what would change."""

from __future__ import annotations

from typing import Any

from ...config.runtimes import deprecation
from .. import notifications
from ..desired.delivery import owns_eventbridge
from ..models import Action, Plan
from .code_state import code_state
from .differences import change_document, visible
from .health import secrets_warning


def plan_document(plan: Plan, command: str) -> dict[str, Any]:
    """Return a plan as JSON: what would change. The planner has masked its secrets.

    Parameters
    ----------
    plan : Plan
    command : str
        ``enable`` or ``disable``.
    """
    return {
        "command": command,
        "function": plan.desired.names.function,
        "region": plan.desired.region,
        "bucket": plan.desired.bucket,
        "in_sync": plan.in_sync,
        "warnings": [*runtime_warnings(plan), *filter(None, [secrets_warning(plan)])],
        "foreign_notifications": foreign_count(plan),
        "foreign": notifications.foreign_entries(plan.observed.notifications, plan.desired.owner),
        "actions": [planned_action(action, plan) for action in plan.actions],
    }


def runtime_warnings(plan: Plan) -> list[str]:
    """Return what will need attention although everything works."""
    warning = deprecation(plan.desired.function.configuration["Runtime"])
    return [] if warning is None else [warning]


def planned_action(action: Action, plan: Plan) -> dict[str, Any]:
    """Return an action as JSON; one that changes the code says what is deployed."""
    document = action_document(action)
    return {**document, "code": code_state(plan)} if action.resource == "code" else document


def action_document(action: Action) -> dict[str, Any]:
    """Return an action as JSON."""
    return {
        "verb": action.verb,
        "resource": action.resource,
        "name": action.name,
        "changes": [change_document(change) for change in visible(action.changes)],
    }


def foreign_count(plan: Plan) -> int:
    """Return the number of notifications on the bucket that this tool leaves alone."""
    return notifications.foreign_count(
        plan.observed.notifications, plan.desired.owner, owns_eventbridge=owns_eventbridge(plan.observed)
    )
