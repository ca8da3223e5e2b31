"""What has to be done to turn what is there into what is wanted; values in, values out.

``enable`` performs exactly the actions that ``plan`` shows, in their order: role, log group, function (active
before S3 may know of it), queues or rule, permission, and the notification last. ``disable`` goes the other
way.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..models import Action, Desired, Observed, Plan
from .conflicts import is_owned, refuse_conflicts
from .delivery import (
    delivery_actions,
    notification_actions,
    notification_removal_actions,
    obsolete_delivery_actions,
    permission_actions,
    permission_removal_actions,
    removal_actions,
)
from .function import (
    delivery_tag_actions,
    function_actions,
    log_group_actions,
    narrow_role_actions,
    obsolete_role_actions,
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
        *role_actions(desired, observed),
        *log_group_actions(desired.log_group, observed.log_group),
        *function_actions(desired, observed.function, code_sha256, force=force),
        *delivery_actions(desired, observed),
        *permission_actions(desired, observed.statements),
        *notification_actions(desired, observed),
        # Whatever the settings no longer ask for goes last, when nothing uses it any more.
        *permission_removal_actions(desired.names, observed.statements, desired.permission),
        *obsolete_delivery_actions(desired, observed),
        *narrow_role_actions(desired, observed),
        *delivery_tag_actions(desired, observed.function),
        *obsolete_role_actions(desired, observed.role),
    )
    return Plan(actions, desired, observed)


def plan_disable(desired: Desired, observed: Observed) -> Plan:
    """The actions that take away what this tool made, and nothing else."""
    actions = (
        *notification_removal_actions(desired, observed),
        *permission_removal_actions(desired.names, observed.statements),
        *removal_actions(observed.delivery_resources, desired, drain=False),
        *_removals(desired, observed),
    )
    return Plan(actions, desired, observed)


def _removals(desired: Desired, observed: Observed) -> Iterator[Action]:
    names, bucket = desired.names, desired.bucket
    if is_owned(observed.function, bucket):
        yield Action("delete", "function", names.function, "function.delete", {"name": names.function})
    if is_owned(observed.log_group, bucket):
        yield Action("delete", "log group", names.log_group, "log_group.delete", {"name": names.log_group})
    if is_owned(observed.role, bucket):
        yield Action("delete", "role", names.role, "role.delete", {"name": names.role})
