"""Read the schedule by which the function reconciles."""

from __future__ import annotations

from ..desired.schedule import is_recorded
from ..models import Desired, Function, Role, Schedule
from .calls import Calls
from .roles import find_role

#: What an update of a schedule has to repeat, because it replaces the whole schedule.
ARGUMENTS = (
    *("ScheduleExpression", "ScheduleExpressionTimezone", "State", "FlexibleTimeWindow", "Target"),
    *("Description", "StartDate", "EndDate", "KmsKeyArn", "ActionAfterCompletion"),
)


def find_schedule(
    calls: Calls, desired: Desired, function: Function | None
) -> tuple[Schedule | None, Role | None]:
    """Return the schedule and its role; None for each that does not exist.

    They are read only if they may exist, so that other deployments need no permission to read them.
    """
    if desired.schedule is None and not is_recorded(function):
        return None, None
    name = desired.names.schedule
    found = calls.find("scheduler", "get_schedule", f"the schedule {name}", Name=name)
    schedule = None
    if found is not None:
        schedule = Schedule(name, {key: found[key] for key in ARGUMENTS if found.get(key) is not None})
    return schedule, find_role(calls, desired.names.schedule_role)
