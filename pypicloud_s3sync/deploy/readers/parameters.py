"""Read the SSM parameter that holds the function's secrets."""

from __future__ import annotations

from ..desired.parameters import may_exist
from ..desired.tags import from_tag_list
from ..models import Desired, Function, Parameter, Role
from .calls import Calls


def find_parameter(
    calls: Calls, desired: Desired, function: Function | None, role: Role | None
) -> Parameter | None:
    """Return the parameter of a deployment; None if it does not exist.

    It is read only if it may exist, so that other caches need no permission to read it.
    """
    name = desired.names.parameter
    if not desired.may_have_parameter and not may_exist(function, role, name):
        return None
    return read_parameter(calls, name)


def read_parameter(calls: Calls, name: str) -> Parameter | None:
    """Return a parameter with its decrypted value; None if it does not exist."""
    resource = f"the SSM parameter {name}"
    found = calls.find("ssm", "get_parameter", resource, Name=name, WithDecryption=True)
    if found is None:
        return None
    tags = (
        calls.find("ssm", "list_tags_for_resource", resource, ResourceType="Parameter", ResourceId=name) or {}
    )
    return Parameter(
        name=name,
        value=found["Parameter"]["Value"],
        tags=from_tag_list(tags.get("TagList", [])),
        secure=found["Parameter"].get("Type") == "SecureString",
    )
