"""Describe what a run has done, and which events may have been missed before it."""

from __future__ import annotations

from ...config.options import Delivery
from .. import notifications
from ..desired.delivery import deliveries_of
from ..models import Action, Plan
from ..plan.permissions import permits, statements_of
from ..problems import ADD_MISSED
from ..snap_start import ALIAS, qualified

#: The resources that carry events, and the fields that decide whether they do; None means all of them.
#: Without the event source mapping, events wait in the queue.
CARRIERS: dict[str, frozenset[str] | None] = {
    "notification": None,
    "permission": None,
    "queue": frozenset({"Policy"}),
    "rule": frozenset({"pattern", "state", "target"}),
    # Events fail without the function or its role; an update of either says nothing about them.
    "function": frozenset(),
    "role": frozenset(),
}


#: The parts through which only failed events go with direct delivery.
NET = ("queue", "event source mapping")


def enabled(plan: Plan, reconciled: str = "") -> str:
    """Return the result of ``enable`` in a few sentences.

    Parameters
    ----------
    plan : Plan
    reconciled : str, optional
        The result of the reconciliation that followed, which has added what was missed.
    """
    if plan.in_sync:
        return f"Nothing to do. {reconciled}".strip()
    return f"S3 sync is on. {reconciled or missed_events(plan)}".strip()


def disabled(plan: Plan) -> str:
    """Return the result of ``disable`` in a sentence."""
    return "Nothing to do." if plan.in_sync else "S3 sync is off."


def missed_events(plan: Plan) -> str:
    """Return a warning if events may have been missed before the plan was executed; otherwise an empty text.

    A first installation has missed none: what the bucket held before is another matter. A move to another
    delivery misses none either, because both ways work meanwhile, and neither does one to an alias or back.
    """
    if deliveries_of(plan.observed.function) - {plan.desired.delivery} or _invokes_otherwise(plan):
        return ""
    unused = () if _uses_net(plan) else NET
    parts = [
        action.resource
        for action in plan.actions
        if _carries_events(action) and action.resource not in unused
    ]
    if not parts or not _was_installed(plan):
        return ""
    listed = ", ".join(dict.fromkeys(parts))
    remedy = ADD_MISSED[0].upper() + ADD_MISSED[1:]
    return f"Events may have been missed, because resources were missing or different ({listed}). {remedy}."


def _invokes_otherwise(plan: Plan) -> bool:
    """Return whether S3 may invoke the alias instead of the function that the plan wants, or vice versa."""
    wanted, entry = plan.desired.permission, plan.desired.subscription.entry
    if wanted is None or entry is None:
        return False
    arns = {
        item.get("LambdaFunctionArn")
        for item in notifications.owned_entries(plan.observed.notifications, plan.desired.owner)
    } - {entry.get("LambdaFunctionArn")}
    alias = None if plan.desired.snap_start else ALIAS
    arn = plan.desired.function.arn if alias is None else qualified(plan.desired.function.arn)
    return arn in arns and any(
        permits(statement, wanted) for statement in statements_of(plan.observed, alias)
    )


def _uses_net(plan: Plan) -> bool:
    """Return whether events went through the queue: always, unless S3 invokes the function.

    Then only failed events do, and only if the queue is the function's dead-letter target. It is not for a
    function that was installed before there was a queue, so none can have been missed there.
    """
    function, queue = plan.observed.function, plan.desired.delivery_resources.queue
    if plan.desired.delivery is not Delivery.DIRECT or function is None or queue is None:
        return True
    return bool(function.configuration.get("DeadLetterConfig", {}).get("TargetArn") == queue.arn)


def _carries_events(action: Action) -> bool:
    if action.verb == "delete" or action.resource not in CARRIERS:
        return False
    fields = CARRIERS[action.resource]
    return (
        action.verb == "create" or fields is None or any(change.field in fields for change in action.changes)
    )


def _was_installed(plan: Plan) -> bool:
    """Return whether some resource existed; a log group alone means nothing."""
    observed = plan.observed
    resources = observed.delivery_resources
    entries = list(notifications.owned_entries(observed.notifications, plan.desired.owner))
    return any((observed.role, observed.function, entries, resources.queue, resources.rule))
