"""Plan the actions on the function's alias and its versions, which SnapStart needs.

An action publishes a version, waits for its snapshot, moves the alias to it, and deletes the versions of this
tool that the alias has left. A version that another alias points to stays, and so does one that this tool did
not publish.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...sync.environment import redact
from ..desired.tags import SNAP_START_TAG
from ..models import Action, Change, Desired, Observed, Role
from ..snap_start import Alias, Published, Version, is_recorded, qualified
from .conflicts import is_owned
from .function import differences, tag_actions

#: The actions after which the published versions are outdated.
CHANGING = ("function.create", "function.update_code", "function.update_configuration", "function.renew_role")
#: Stands for the number that Lambda chooses.
NEW = "a new version"


def alias_actions(
    desired: Desired, observed: Observed, function_actions: tuple[Action, ...]
) -> Iterator[Action]:
    """Yield the actions that publish the function, move the alias, and delete versions that were left over.

    Parameters
    ----------
    desired : Desired
    observed : Observed
    function_actions : tuple of Action
        The actions on the function that come before.
    """
    if not desired.snap_start:
        return
    published, calls = observed.published, {action.call for action in function_actions}
    if published is None:
        yield _creation(desired, None, ())
        return
    role = observed.role if desired.role is not None else observed.given_role
    invalid = _invalid(published, role, renewed="function.renew_role" in calls)
    version = None if calls.intersection(CHANGING) else _up_to_date(published, invalid)
    alias = published.alias
    if alias is None:
        yield _creation(desired, version, invalid)
    elif version is None or alias.versions != (version.number,):
        yield _update(desired, published, alias, version, invalid)
    for left in published.versions:
        if left.is_own and left != version and not published.is_used(left.number):
            yield _version_removal(desired, left)


def obsolete_alias_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions that delete the alias and the versions if the settings no longer ask for them."""
    if not desired.snap_start:
        yield from alias_removal_actions(desired, observed)


def alias_record_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action that removes the record of the alias, once it is gone."""
    function = observed.function
    if not desired.snap_start and function is not None and is_recorded(function):
        before = {SNAP_START_TAG: function.tags[SNAP_START_TAG]}
        yield from tag_actions(function, before, {SNAP_START_TAG: ""})


def alias_removal_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions that delete this tool's alias and its versions."""
    published = observed.published
    if published is None or not is_owned(observed.function, desired.bucket):
        return
    own = published.alias
    if own is not None:
        name = desired.names.function
        yield Action("delete", "alias", qualified(name), "alias.delete", {"function": name})
    used = {number for alias in published.aliases if alias != own for number in alias.versions}
    for version in published.versions:
        if version.is_own and version.number not in used:
            yield _version_removal(desired, version)


def _invalid(published: Published, role: Role | None, *, renewed: bool) -> tuple[str, ...]:
    """Return the versions that cannot run, although they may be what would be published.

    A version keeps the grant on its environment's KMS key of the role that it was published for.
    """
    failed = published.current if published.failure else None
    return tuple(
        version.number
        for version in published.versions
        if renewed
        or version == failed
        or (role is not None and role.unique_id and version.role_id not in (None, role.unique_id))
    )


def _up_to_date(published: Published, invalid: tuple[str, ...]) -> Version | None:
    """Return a version that is the same as the function: the current one, or the newest."""
    found = [
        version
        for version in published.versions
        if version.content == published.latest.content and version.number not in invalid
    ]
    return published.current if published.current in found else next(reversed(found), None)


def _arguments(desired: Desired, version: Version | None, invalid: tuple[str, ...]) -> dict[str, Any]:
    return {
        "function": desired.names.function,
        "role_arn": desired.role_arn,
        "version": version and version.number,
        "invalid": invalid,
    }


def _creation(desired: Desired, version: Version | None, invalid: tuple[str, ...]) -> Action:
    shown = (Change("version", None, version.number if version else NEW),)
    arguments = _arguments(desired, version, invalid)
    return Action("create", "alias", qualified(desired.names.function), "alias.create", arguments, shown)


def _update(
    desired: Desired, published: Published, alias: Alias, version: Version | None, invalid: tuple[str, ...]
) -> Action:
    own = {found.number for found in published.versions if found.is_own}
    target = version and version.number
    left = tuple(number for number in alias.versions if number in own and number != target)
    arguments = {**_arguments(desired, version, invalid), "left": left}
    shown = (
        Change("version", alias.version, version.number if version else NEW),
        Change("weights", alias.weights or None, None),
        *_reasons(published),
    )
    return Action("update", "alias", qualified(desired.names.function), "alias.update", arguments, shown)


def _reasons(published: Published) -> Iterator[Change]:
    """Yield how the version of the alias differs from the function."""
    current = published.current
    if published.failure:
        yield Change("state", f"failed: {published.failure}", "active")
    if current is None:
        return
    before, after = ({**redact(content)} for content in (current.content, published.latest.content))
    if before.pop("CodeSha256", None) != after.pop("CodeSha256", None):
        yield Change("code", "older than the function's", "the function's")
    yield from differences(before, after)


def _version_removal(desired: Desired, version: Version) -> Action:
    name = desired.names.function
    arguments = {"function": name, "number": version.number}
    return Action("delete", "version", f"{name}:{version.number}", "alias.delete_version", arguments)
