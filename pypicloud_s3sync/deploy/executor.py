"""Perform a plan's actions in order, and report each step, for example "created the function …"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from ..exceptions import S3SyncError
from ..sync.counts import count_of
from .bundle import Bundle
from .models import Action, Plan, Progress, Reporter
from .runs import wait_reasons
from .writers import Writers

VERBS = {
    "create": ("creating", "created"),
    "update": ("updating", "updated"),
    "delete": ("deleting", "deleted"),
}


def execute(plan: Plan, writers: Writers, bundle: Callable[[Reporter], Bundle], report: Reporter) -> None:
    """Perform a plan.

    Parameters
    ----------
    plan : Plan
    writers : Writers
    bundle : callable
        Returns the bundle, which may have been built for the plan already. It is called before the first
        mutating call, so that a broken bundle leaves AWS unchanged.
    report : callable
        Receives a :class:`.models.Progress` for each step.

    Raises
    ------
    S3SyncError
        If a step fails; the next run continues with that step.
    """
    built = bundle(report) if any(action.needs_bundle for action in plan.actions) else None
    for action in plan.actions:
        if action.delay:
            writers.pause(action.delay, partial(_report_waiting, report, step_name(action), action.delay))
        perform(action, writers, report, {"bundle": built} if action.needs_bundle else {})


def perform(
    action: Action, writers: Writers, report: Reporter, more: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Perform an action and report it; ``more`` are arguments that the plan does not have."""
    step = step_name(action)
    running, done = VERBS[action.verb]
    message = f"{running} the {action.resource} {action.name}"
    report(Progress(step, "running", message, note=wait_reasons.reason(action)))
    try:
        writers.perform(action.call, **action.arguments, **more)
    except S3SyncError as error:
        report(Progress(step, "failed", str(error)))
        raise
    report(Progress(step, "done", f"{done} the {action.resource} {action.name}"))


def _report_waiting(report: Reporter, step: str, delay: int, elapsed: int) -> None:
    message = f"waiting {count_of(delay // 60, 'minute')}"
    report(Progress(step, "running", message, elapsed, delay, note=wait_reasons.PROPAGATION))


def step_name(action: Action) -> str:
    """Return the name of an action's step, for example ``create role``."""
    return f"{action.verb} {action.resource}"
