"""What has to be done to role, log group and function; values in, values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...sync.environment import redact
from ..delivery import deliveries_of
from ..models import (
    BUNDLE_TAG,
    DELIVERY_TAG,
    OWNER_TAG,
    Action,
    Change,
    Desired,
    Function,
    LogGroup,
    Observed,
    Role,
    bundle_tag,
)
from ..policy import keep_receiving
from .conflicts import is_owned


def code_is_known(desired: Desired, function: Function | None) -> bool:
    """Whether a function's code is what the settings would build, without building it."""
    if function is None or function.code_sha256 is None:
        return False
    return function.tags.get(BUNDLE_TAG) == bundle_tag(desired.fingerprint, function.code_sha256)


def role_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """The role of our making; while a queue is being emptied, it may still receive from that."""
    wanted, role = desired.role, observed.role
    if wanted is None:
        return
    if role is not None and wanted.policy is not None and leaves_queue(desired, observed):
        wanted = replace(wanted, policy=keep_receiving(wanted.policy, role.policy))
    yield from _role(wanted, role)


def narrow_role_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Taking back the right to receive, now that the queue is gone."""
    wanted, role = desired.role, observed.role
    if wanted is None or role is None or wanted.policy is None or not leaves_queue(desired, observed):
        return
    before = keep_receiving(wanted.policy, role.policy)
    if before != wanted.policy:
        yield from _role(wanted, replace(wanted, policy=before))


def leaves_queue(desired: Desired, observed: Observed) -> bool:
    """Whether there is a queue that has to be emptied and removed."""
    return desired.delivery_resources.queue is None and observed.delivery_resources.queue is not None


def _role(wanted: Role, role: Role | None) -> Iterator[Action]:
    if role is None:
        shown = (Change("trust", None, wanted.trust), Change("policy", None, wanted.policy))
        yield Action("create", "role", wanted.name, "role.create", {"role": wanted}, shown)
        return
    changes = differences(
        {
            "trust": role.trust,
            "policy": role.policy,
            "boundary": role.boundary,
            "tags": same_tags(role.tags, wanted.tags),
        },
        {"trust": wanted.trust, "policy": wanted.policy, "boundary": wanted.boundary, "tags": wanted.tags},
    )
    if changes:
        arguments = {"role": wanted, "before": role}
        yield Action("update", "role", wanted.name, "role.update", arguments, changes)


def same_tags(tags: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Those of a resource's tags that are ours to set; what others tagged it with stays."""
    return {key: value for key, value in tags.items() if key in wanted}


def obsolete_role_actions(desired: Desired, role: Role | None) -> Iterator[Action]:
    """The role of our making, where one is given now."""
    if desired.role is None and role is not None and is_owned(role, desired.bucket):
        yield Action("delete", "role", role.name, "role.delete", {"name": role.name})


def log_group_actions(wanted: LogGroup, group: LogGroup | None) -> Iterator[Action]:
    """The log group, so that the function need not make one that keeps everything."""
    if group is None:
        shown = (Change("retention_days", None, wanted.retention_days),)
        yield Action("create", "log group", wanted.name, "log_group.create", {"group": wanted}, shown)
        return
    # A group that was there before keeps its tags, and so stays when sync is disabled.
    ours = OWNER_TAG in group.tags
    changes = differences(
        {"retention_days": group.retention_days, "tags": same_tags(group.tags, wanted.tags) if ours else {}},
        {"retention_days": wanted.retention_days, "tags": wanted.tags if ours else {}},
    )
    if changes:
        arguments = {"group": wanted, "before": group, "ours": ours}
        yield Action("update", "log group", wanted.name, "log_group.update", arguments, changes)


def function_actions(
    desired: Desired, function: Function | None, code_sha256: str | None, *, force: bool
) -> Iterator[Action]:
    """The function: its code, its configuration, its tags."""
    wanted = desired.function
    if function is None:
        shown = tuple(Change(key, None, value) for key, value in redact(wanted.configuration).items())
        arguments = {"function": wanted, "fingerprint": desired.fingerprint}
        yield Action("create", "function", wanted.name, "function.create", arguments, shown)
        return
    arguments = {"name": wanted.name, "fingerprint": desired.fingerprint, "arn": function.arn}
    architectures = wanted.configuration["Architectures"]
    moved = function.configuration.get("Architectures", ["x86_64"]) != architectures
    if force or moved or (code_sha256 is not None and code_sha256 != function.code_sha256):
        shown = differences(
            {
                "CodeSha256": function.code_sha256,
                "Architectures": function.configuration.get("Architectures"),
            },
            {"CodeSha256": code_sha256 or "built anew", "Architectures": architectures},
        )
        more = {**arguments, "architecture": architectures[0]}
        yield Action("update", "code", wanted.name, "function.update_code", more, shown)
    elif code_sha256 is not None and not code_is_known(desired, function):
        yield Action(
            "update",
            "code",
            wanted.name,
            "function.tag_bundle",
            arguments,
            (Change("tags", None, BUNDLE_TAG),),
        )
    yield from _configuration(desired, function)


def _configuration(desired: Desired, function: Function) -> Iterator[Action]:
    before = dict(function.configuration)
    after = dict(desired.function.configuration)
    before.pop("Architectures", None)
    after.pop("Architectures")
    # Variables that somebody added, PPC_* for instance, stay.
    after["Environment"] = {**before.get("Environment", {}), **after["Environment"]}
    changes = differences(redact(before), redact(after))
    if before != after or function.failure:
        arguments = {"name": function.name, "configuration": after}
        if before.get("Environment") != after["Environment"] and "Environment" not in {
            c.field for c in changes
        }:
            changes = (*changes, Change("Environment", "a masked value", "another"))
        failed = (Change("state", f"failed: {function.failure}", "active"),) if function.failure else ()
        shown = (*changes, *failed)
        yield Action("update", "function", function.name, "function.update_configuration", arguments, shown)
    # Before another delivery's parts are made: a run that ends in between must be found out by the next.
    deliveries = deliveries_of(function) | {desired.delivery}
    tags = {**desired.function.tags, DELIVERY_TAG: "+".join(sorted(deliveries))}
    yield from _tags(function, same_tags(function.tags, tags), tags)


def delivery_tag_actions(desired: Desired, function: Function | None) -> Iterator[Action]:
    """Forgetting the deliveries of before, once nothing is left of them."""
    if function is not None and deliveries_of(function) - {desired.delivery}:
        before = "+".join(sorted(deliveries_of(function) | {desired.delivery}))
        tag = {DELIVERY_TAG: desired.delivery}
        yield from _tags(function, {DELIVERY_TAG: before}, tag)


def _tags(function: Function, before: Mapping[str, str], tags: Mapping[str, str]) -> Iterator[Action]:
    if before != tags:
        arguments = {"name": function.name, "arn": function.arn, "tags": tags}
        shown = (Change("tags", before, tags),)
        yield Action("update", "function", function.name, "function.tag", arguments, shown)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs between two values of the same fields."""
    return tuple(
        Change(key, before.get(key), value) for key, value in after.items() if before.get(key) != value
    )
