"""Plan the actions on role, log group and function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...sync.environment import redact
from ..desired.delivery import deliveries_of, has_switch, owns_eventbridge
from ..desired.tags import (
    BUNDLE_TAG,
    DELIVERY_TAG,
    OWNER_TAG,
    ROLE_TAG,
    SWITCH_TAG,
    bundle_tag,
    split_bundle_tag,
)
from ..models import Action, Change, Desired, Function, LogGroup, Observed, Role
from ..notifications import EVENTBRIDGE
from ..snap_start import OFF, is_recorded
from .conflicts import is_owned
from .keys import with_keys

#: For a log group that this tool creates.
DEFAULT_RETENTION_DAYS = 30


def code_is_known(desired: Desired, function: Function | None) -> bool:
    """Return whether the function's tag proves, without a build, that the deployed code is up to date.

    It names the inputs that the code was built from and the checksum of the result. The code is not known if
    the inputs are not those of this server, or if other code was uploaded since.
    """
    if function is None or function.code_sha256 is None:
        return False
    return function.tags.get(BUNDLE_TAG) == bundle_tag(desired.fingerprint, function.code_sha256)


def role_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action for the role, unless the settings name an existing one."""
    if desired.role is not None:
        yield from role_changes(with_keys(desired.role, desired, observed), observed.role)


def role_changes(wanted: Role, role: Role | None, kind: str = "role") -> Iterator[Action]:
    """Yield the action that creates a role or updates it, if it differs."""
    if role is None:
        shown = (Change("trust", None, wanted.trust), Change("policy", None, wanted.policy))
        yield Action("create", kind, wanted.name, "role.create", {"role": wanted}, shown)
        return
    # Without a setting, a boundary that someone else put on the role stays.
    wanted = replace(wanted, boundary=wanted.boundary or role.boundary)
    changes = differences(
        {
            "trust": role.trust,
            "policy": role.policy,
            "boundary": role.boundary,
            "tags": managed_tags(role.tags, wanted.tags),
        },
        {"trust": wanted.trust, "policy": wanted.policy, "boundary": wanted.boundary, "tags": wanted.tags},
    )
    if changes:
        arguments = {"role": wanted, "before": role}
        yield Action("update", kind, wanted.name, "role.update", arguments, changes)


