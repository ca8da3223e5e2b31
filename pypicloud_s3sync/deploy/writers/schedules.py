"""Create, update and delete the schedule by which the function reconciles."""

from __future__ import annotations

from typing import Any

from ..models import Schedule
from .calls import Calls

#: AWS's message while a new role is not known to EventBridge Scheduler yet.
PROPAGATION = ("must allow AWS EventBridge Scheduler to assume the role",)


class ScheduleWriter:
    """Actions on the schedule."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, schedule: Schedule) -> None:
        """Create the schedule."""
        self.calls.create(lambda: self._put("create_schedule", schedule), lambda: self._adopt(schedule))

    def update(self, schedule: Schedule) -> None:
        """Replace the whole schedule, which has what others have set on it."""
        self._put("update_schedule", schedule)

    def _put(self, operation: str, schedule: Schedule) -> Any:
        resource = f"the schedule {schedule.name}"

        def call() -> Any:
            return self.calls.do("scheduler", operation, resource, Name=schedule.name, **schedule.arguments)

        return self.calls.retry_on(PROPAGATION, call)

    def _adopt(self, schedule: Schedule) -> bool:
        """Return whether the existing schedule sends to the same queue; if so, update it."""
        resource = f"the schedule {schedule.name}"
        found = self.calls.find("scheduler", "get_schedule", resource, Name=schedule.name) or {}
        if found.get("Target", {}).get("Arn") != schedule.target["Arn"]:
            return False
        self.update(schedule)
        return True

    def delete(self, name: str) -> None:
        """Delete the schedule."""
        self.calls.delete_if_exists("scheduler", "delete_schedule", f"the schedule {name}", Name=name)
