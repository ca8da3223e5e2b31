"""Find what is in the way of a deployment, and refuse it before anything is created."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...exceptions import ConfigError, ConflictError
from .. import notifications
from ..desired import parameters, policy
from ..desired.tags import OWNER_TAG
from ..models import (
    DeliveryResources,
    Desired,
    Function,
    LogGroup,
    Observed,
    Parameter,
    Queue,
    Role,
    Rule,
    Schedule,
)
from ..problems import CONFLICT, SETTINGS, Problem
from ..snap_start import Published

#: In bytes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ENVIRONMENT_LIMIT = 4096
#: The largest ephemeral storage of a function with SnapStart, in MB.
SNAP_START_STORAGE = 512


def refuse_conflicts(desired: Desired, observed: Observed, *, force: bool) -> None:
    """Raise an error if the deployment would touch a foreign resource or cannot succeed.

    Parameters
    ----------
    desired : Desired
    observed : Observed
    force : bool
        Take over a function that this tool did not create.

    Raises
    ------
    ConflictError, ConfigError
        The message names the first conflict and how to resolve it.
    """
    for problem in conflicts(desired, observed, force=force):
        raise (ConfigError if problem.problem == SETTINGS else ConflictError)(str(problem))


def conflicts(desired: Desired, observed: Observed, *, force: bool = False) -> Iterator[Problem]:
    """Yield everything that :func:`refuse_conflicts` refuses."""
    yield from _given_role(desired, observed.given_role)
    yield from _foreign_role(desired, observed.role)
    yield from _foreign_function(desired, observed.function, force=force)
    yield from _parameter(desired.parameter, observed.parameter, desired.bucket)
    yield from _foreign_delivery_resources(desired, observed.delivery_resources)
    yield from _foreign_schedule(desired, observed)
    yield from _without_snap_start(desired, observed.published)
    yield from _overlap(desired, observed.notifications)
    yield from _large_environment(desired, observed.function)


def is_owned(resource: Role | Function | LogGroup | Parameter | Queue | Rule | None, bucket: str) -> bool:
    """Return whether a resource has the tag of what this tool created for the bucket."""
    return resource is not None and resource.tags.get(OWNER_TAG) == bucket


def _given_role(desired: Desired, given: Role | None) -> Iterator[Problem]:
    if desired.role is not None:
        return
    if given is None:
        message = f"the role {desired.role_arn} does not exist"
        yield Problem(CONFLICT, message, "correct the ARN, or leave it out")
    elif not policy.lambda_may_assume(given.trust):
        yield Problem(
            CONFLICT,
            f"Lambda cannot assume the role {desired.role_arn}",
            "allow sts:AssumeRole for lambda.amazonaws.com in its trust policy",
        )


def _foreign_role(desired: Desired, role: Role | None) -> Iterator[Problem]:
    if desired.role is not None and role is not None and not is_owned(role, desired.bucket):
        yield Problem(
            CONFLICT,
            f"the role {role.arn} already exists and was not created by this tool",
            "remove it, or use another role with -a",
        )


def _foreign_function(desired: Desired, function: Function | None, *, force: bool) -> Iterator[Problem]:
    if function is None:
        return
    owner = function.tags.get(OWNER_TAG)
    if function.package != "Zip":
        message = f"the function {function.name} in {desired.region} is a container image: it takes no zip"
        yield Problem(CONFLICT, message, "choose another name with -n")
    elif is_owned(function, desired.bucket):
        return
    elif owner is not None:
        message = f"the function {function.name} in {desired.region} already serves the bucket {owner}"
        yield Problem(CONFLICT, message, "choose another name with -n")
    elif not force:
        yield Problem(
            CONFLICT,
            f"the function {function.name} already exists in {desired.region} and was not created by this"
            " tool",
            "choose another name with -n, or take it over with -f",
        )


def _parameter(wanted: Parameter | None, found: Parameter | None, bucket: str) -> Iterator[Problem]:
    if wanted is None:
        return
    if found is not None and not is_owned(found, bucket):
        message = f"the SSM parameter {found.name} already exists and was not created by this tool"
        yield Problem(CONFLICT, message, "remove it, or set s3sync.secrets to environment or to a secret")
    size = len(wanted.value.encode())
    if size > parameters.LIMIT:
        yield Problem(
            SETTINGS,
            f"the db.* settings with secrets are {size} bytes, but an SSM parameter holds {parameters.LIMIT}",
            "shorten them, or set s3sync.secrets to the ARN of a secret in Secrets Manager",
        )


def _foreign_delivery_resources(desired: Desired, resources: DeliveryResources) -> Iterator[Problem]:
    wanted = desired.delivery_resources
    pairs = (
        (wanted.queue, resources.queue),
        (wanted.dead_letters, resources.dead_letters),
        (wanted.rule, resources.rule),
    )
    for needed, found in pairs:
        if needed is not None and found is not None and not is_owned(found, desired.bucket):
            message = f"{found.arn} already exists and was not created by this tool"
            yield Problem(CONFLICT, message, "remove it")


def is_own_schedule(schedule: Schedule, desired: Desired) -> bool:
    """Return whether a schedule sends to this tool's queue; schedules have no tags."""
    queue = desired.delivery_resources.queue
    return queue is not None and schedule.target.get("Arn") == queue.arn


