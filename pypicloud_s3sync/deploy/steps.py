"""What has to be done to each part of a deployment; values in, values out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from . import notifications
from .conflicts import is_ours
from .models import (
    BUNDLE_TAG,
    OWNER_TAG,
    Action,
    Change,
    Desired,
    Function,
    LogGroup,
    Role,
    bundle_tag,
)
from .redaction import redact


def code_is_known(desired: Desired, function: Function | None) -> bool:
    """Whether a function's code is what the settings would build, without building it."""
    if function is None or function.code_sha256 is None:
        return False
    return function.tags.get(BUNDLE_TAG) == bundle_tag(desired.fingerprint, function.code_sha256)


def role_actions(desired: Desired, role: Role | None) -> Iterator[Action]:
    """The role of our making."""
    wanted = desired.role
    if wanted is None:
        return
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


def needless_role_actions(desired: Desired, role: Role | None) -> Iterator[Action]:
    """The role of our making, where one is given now."""
    if desired.role is None and role is not None and is_ours(role, desired.bucket):
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
    wanted_tags = dict(desired.function.tags)
    tags = same_tags(function.tags, wanted_tags)
    if tags != wanted_tags:
        arguments = {"name": function.name, "arn": function.arn, "tags": wanted_tags}
        shown = (Change("tags", tags, wanted_tags),)
        yield Action("update", "function", function.name, "function.tag", arguments, shown)


def permission_actions(desired: Desired, statements: tuple[Mapping[str, Any], ...]) -> Iterator[Action]:
    """The right to invoke the function."""
    name, wanted = desired.names.statement, desired.permission
    shown = tuple(Change(key, None, wanted[key]) for key in ("Principal", "SourceArn", "SourceAccount"))
    found = find_statement(statements, name)
    if found is None:
        yield Action("create", "permission", name, "permission.add", {"permission": wanted}, shown)
    elif not _permits(found, wanted):
        before = json.dumps(found, sort_keys=True)
        changes = (Change("statement", before, dict(wanted)),)
        yield Action("update", "permission", name, "permission.replace", {"permission": wanted}, changes)


def find_statement(statements: tuple[Mapping[str, Any], ...], sid: str) -> Mapping[str, Any] | None:
    """A statement of a function's policy by its id."""
    return next((statement for statement in statements if statement.get("Sid") == sid), None)


def _permits(statement: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a statement of a function's policy is what AddPermission would make of ``wanted``."""
    conditions = {
        key.lower(): value
        for operator in statement.get("Condition", {}).values()
        for key, value in operator.items()
    }
    return (
        statement.get("Effect") == "Allow"
        and statement.get("Action") == wanted["Action"]
        and statement.get("Principal") in ({"Service": wanted["Principal"]}, wanted["Principal"])
        and conditions == {"aws:sourcearn": wanted["SourceArn"], "aws:sourceaccount": wanted["SourceAccount"]}
    )


def notification_actions(desired: Desired, configuration: Mapping[str, Any]) -> Iterator[Action]:
    """Our entry in the bucket's notifications."""
    wanted = desired.notification
    if notifications.same(configuration, notifications.with_entry(configuration, wanted)):
        return
    found = notifications.replaced(configuration, wanted)
    before = [dict(item) for item in found] or None
    verb = "update" if found else "create"
    arguments = {"entry": wanted}
    shown = (Change("entry", before, dict(wanted)),)
    yield Action(verb, "notification", wanted["Id"], "notification.put", arguments, shown)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs between two values of the same fields."""
    return tuple(
        Change(key, before.get(key), value) for key, value in after.items() if before.get(key) != value
    )
