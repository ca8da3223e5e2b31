"""The documents with which the panel's tests answer its requests, as the routes would."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from pypicloud_s3sync.deploy.plan.conflicts import conflicts
from pypicloud_s3sync.deploy.plan.planner import compare, plan_disable, plan_enable
from pypicloud_s3sync.deploy.state.health import Failing, failing_problem
from pypicloud_s3sync.deploy.state.plan_document import plan_document
from pypicloud_s3sync.deploy.state.status_document import status_document
from support.fakes import NOTHING, deployed, make_desired, make_settings
from support.panels import ACTIVITY

NOW = int(time.time())
HOUR = 3600
MIDNIGHT = 1_767_225_600  # in UTC
DESIRED = make_desired()
LONG_KEY = "a1b2/" + "an-uncommonly-long-name-" * 12 + "1.0.tar.gz"


def status_of(observed: Any, *problems: Any) -> dict[str, Any]:
    """Return the status document of what AWS has."""
    found = [*conflicts(DESIRED, observed), *problems]
    return status_document(compare(DESIRED, observed), make_settings(), found)


def function_of(observed: Any) -> Any:
    assert observed.function
    return observed.function


def with_memory(memory: int) -> Any:
    """Return what AWS has after someone changed the function's memory."""
    observed = deployed(DESIRED)
    configuration = {**function_of(observed).configuration, "MemorySize": memory}
    return replace(observed, function=replace(function_of(observed), configuration=configuration))


ON = status_of(deployed(DESIRED))
OFF = status_of(NOTHING)
DIFFERS = status_of(with_memory(1024))
PARTIAL = status_of(replace(deployed(DESIRED), notifications={}))
PAUSED = status_of(
    replace(deployed(DESIRED), function=replace(function_of(deployed(DESIRED)), reserved_concurrency=0))
)
FAILING = status_of(
    deployed(DESIRED), failing_problem(Failing(2_134_624, 250_053, MIDNIGHT), "/aws/lambda/sync")
)
FOREIGN = {
    "Id": "reports",
    "QueueArn": "arn:aws:sqs:eu-west-1:111122223333:q",
    "Events": ["s3:ObjectCreated:*"],
}
CONFLICT = status_of(replace(deployed(DESIRED), notifications={"QueueConfigurations": [FOREIGN]}))
ENABLE = plan_document(plan_enable(DESIRED, NOTHING), "enable")
REPAIR = plan_document(plan_enable(DESIRED, with_memory(1024)), "enable")
DISABLE = plan_document(plan_disable(DESIRED, deployed(DESIRED)), "disable")
PACKAGES = [
    {"time": NOW, "key": LONG_KEY, "action": "saved", "lag_ms": 258},
    {
        "time": NOW - 60,
        "key": "a/x-1.0.tar.gz",
        "action": "failed",
        "lag_ms": None,
        "error": "Throttled: slow down",
    },
    {"time": NOW - 120, "key": "a/y-1.0.tar.gz", "action": "cleared", "lag_ms": 75_400},
]
#: The last hour has a label, which must not leave the page.
HOURS = [
    {"time": MIDNIGHT - HOUR * (23 - hour), "events": 90_000 * (hour % 3), "errors": hour % 2}
    for hour in range(24)
]
BUSY_ACTIVITY = {**ACTIVITY, "packages": PACKAGES, "hours": HOURS}
STEPS = [
    {"step": "create permission", "state": "running", "message": "creating the permission"},
    {"step": "create permission", "state": "done", "message": "created the permission"},
    {"step": "update function", "state": "done", "message": "updated the function"},
]
RESULT = {"result": "ok", "message": "S3 sync is on."}


def running(*steps: dict[str, Any], since: int = NOW) -> dict[str, Any]:
    """Return the status document during a run."""
    run = {"command": "enable", "since": since, "steps": list(steps)}
    return {"state": "running", "in_sync": False, "running": run}


def ended(result: str, message: str, since: int = NOW, **more: Any) -> dict[str, Any]:
    """Return the ``last_run`` of a status document."""
    run = {"command": "enable", "since": since, "ended": since + 7, "steps": STEPS[1:]}
    return {**run, "result": result, "message": message, **more}