def _foreign_schedule(desired: Desired, observed: Observed) -> Iterator[Problem]:
    if desired.schedule is None:
        return
    found, role = observed.schedule, observed.schedule_role
    if found is not None and not is_own_schedule(found, desired):
        message = f"the schedule {found.name} already exists and was not created by this tool"
        yield Problem(CONFLICT, message, "remove it")
    if role is not None and not is_owned(role, desired.bucket):
        yield Problem(
            CONFLICT, f"the role {role.arn} already exists and was not created by this tool", "remove it"
        )


def _without_snap_start(desired: Desired, published: Published | None) -> Iterator[Problem]:
    """Yield the problem that the function has what SnapStart does not support.

    https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-runtimes
    """
    if not desired.snap_start or published is None:
        return
    content, name = published.latest.content, desired.names.function
    found = []
    if content.get("FileSystemConfigs"):
        found.append("a file system (EFS)")
    if content.get("EphemeralStorage", {}).get("Size", 0) > SNAP_START_STORAGE:
        found.append(f"more than {SNAP_START_STORAGE} MB of ephemeral storage")
    if found:
        message = f"the function {name} has {' and '.join(found)}, which SnapStart does not support"
        yield Problem(CONFLICT, message, "remove that from the function, or leave out s3sync.snap_start")


def _overlap(desired: Desired, configuration: Mapping[str, Any]) -> Iterator[Problem]:
    if desired.subscription.entry is None:
        return
    found = notifications.overlapping(configuration, desired.owner, desired.subscription.entry)
    if found is not None:
        yield Problem(
            CONFLICT,
            f"another notification of the bucket {desired.bucket} overlaps with the sync, which S3 refuses:"
            f" {found}",
            "narrow or remove that notification",
        )


def _large_environment(desired: Desired, function: Function | None) -> Iterator[Problem]:
    before = {} if function is None else function.configuration.get("Environment", {})
    variables = {**before, **desired.function.configuration["Environment"]}
    size = environment_size(variables)
    if size > ENVIRONMENT_LIMIT:
        yield Problem(
            SETTINGS,
            f"the environment of the function {desired.names.function} would be {size} bytes, but Lambda"
            f" allows {ENVIRONMENT_LIMIT}",
            "shorten the db.* settings or remove variables that were added",
        )


def environment_size(variables: Mapping[str, str]) -> int:
    """Return the size of an environment in bytes as Lambda measures it: as compact JSON.

    Lambda's error for a larger one ends with the text that it measured, for example
    ``String measured: {"A":"{\\"b\\":1}"}``: quotes inside a value count twice. See
    https://github.com/github-aws-runners/terraform-aws-github-runner/issues/3594
    """
    return len(json.dumps(dict(variables), ensure_ascii=False, separators=(",", ":")).encode())
