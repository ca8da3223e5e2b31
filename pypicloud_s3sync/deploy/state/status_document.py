"""Describe the current state, and whether it differs from the settings, as a JSON document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ...config.options import Delivery
from ...config.settings import SyncSettings
from ..desired.tags import BUNDLE_TAG, split_bundle_tag
from ..models import Action, Function, LogGroup, Observed, Parameter, Plan, Queue, Role, Rule
from ..plan.conflicts import is_owned
from ..problems import CONFLICT, FAILING, PAUSED, TABLES, Problem
from ..snap_start import qualified
from .about import about
from .code_state import code_state
from .console_urls import console_url, metrics_url
from .differences import differences
from .health import paused_problems, runtime_problems
from .plan_document import foreign_count, planned_action, runtime_warnings

#: The resources that every delivery has.
COMMON = ("role", "log group", "dead-letter queue", "queue", "function", "event source mapping")
#: The resources of each delivery, in the order in which they are created.
RESOURCES = {
    Delivery.DIRECT: (*COMMON, "permission", "notification"),
    Delivery.SQS: (*COMMON, "notification"),
    Delivery.EVENTBRIDGE: (*COMMON, "rule", "notification"),
}
#: Fields whose values mean nothing to people; ``code`` says what they show.
HASHES = ("fingerprint", "CodeSha256")
#: The parts whose names another owner may have taken.
FOREIGN: Mapping[str, Callable[[Observed], Role | Function | LogGroup | Parameter | Queue | Rule | None]] = {
    "role": lambda observed: observed.role,
    "function": lambda observed: observed.function,
    "queue": lambda observed: observed.delivery_resources.queue,
    "dead-letter queue": lambda observed: observed.delivery_resources.dead_letters,
    "rule": lambda observed: observed.delivery_resources.rule,
    "parameter": lambda observed: observed.parameter,
    "schedule role": lambda observed: observed.schedule_role,
}


def status_document(
    plan: Plan,
    settings: SyncSettings,
    problems: Iterable[Problem] = (),
    ages: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the current state, and whether it differs from the settings, as JSON.

    ``state`` is ``on``, ``off``, ``partial`` (something is missing), ``differs``, ``failing`` (events fail),
    ``paused`` (events are not handled) or ``conflict`` (something is in the way).

    Parameters
    ----------
    plan : Plan
        What differs; conflicts may be among it.
    settings : SyncSettings
    problems : iterable of Problem
        What was found besides the plan: conflicts, and failures.
    ages : dict
        The age in seconds of the oldest event that is ``waiting`` and that has ``failed``, if known.
    """
    resources = [_resource(plan, kind) for kind in _kinds(plan)] + _obsolete(plan)
    found = [*problems, *paused_problems(plan), *runtime_problems(plan)]
    state = _state(resources, found)
    return {
        "state": state,
        "in_sync": plan.in_sync,
        "healthy": state == "on" and not found,
        "installed": _is_installed(resources),
        "problems": [problem.document for problem in found],
        "warnings": runtime_warnings(plan),
        "function": plan.desired.names.function,
        "function_arn": plan.desired.function.arn,
        "role_arn": plan.desired.role_arn,
        "bucket": plan.desired.bucket,
        "prefix": settings.prefix,
        "region": plan.desired.region,
        "cache": settings.cache,
        "runtime": settings.runtime,
        "architecture": settings.architecture,
        "memory_size": settings.memory_size,
        "timeout": settings.timeout,
        "delivery": settings.delivery,
        "events": _events(plan, ages),
        "code": code_state(plan),
        "bundle": {"deployed": _deployed_bundle(plan), "server": plan.desired.fingerprint},
        "metrics_url": metrics_url(plan) if _has_pages(plan, settings) else None,
        "foreign_notifications": foreign_count(plan),
        "resources": [_with_url(resource, plan, settings) for resource in resources],
        "actions": [planned_action(action, plan) for action in plan.actions],
        **({"about": about(settings)} if not _is_installed(resources) else {}),
    }


def _events(plan: Plan, ages: Mapping[str, int]) -> dict[str, Any]:
    """Return how many events wait and have failed, how old they are, and where failed ones go."""
    resources, function = plan.observed.delivery_resources, plan.observed.function
    target = function.configuration.get("DeadLetterConfig", {}).get("TargetArn") if function else None
    return {
        "waiting": resources.queue.messages if resources.queue else 0,
        "oldest_waiting_seconds": ages.get("waiting"),
        "failed": resources.dead_letters.messages if resources.dead_letters else 0,
        "oldest_failed_seconds": ages.get("failed"),
        "dead_letter_target": target or None,
    }


