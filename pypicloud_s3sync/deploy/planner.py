"""What has to be done to turn what is there into what is wanted; values in, values out.

``enable`` performs exactly the actions that ``plan`` shows, in their order: role, log group, function (active
before S3 may know of it), permission, and the notification last. ``disable`` goes the other way.
"""

from __future__ import annotations

from . import notifications
from .conflicts import is_ours, refuse_conflicts
from .models import Action, Desired, Observed, Plan
from .steps import (
    find_statement,
    function_actions,
    log_group_actions,
    needless_role_actions,
    notification_actions,
    permission_actions,
    role_actions,
)


def plan_enable(
    desired: Desired, observed: Observed, code_sha256: str | None = None, *, force: bool = False
) -> Plan:
    """The actions that make it so.

    Parameters
    ----------
    desired : Desired
    observed : Observed
    code_sha256 : str, optional
        Of the bundle, where it was built because :func:`.steps.code_is_known` could not tell.
    force : bool
        Send the code even where nothing changed, and take over a function that this tool did not make.

    Raises
    ------
    ConflictError
        Something that is not ours is in the way. Nothing has been made then.
    """
    refuse_conflicts(desired, observed, force=force)
    actions = (
        *role_actions(desired, observed.role),
        *log_group_actions(desired.log_group, observed.log_group),
        *function_actions(desired, observed.function, code_sha256, force=force),
        *permission_actions(desired, observed.statements),
        *notification_actions(desired, observed.notifications),
        *needless_role_actions(desired, observed.role),
    )
    return Plan(actions, desired, observed)


def plan_disable(desired: Desired, observed: Observed) -> Plan:
    """The actions that take away what this tool made, and nothing else."""
    names = desired.names
    actions = []
    if notifications.has_entry(observed.notifications, names.notification, desired.function.arn):
        arguments = {"identifier": names.notification, "function_arn": desired.function.arn}
        actions.append(Action("delete", "notification", names.notification, "notification.remove", arguments))
    if find_statement(observed.statements, names.statement) is not None:
        arguments = {"function": names.function, "statement": names.statement}
        actions.append(Action("delete", "permission", names.statement, "permission.remove", arguments))
    if is_ours(observed.function, desired.bucket):
        actions.append(
            Action("delete", "function", names.function, "function.delete", {"name": names.function})
        )
    if is_ours(observed.log_group, desired.bucket):
        arguments = {"name": names.log_group}
        actions.append(Action("delete", "log group", names.log_group, "log_group.delete", arguments))
    if is_ours(observed.role, desired.bucket):
        actions.append(Action("delete", "role", names.role, "role.delete", {"name": names.role}))
    return Plan(tuple(actions), desired, observed)
