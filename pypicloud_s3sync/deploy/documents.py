"""Describe a plan and the current state as JSON documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config.options import Delivery
from ..config.settings import SyncSettings
from . import notifications
from .delivery import owns_eventbridge
from .models import BUNDLE_TAG, Action, Plan, split_bundle_tag

#: The resources of each delivery, in the order in which they are created.
RESOURCES = {
    Delivery.DIRECT: ("role", "log group", "function", "permission", "notification"),
    Delivery.SQS: (
        *("role", "log group", "function", "dead-letter queue", "queue", "event source mapping"),
        "notification",
    ),
    Delivery.EVENTBRIDGE: ("role", "log group", "function", "rule", "permission", "notification"),
}


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
        "foreign_notifications": _foreign_count(plan),
        "foreign": notifications.foreign_entries(plan.observed.notifications, plan.desired.owner),
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
    """Return the current state, and whether it differs from the settings, as JSON.

    ``state`` is ``on``, ``off``, ``partial`` (something is missing) or ``differs``.

    Parameters
    ----------
    plan : Plan
        The plan of ``enable``.
    settings : SyncSettings
    """
    resources = [_resource(plan, kind) for kind in RESOURCES[plan.desired.delivery]] + _obsolete(plan)
    return {
        "state": _state(resources),
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
        "foreign_notifications": _foreign_count(plan),
        "resources": resources,
        "actions": [_action(action) for action in plan.actions],
    }


def _resource(plan: Plan, kind: str) -> dict[str, Any]:
    """Return a resource as ``ok``, ``missing`` or ``differs``; as ``given`` if the settings name the role."""
    actions = [action for action in plan.actions if action.resource in (kind, _alias(kind))]
    if any(action.verb == "create" for action in actions):
        state = "missing"
    elif actions:
        state = "differs"
    else:
        state = "given" if kind == "role" and plan.desired.role is None else "ok"
    resource: dict[str, Any] = {"resource": kind, "name": _name(plan, kind), "state": state}
    observed = plan.observed.delivery_resources
    queue = {"queue": observed.queue, "dead-letter queue": observed.dead_letters}.get(kind)
    return resource if queue is None else {**resource, "messages": queue.messages}


def _obsolete(plan: Plan) -> list[dict[str, Any]]:
    """Return the resources of another delivery that are still in AWS."""
    return [
        {"resource": action.resource, "name": action.name, "state": "differs"}
        for action in plan.actions
        if action.verb == "delete" and action.resource not in RESOURCES[plan.desired.delivery]
    ]


def _alias(kind: str) -> str:
    return "code" if kind == "function" else kind


def _name(plan: Plan, kind: str) -> str:
    names = plan.desired.names
    permission = plan.desired.permission or {}
    names_by_kind: Mapping[str, str] = {
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
    return names_by_kind[kind]


def _deployed_bundle(plan: Plan) -> str | None:
    """Return the fingerprint of the deployed code; it equals the server's if the versions are the same."""
    function = plan.observed.function
    tag = "" if function is None else function.tags.get(BUNDLE_TAG, "")
    return split_bundle_tag(tag)[0]


def _state(resources: list[dict[str, Any]]) -> str:
    states = {resource["state"] for resource in resources} - {"given"}
    # A log group alone means nothing: an earlier function, or a visit to the console, may have created it.
    relevant = {resource["state"] for resource in resources if resource["resource"] != "log group"}
    if relevant - {"given"} == {"missing"}:
        return "off"
    if "missing" in states:
        return "partial"
    return "differs" if "differs" in states else "on"


def _foreign_count(plan: Plan) -> int:
    return notifications.foreign_count(
        plan.observed.notifications, plan.desired.owner, owns_eventbridge=owns_eventbridge(plan.observed)
    )
