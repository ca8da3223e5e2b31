"""What a plan says of the state of things, for a reader or a program; values in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config.options import Delivery
from ..config.settings import SyncSettings
from . import notifications
from .delivery import switched_by_us
from .models import BUNDLE_TAG, Action, Plan

#: The parts of a deployment by its delivery, in the order they are made.
PARTS = {
    Delivery.DIRECT: ("role", "log group", "function", "permission", "notification"),
    Delivery.SQS: (
        *("role", "log group", "function", "dead-letter queue", "queue", "event source mapping"),
        "notification",
    ),
    Delivery.EVENTBRIDGE: ("role", "log group", "function", "rule", "permission", "notification"),
}


def plan_document(plan: Plan, command: str) -> dict[str, Any]:
    """A plan as JSON: what would be changed, with every secret masked.

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
        "foreign_notifications": _foreign(plan),
        "foreign": notifications.foreign(plan.observed.notifications, plan.desired.owner),
        "actions": [_action(action) for action in plan.actions],
    }


def _action(action: Action) -> dict[str, Any]:
    return {
        "verb": action.verb,
        "resource": action.resource,
        "name": action.name,
        "changes": [
            {"field": change.field, "before": change.before, "after": change.after}
            for change in action.changes
        ],
    }


def status_document(plan: Plan, settings: SyncSettings) -> dict[str, Any]:
    """What is there, and whether it differs from the settings, as JSON.

    ``state`` is ``on``, ``off``, ``partial`` (something is missing) or ``differs``.

    Parameters
    ----------
    plan : Plan
        Of ``enable``.
    settings : SyncSettings
    """
    parts = [_part(plan, name) for name in PARTS[plan.desired.delivery]] + _left(plan)
    return {
        "state": _state(parts),
        "in_sync": plan.in_sync,
        "function": plan.desired.names.function,
        "function_arn": plan.desired.function.arn,
        "role_arn": plan.desired.role_arn,
        "bucket": plan.desired.bucket,
        "prefix": settings.prefix,
        "region": plan.desired.region,
        "cache": settings.cache,
        "runtime": settings.runtime,
        "architecture": settings.architecture,
        "delivery": settings.delivery,
        "bundle": {"deployed": _deployed_bundle(plan), "server": plan.desired.fingerprint},
        "foreign_notifications": _foreign(plan),
        "resources": parts,
        "actions": [_action(action) for action in plan.actions],
    }


def _part(plan: Plan, resource: str) -> dict[str, Any]:
    """One part: ``ok``, ``missing`` or ``differs``; ``given`` for a role that is somebody else's."""
    actions = [action for action in plan.actions if action.resource in (resource, _alias(resource))]
    if any(action.verb == "create" for action in actions):
        state = "missing"
    elif actions:
        state = "differs"
    else:
        state = "given" if resource == "role" and plan.desired.role is None else "ok"
    part: dict[str, Any] = {"resource": resource, "name": _name(plan, resource), "state": state}
    observed = plan.observed.delivery_resources
    found = {"queue": observed.queue, "dead-letter queue": observed.dead_letters}.get(resource)
    return part if found is None else {**part, "messages": found.messages}


def _left(plan: Plan) -> list[dict[str, Any]]:
    """What another delivery has left."""
    return [
        {"resource": action.resource, "name": action.name, "state": "differs"}
        for action in plan.actions
        if action.verb == "delete" and action.resource not in PARTS[plan.desired.delivery]
    ]


def _alias(resource: str) -> str:
    return "code" if resource == "function" else resource


def _name(plan: Plan, resource: str) -> str:
    names = plan.desired.names
    permission = plan.desired.permission or {}
    named: Mapping[str, str] = {
        "role": plan.desired.role_arn.rsplit("/", 1)[-1],
        "log group": names.log_group,
        "function": names.function,
        "dead-letter queue": names.dead_letters,
        "queue": names.queue,
        "event source mapping": names.queue,
        "rule": names.rule,
        "permission": permission.get("StatementId", ""),
        "notification": names.notification,
    }
    return named[resource]


def _deployed_bundle(plan: Plan) -> str | None:
    """What the function's code was built from: the server's fingerprint, where it is of its versions."""
    function = plan.observed.function
    tag = "" if function is None else function.tags.get(BUNDLE_TAG, "")
    return tag.partition("/")[0] or None


def _state(parts: list[dict[str, Any]]) -> str:
    states = {part["state"] for part in parts} - {"given"}
    # A function that once ran, or somebody who looked, may have left a log group.
    if {part["state"] for part in parts if part["resource"] != "log group"} - {"given"} == {"missing"}:
        return "off"
    if "missing" in states:
        return "partial"
    return "differs" if "differs" in states else "on"


def _foreign(plan: Plan) -> int:
    configuration: Mapping[str, Any] = plan.observed.notifications
    ours = switched_by_us(plan.observed)
    return notifications.foreign_count(configuration, plan.desired.owner, eventbridge_is_ours=ours)
