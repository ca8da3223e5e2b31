"""Plan the actions on the schedule by which the function reconciles, and on its role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..desired.schedule import is_recorded
from ..desired.tags import SCHEDULE_TAG
from ..models import Action, Change, Desired, Observed, Role, Schedule
from .conflicts import is_own_schedule, is_owned
from .function import differences, role_changes, tag_actions
from .keys import with_key_of_queue

#: The fields that this tool sets; the others, for example a time window, stay as they are.
FIELDS = ("ScheduleExpression", "State", "Target")
ROLE = "schedule role"


def schedule_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions for the role and the schedule, which needs the queue and the role."""
    if desired.schedule is None or desired.schedule_role is None:
        return
    yield from role_changes(with_key_of_queue(desired.schedule_role, observed), observed.schedule_role, ROLE)
    yield from _schedule(desired.schedule, observed.schedule)


def _schedule(wanted: Schedule, found: Schedule | None) -> Iterator[Action]:
    if found is None:
        shown = tuple(Change(field, None, wanted.arguments[field]) for field in FIELDS)
        yield Action("create", "schedule", wanted.name, "schedule.create", {"schedule": wanted}, shown)
        return
    own = {field: wanted.arguments[field] for field in FIELDS}
    # A retry policy or a dead-letter queue that someone set on the target stays.
    merged = {**found.arguments, **own, "Target": {**found.target, **wanted.target}}
    changes = differences(
        {field: found.arguments.get(field) for field in FIELDS}, {f: merged[f] for f in FIELDS}
    )
    if changes:
        arguments = {"schedule": replace(wanted, arguments=merged)}
        yield Action("update", "schedule", wanted.name, "schedule.update", arguments, changes)


def obsolete_schedule_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions that delete a schedule that the settings no longer ask for, and its record."""
    if desired.schedule is not None:
        return
    yield from schedule_removal_actions(desired, observed)
    function = observed.function
    if function is not None and is_recorded(function):
        before, after = {SCHEDULE_TAG: function.tags[SCHEDULE_TAG]}, {SCHEDULE_TAG: ""}
        yield from tag_actions(function, before, after)


def schedule_removal_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions that delete this tool's schedule and its role; the function's tag records them."""
    found, role = observed.schedule, observed.schedule_role
    if found is not None and is_own_schedule(found, desired):
        yield Action("delete", "schedule", found.name, "schedule.delete", {"name": found.name})
    if role is not None and is_owned(role, desired.bucket):
        yield from _role_removal(role)


def _role_removal(role: Role) -> Iterator[Action]:
    yield Action("delete", ROLE, role.name, "role.delete", {"name": role.name})