def _kinds(plan: Plan) -> tuple[str, ...]:
    """Return the kinds of the desired resources, in the order in which they are created."""
    kinds = RESOURCES[plan.desired.delivery]
    if plan.desired.schedule is not None:
        after = kinds.index("event source mapping") + 1
        kinds = (*kinds[:after], "schedule role", "schedule", *kinds[after:])
    if plan.desired.snap_start:
        after = kinds.index("function") + 1
        kinds = (*kinds[:after], "alias", *kinds[after:])
    return kinds if plan.desired.parameter is None else (*kinds[:2], "parameter", *kinds[2:])


def _resource(plan: Plan, kind: str) -> dict[str, Any]:
    """Return a resource as ``ok``, ``missing`` or ``differs``; as ``given`` if the settings name the role."""
    actions = [action for action in plan.actions if action.resource in (kind, _alias(kind))]
    if any(action.verb == "create" for action in actions):
        state = "missing"
    elif actions:
        state = "differs"
    else:
        state = "given" if kind == "role" and plan.desired.role is None else "ok"
    resource: dict[str, Any] = {
        "resource": kind,
        "name": _name(plan, kind),
        "state": state,
        "differences": [] if state == "missing" else _differences(plan, actions),
    }
    if kind in FOREIGN and _is_foreign(plan, kind):
        resource["foreign"] = True
    if kind == "function":
        resource["code"] = code_state(plan)
    observed = plan.observed.delivery_resources
    queue = {"queue": observed.queue, "dead-letter queue": observed.dead_letters}.get(kind)
    return resource if queue is None else {**resource, "messages": queue.messages}


def _differences(plan: Plan, actions: Iterable[Action]) -> list[dict[str, Any]]:
    """Return what the actions change; of the code, only whether it is the server's."""
    found: list[dict[str, Any]] = []
    for action in actions:
        if action.resource == "code" and code_state(plan) != "current":
            found.append({"field": "code", "before": code_state(plan), "after": "current"})
        found += [item for item in differences(action) if item["field"] not in HASHES]
    return found


def _is_foreign(plan: Plan, kind: str) -> bool:
    found = FOREIGN[kind](plan.observed)
    return found is not None and not is_owned(found, plan.desired.bucket)


def _with_url(resource: dict[str, Any], plan: Plan, settings: SyncSettings) -> dict[str, Any]:
    """Return a resource with the address of its page in AWS's console, if there is one."""
    url = console_url(plan, resource["resource"]) if resource["state"] != "missing" else None
    return {**resource, "console_url": url} if url and settings.endpoint_url is None else resource


def _has_pages(plan: Plan, settings: SyncSettings) -> bool:
    return plan.observed.function is not None and settings.endpoint_url is None


def _obsolete(plan: Plan) -> list[dict[str, Any]]:
    """Return the resources of another delivery that are still in AWS."""
    return [
        {"resource": action.resource, "name": action.name, "state": "differs", "differences": []}
        for action in plan.actions
        if action.verb == "delete" and action.resource not in _kinds(plan)
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
        "alias": qualified(names.function),
        "dead-letter queue": names.dead_letters,
        "queue": names.queue,
        "event source mapping": names.queue,
        "rule": names.rule,
        "parameter": names.parameter,
        "schedule role": names.schedule_role,
        "schedule": names.schedule,
        "permission": permission.get("StatementId", ""),
        "notification": names.notification,
    }
    return names_by_kind[kind]


def _deployed_bundle(plan: Plan) -> str | None:
    """Return the fingerprint of the deployed code; it equals the server's if the versions are the same."""
    function = plan.observed.function
    tag = "" if function is None else function.tags.get(BUNDLE_TAG, "")
    return split_bundle_tag(tag)[0]


def _is_installed(resources: list[dict[str, Any]]) -> bool:
    """Return whether this tool created a resource that still exists; a log group alone means nothing.

    An earlier function, or a visit to the console, may have created it.
    """
    return any(
        resource["state"] in ("ok", "differs") and not resource.get("foreign")
        for resource in resources
        if resource["resource"] != "log group"
    )


def _state(resources: list[dict[str, Any]], problems: list[Problem]) -> str:
    kinds = {problem.problem for problem in problems}
    states = {resource["state"] for resource in resources}
    if not kinds.isdisjoint({CONFLICT, TABLES}):
        return "conflict"
    if not _is_installed(resources):
        return "off"
    if "missing" in states:
        return "partial"
    if PAUSED in kinds:
        return "paused"
    if "differs" in states:
        return "differs"
    return "failing" if FAILING in kinds else "on"
