"""What stands in the way of a deployment, found before anything is made; values in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...exceptions import ConfigError, ConflictError
from .. import notifications, policy
from ..models import (
    OWNER_TAG,
    DeliveryResources,
    Desired,
    Function,
    LogGroup,
    Observed,
    Queue,
    Role,
    Rule,
)

#: Bytes of all names and values: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ENVIRONMENT_LIMIT = 4096


def refuse_conflicts(desired: Desired, observed: Observed, *, force: bool) -> None:
    """Refuse what would touch something that is not ours.

    Parameters
    ----------
    desired : Desired
    observed : Observed
    force : bool
        Take over a function that this tool did not make.

    Raises
    ------
    ConflictError, ConfigError
        Names what is in the way, and the way out.
    """
    _refuse_given_role(desired, observed.given_role)
    _refuse_foreign_role(desired, observed.role)
    _refuse_foreign_function(desired, observed.function, force=force)
    _refuse_foreign_delivery_resources(desired, observed.delivery_resources)
    _refuse_failed_events(desired, observed.delivery_resources)
    _refuse_overlap(desired, observed.notifications)
    _refuse_large_environment(desired, observed.function)


def is_owned(resource: Role | Function | LogGroup | Queue | Rule | None, bucket: str) -> bool:
    """Whether a resource bears the tag that this tool gives what it makes for a bucket."""
    return resource is not None and resource.tags.get(OWNER_TAG) == bucket


def _refuse_given_role(desired: Desired, given: Role | None) -> None:
    if desired.role is not None:
        return
    if given is None:
        raise ConflictError(f"the role {desired.role_arn} does not exist: correct the ARN, or leave it out")
    if not policy.lets_lambda_assume(given.trust):
        raise ConflictError(
            f"the role {desired.role_arn} does not let Lambda assume it:"
            " allow sts:AssumeRole to lambda.amazonaws.com in its trust policy"
        )


def _refuse_foreign_role(desired: Desired, role: Role | None) -> None:
    if desired.role is not None and role is not None and not is_owned(role, desired.bucket):
        raise ConflictError(
            f"a role {role.arn} exists that this tool did not make: give a role with -a, or remove that one"
        )


def _refuse_foreign_function(desired: Desired, function: Function | None, *, force: bool) -> None:
    if function is None or is_owned(function, desired.bucket):
        return
    owner = function.tags.get(OWNER_TAG)
    if owner is not None:
        raise ConflictError(
            f"the function {function.name} in {desired.region} serves the bucket {owner}:"
            " give another name with -n"
        )
    if not force:
        raise ConflictError(
            f"a function {function.name} exists in {desired.region} that this tool did not make:"
            " give another name with -n, or take it over with -f"
        )


def _refuse_foreign_delivery_resources(desired: Desired, resources: DeliveryResources) -> None:
    wanted = desired.delivery_resources
    pairs = (
        (wanted.queue, resources.queue),
        (wanted.dead_letters, resources.dead_letters),
        (wanted.rule, resources.rule),
    )
    for needed, found in pairs:
        if needed is not None and found is not None and not is_owned(found, desired.bucket):
            raise ConflictError(f"{found.arn} exists, which this tool did not make: remove it")


def _refuse_failed_events(desired: Desired, resources: DeliveryResources) -> None:
    """The events that failed are only to be had from their queue."""
    failed = resources.dead_letters
    if desired.delivery_resources.dead_letters is None and failed is not None and failed.messages:
        raise ConflictError(
            f"the queue {failed.name} holds {failed.messages} events that failed, and s3sync.delivery ="
            f" {desired.delivery} would remove it: start a redrive of it, or purge it"
        )


def _refuse_overlap(desired: Desired, configuration: Mapping[str, Any]) -> None:
    if desired.subscription.entry is None:
        return
    found = notifications.overlapping(configuration, desired.owner, desired.subscription.entry)
    if found is not None:
        raise ConflictError(
            f"the bucket {desired.bucket} already sends these events elsewhere, and S3 allows one receiver:"
            f" {found}; narrow or remove that notification"
        )


def _refuse_large_environment(desired: Desired, function: Function | None) -> None:
    before = {} if function is None else function.configuration.get("Environment", {})
    variables = {**before, **desired.function.configuration["Environment"]}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > ENVIRONMENT_LIMIT:
        raise ConfigError(
            f"the environment of the function {desired.names.function} would have {size} bytes, and Lambda"
            f" takes {ENVIRONMENT_LIMIT}: shorten the db.* settings or remove variables that were added to it"
        )
