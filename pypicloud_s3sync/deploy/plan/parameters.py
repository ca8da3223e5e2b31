"""Plan the actions on the SSM parameter that holds the function's secrets; its value is never shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...sync.masking import MASK
from ..desired.parameters import is_recorded
from ..desired.tags import PARAMETER_TAG
from ..models import Action, Change, Desired, Observed, Parameter
from .conflicts import is_owned
from .function import differences, managed_tags, tag_actions


def parameter_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action for the parameter, which the function refers to."""
    wanted, found = desired.parameter, observed.parameter
    if wanted is None:
        return
    if found is None:
        shown = (Change("value", None, MASK),)
        yield Action("create", "parameter", wanted.name, "parameter.create", {"parameter": wanted}, shown)
        return
    changes = differences(_shown(found, wanted), _shown(wanted, wanted))
    if wanted.value != found.value:
        changes = (Change("value", "a masked value", "another masked value"), *changes)
    if changes:
        arguments = {"parameter": wanted, "before": found}
        yield Action("update", "parameter", wanted.name, "parameter.update", arguments, changes)


def obsolete_parameter_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions that delete a parameter that the settings no longer need, and its record."""
    if desired.parameter is not None:
        return
    yield from parameter_removal_actions(desired, observed)
    function = observed.function
    if function is not None and is_recorded(function):
        before, after = {PARAMETER_TAG: function.tags[PARAMETER_TAG]}, {PARAMETER_TAG: ""}
        yield from tag_actions(function, before, after)


def parameter_removal_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action that deletes this tool's parameter."""
    if is_owned(observed.parameter, desired.bucket):
        name = desired.names.parameter
        yield Action("delete", "parameter", name, "parameter.delete", {"name": name})


def _shown(parameter: Parameter, wanted: Parameter) -> dict[str, Any]:
    kind = "SecureString" if parameter.secure else "String"
    return {"type": kind, "tags": managed_tags(parameter.tags, wanted.tags)}
