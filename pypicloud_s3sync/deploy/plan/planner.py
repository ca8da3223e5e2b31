"""Plan the actions that turn the observed resources into the desired ones.

``enable`` performs exactly the actions that ``plan`` shows, in this order: role, log group, parameter,
queues, function, alias, event source mapping, rule, schedule, permission, and the notification, because S3
checks the permission then. What a previous delivery needed is removed last, and so is a parameter that the
function still refers to. ``disable`` uses the reverse order.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..desired.parameters import refers_to
from ..models import Action, Change, Desired, Observed, Plan
from .alias import alias_actions, alias_record_actions, alias_removal_actions
from .conflicts import is_owned, refuse_conflicts
from .delivery import (
    delivery_actions,
    mapping_removal_actions,
    notification_actions,
    notification_removal_actions,
    obsolete_delivery_actions,
    queue_actions,
    queue_removal_actions,
    rule_removal_actions,
    switch_record_actions,
)
from .function import (
    delivery_tag_actions,
    function_actions,
    log_group_actions,
    obsolete_role_actions,
    role_actions,
    staged_bundle_actions,
)
from .parameters import obsolete_parameter_actions, parameter_actions, parameter_removal_actions
from .permissions import permission_actions, permission_removal_actions
from .schedule import obsolete_schedule_actions, schedule_actions, schedule_removal_actions


def plan_enable(desired: Desired, observed: Observed, *, force: bool = False) -> Plan:
    """Return the plan of ``enable``.

    Parameters
    ----------
    desired : Desired
    observed : Observed
    force : bool
        Send the code even if nothing changed, and take over a function that this tool did not create.

    Raises
    ------
    ConflictError, ConfigError
        If the deployment would touch a foreign resource or cannot succeed. Nothing was changed then.
    """
    refuse_conflicts(desired, observed, force=force)
    return compare(desired, observed, force=force)


def compare(desired: Desired, observed: Observed, *, force: bool = False) -> Plan:
    """Return what differs as a plan, even if :func:`plan_enable` would refuse it; it is not for execution."""
    obsolete_parameter = tuple(obsolete_parameter_actions(desired, observed))
    is_used = refers_to(observed.function, desired.names.parameter)
    function = tuple(function_actions(desired, observed, force=force))
    actions = (
        *(() if is_used else obsolete_parameter),
        *staged_bundle_actions(observed, desired.bucket),
        *role_actions(desired, observed),
        *log_group_actions(desired.log_group, observed.log_group),
        *parameter_actions(desired, observed),
        *queue_actions(desired, observed),
        *function,
        *alias_actions(desired, observed, function),
        *delivery_actions(desired, observed),
        *schedule_actions(desired, observed),
        *permission_actions(desired, observed),
        *notification_actions(desired, observed),
        *obsolete_delivery_actions(desired, observed),
        *switch_record_actions(desired, observed),
        *delivery_tag_actions(desired, observed.function),
        *alias_record_actions(desired, observed),
        *obsolete_schedule_actions(desired, observed),
        *(obsolete_parameter if is_used else ()),
        *obsolete_role_actions(desired, observed.role),
    )
    return Plan(actions, desired, observed)


def plan_disable(desired: Desired, observed: Observed) -> Plan:
    """Return the plan of ``disable``: remove what this tool created, and nothing else."""
    actions = (
        # Before the function, whose tags record that it may exist.
        *schedule_removal_actions(desired, observed),
        *notification_removal_actions(desired, observed),
        *permission_removal_actions(desired.names, observed.statements),
        *mapping_removal_actions(desired, observed),
        # Before the function leaves its VPC, whose network interfaces its versions use as well.
        *alias_removal_actions(desired, observed),
        *rule_removal_actions(observed.delivery_resources.rule, desired.bucket),
        *staged_bundle_actions(observed, desired.bucket),
        # Before the function, whose tags record that it may exist.
        *parameter_removal_actions(desired, observed),
        *_function_removal_actions(desired, observed),
        *queue_removal_actions(desired, observed),
        *_removals(desired, observed),
    )
    return Plan(actions, desired, observed)


def _function_removal_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    function = observed.function
    if function is not None and is_owned(function, desired.bucket):
        name = desired.names.function
        network = function.configuration.get("VpcConfig", {})
        if network.get("SubnetIds"):
            shown = (Change("VpcConfig", network, None),)
            yield Action("update", "function", name, "function.leave_vpc", {"name": name}, shown)
        yield Action("delete", "function", name, "function.delete", {"name": name})


def _removals(desired: Desired, observed: Observed) -> Iterator[Action]:
    names, bucket = desired.names, desired.bucket
    if is_owned(observed.log_group, bucket):
        yield Action("delete", "log group", names.log_group, "log_group.delete", {"name": names.log_group})
    for role in (observed.role, observed.spare_role):
        if role is not None and is_owned(role, bucket):
            yield Action("delete", "role", role.name, "role.delete", {"name": role.name})