def managed_tags(tags: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return those of a resource's tags that this tool sets; foreign tags are ignored and kept."""
    return {key: value for key, value in tags.items() if key in wanted}


def obsolete_role_actions(desired: Desired, role: Role | None) -> Iterator[Action]:
    """Yield the action that deletes this tool's role if the settings name another one now."""
    if desired.role is None and role is not None and is_owned(role, desired.bucket):
        yield Action("delete", "role", role.name, "role.delete", {"name": role.name})


def log_group_actions(wanted: LogGroup, group: LogGroup | None) -> Iterator[Action]:
    """Yield the action for the log group; without one, the function would create it without a retention."""
    if group is None:
        wanted = replace(wanted, retention_days=wanted.retention_days or DEFAULT_RETENTION_DAYS)
        shown = (Change("retention_days", None, wanted.retention_days),)
        yield Action("create", "log group", wanted.name, "log_group.create", {"group": wanted}, shown)
        return
    # A log group that this tool did not create gets no owner tag, so that disable does not delete it.
    owned = OWNER_TAG in group.tags
    # Without a setting, a retention that someone chose stays: a shorter one would delete events. An own group
    # without one is left over from an interrupted run.
    kept = group.retention_days or (DEFAULT_RETENTION_DAYS if owned else None)
    wanted = replace(wanted, retention_days=wanted.retention_days or kept)
    changes = differences(
        {
            "retention_days": group.retention_days,
            "tags": managed_tags(group.tags, wanted.tags) if owned else {},
        },
        {"retention_days": wanted.retention_days, "tags": wanted.tags if owned else {}},
    )
    if changes:
        arguments = {"group": wanted, "before": group, "owned": owned}
        yield Action("update", "log group", wanted.name, "log_group.update", arguments, changes)


def switch_tag(desired: Desired, observed: Observed) -> dict[str, str]:
    """Return the tag that says who turned on EventBridge, if this run does or an earlier one did.

    It is set before EventBridge is turned on: if the run is interrupted in between, the next one knows.
    A rule or a function that is created again gets the tag that the other one has kept.
    """
    if not desired.subscription.eventbridge:
        return {}
    turns_on = EVENTBRIDGE not in observed.notifications
    return {SWITCH_TAG: "switched-on"} if turns_on or owns_eventbridge(observed) else {}


def function_actions(desired: Desired, observed: Observed, *, force: bool) -> Iterator[Action]:
    """Yield the actions for the function: its code, its configuration and its tags."""
    function = observed.function
    tags = {**desired.function.tags, **switch_tag(desired, observed)}
    wanted = replace(desired.function, tags=tags)
    desired = replace(desired, function=wanted)
    if function is None:
        shown = tuple(Change(key, None, value) for key, value in redact(wanted.configuration).items())
        arguments = {"function": wanted, "fingerprint": desired.fingerprint}
        yield Action("create", "function", wanted.name, "function.create", arguments, shown)
        return
    code = _code(desired, function, force=force)
    configuration = _configuration(desired, function)
    # Lambda refuses new code for a runtime that it no longer supports, but accepts the change to another one:
    # https://docs.aws.amazon.com/lambda/latest/dg/runtime-support-policy.html
    changes_runtime = function.configuration["Runtime"] != wanted.configuration["Runtime"]
    for actions in (configuration, code) if changes_runtime else (code, configuration):
        yield from actions
    yield from _role_and_tags(desired, function, observed)


def _code(desired: Desired, function: Function, *, force: bool) -> Iterator[Action]:
    """Yield the action for the code; only its writer builds the bundle, because a plan takes no time."""
    (architecture,) = desired.function.configuration["Architectures"]
    must_upload = force or function.configuration.get("Architectures", ["x86_64"]) != [architecture]
    if not must_upload and code_is_known(desired, function):
        return
    arguments = {
        "name": function.name,
        "arn": function.arn,
        "fingerprint": desired.fingerprint,
        "architecture": architecture,
        "deployed": None if must_upload else function.code_sha256,
    }
    shown = _code_changes(desired, function, architecture)
    yield Action("update", "code", function.name, "function.update_code", arguments, shown)


def staged_bundle_actions(observed: Observed, bucket: str) -> Iterator[Action]:
    """Yield the action that deletes the bundles that an interrupted run has left in the bucket."""
    if observed.staged:
        shown = (Change("versions", len(observed.staged), None),)
        name = f"s3://{bucket}/{observed.staged[0][0]}"
        yield Action("delete", "staged bundle", name, "staging.remove", {}, shown)


def _code_changes(desired: Desired, function: Function, architecture: str) -> tuple[Change, ...]:
    """Return why the code is updated: its inputs, its architecture, or a checksum that nobody recorded."""
    fingerprint, code_sha256 = split_bundle_tag(function.tags.get(BUNDLE_TAG, ""))
    changes = differences(
        {"fingerprint": fingerprint, "Architectures": function.configuration.get("Architectures")},
        {"fingerprint": desired.fingerprint, "Architectures": [architecture]},
    )
    if changes:
        return changes
    rebuilt = "rebuilt" if code_sha256 == function.code_sha256 else code_sha256
    return (Change("CodeSha256", function.code_sha256, rebuilt),)


def _configuration(desired: Desired, function: Function) -> Iterator[Action]:
    before = dict(function.configuration)
    after = dict(desired.function.configuration)
    before.pop("Architectures", None)
    after.pop("Architectures")
    # Foreign variables, for example PPC_*, are kept.
    after["Environment"] = {**before.get("Environment", {}), **after["Environment"]}
    if after["VpcConfig"]["SubnetIds"]:
        # A foreign field is kept, for example that the function may use IPv6.
        after["VpcConfig"] = {**before.get("VpcConfig", {}), **after["VpcConfig"]}
    if before.get("DeadLetterConfig"):
        # A foreign dead-letter target stays: its owner handles the failed events.
        after["DeadLetterConfig"] = before["DeadLetterConfig"]
    _keep_foreign_snap_start(before, after, function)
    changes = differences(redact(before), redact(after))
    if before != after or function.failure:
        arguments = {"name": function.name, "configuration": after}
        shown_fields = {change.field for change in changes}
        if before.get("Environment") != after["Environment"] and "Environment" not in shown_fields:
            changes = (*changes, Change("Environment", "a masked value", "another masked value"))
        failed = (Change("state", f"failed: {function.failure}", "active"),) if function.failure else ()
        shown = (*changes, *failed)
        yield Action("update", "function", function.name, "function.update_configuration", arguments, shown)


def _keep_foreign_snap_start(before: dict[str, Any], after: dict[str, Any], function: Function) -> None:
    """Turn SnapStart off only if this tool turned it on; an update does not repeat a value that stays."""
    found = before.pop("SnapStart", dict(OFF))
    wanted = after.pop("SnapStart", dict(OFF) if is_recorded(function) else found)
    if found != wanted:
        before["SnapStart"], after["SnapStart"] = found, wanted


def _role_and_tags(desired: Desired, function: Function, observed: Observed) -> Iterator[Action]:
    """Yield the actions that renew the role's grant, and record the role and the deliveries in tags."""
    role = observed.role if desired.role is not None else observed.given_role
    yield from _renewal(desired, function, role, observed)
    # Tagged before another delivery's resources are created, so that the next run finds an interrupted move.
    deliveries = deliveries_of(function) | {desired.delivery}
    tags = {**desired.function.tags, DELIVERY_TAG: "+".join(sorted(deliveries))}
    if role is not None and role.unique_id and function.configuration["Role"] != role.arn:
        tags[ROLE_TAG] = role.unique_id
    yield from tag_actions(function, managed_tags(function.tags, tags), tags)


def _renewal(desired: Desired, function: Function, role: Role | None, observed: Observed) -> Iterator[Action]:
    """Yield the action that assigns the role to the function again, if it was deleted and created again.

    Lambda encrypts the environment and grants its decryption to the role's unique id, so a function with a
    new role of the same name fails without a log. Another role in between makes Lambda renew the grant:
    https://repost.aws/knowledge-center/lambda-kmsaccessdeniedexception-errors
    """
    before = function.tags.get(ROLE_TAG, "")
    if role is None and desired.role is None:
        return
    # A function that still has the spare role is left over from an interrupted run.
    arns = (desired.role_arn, desired.spare_role.arn)
    if role is not None and (role.unique_id == before or function.configuration["Role"] not in arns):
        return
    arguments = {
        "name": function.name,
        "arn": function.arn,
        "role_arn": desired.role_arn,
        "spare": with_keys(desired.spare_role, desired, observed),
    }
    shown = (Change("role id", before or None, role.unique_id if role else "that of the new role"),)
    yield Action("update", "function", function.name, "function.renew_role", arguments, shown)


def delivery_tag_actions(desired: Desired, function: Function | None) -> Iterator[Action]:
    """Yield the action that removes previous deliveries from the function's tag, once they are gone."""
    if function is not None and deliveries_of(function) - {desired.delivery}:
        before = {DELIVERY_TAG: "+".join(sorted(deliveries_of(function) | {desired.delivery}))}
        tags: dict[str, str] = {DELIVERY_TAG: desired.delivery}
        if has_switch(function) and not desired.subscription.eventbridge:
            before |= {SWITCH_TAG: function.tags[SWITCH_TAG]}
            tags |= {SWITCH_TAG: ""}
        yield from tag_actions(function, before, tags)


def tag_actions(function: Function, before: Mapping[str, str], tags: Mapping[str, str]) -> Iterator[Action]:
    """Yield the action that sets tags of the function, if they differ."""
    if before != tags:
        arguments = {"name": function.name, "arn": function.arn, "tags": tags}
        shown = (Change("tags", before, tags),)
        yield Action("update", "function", function.name, "function.tag", arguments, shown)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the changes from the fields of ``before`` to those of ``after``."""
    return tuple(
        Change(key, before.get(key), value) for key, value in after.items() if before.get(key) != value
    )
