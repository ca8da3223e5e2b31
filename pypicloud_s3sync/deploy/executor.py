"""Performs a plan's actions in their order, and nothing else; reports each step as it goes."""

from __future__ import annotations

from collections.abc import Callable

from ..exceptions import S3SyncError
from .bundle import Bundle
from .models import Action, Plan, Progress, Reporter
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
        Builds the bundle, or hands over the one that was built for the plan. It is called before the first
        mutating call, so that a bundle that does not work leaves AWS as it was.
    report : callable
        Takes a :class:`.models.Progress`.

    Raises
    ------
    S3SyncError
        The first step that failed; the next run goes on from there.
    """
    built = bundle(report) if any(action.needs_bundle for action in plan.actions) else None
    for action in plan.actions:
        step = step_name(action)
        running, done = VERBS[action.verb]
        report(Progress(step, "running", f"{running} the {action.resource} {action.name}"))
        try:
            arguments = dict(action.arguments)
            if action.needs_bundle:
                arguments["bundle"] = built
            writers.perform(action.call, **arguments)
        except S3SyncError as error:
            report(Progress(step, "failed", str(error)))
            raise
        report(Progress(step, "done", f"{done} the {action.resource} {action.name}"))


def step_name(action: Action) -> str:
    """An action as a step of a run, for example ``create role``."""
    return f"{action.verb} {action.resource}"
