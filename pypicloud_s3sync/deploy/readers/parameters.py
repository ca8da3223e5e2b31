"""Read the SSM parameter that holds the function's secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..desired.parameters import may_exist
from ..desired.tags import from_tag_list
from ..models import Desired, Function, Parameter, Role
from .calls import Calls
from .keys import key_arn

#: What others may choose for a parameter, and a new value would reset.
KEPT = ("KeyId", "Tier", "Description", "AllowedPattern")


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
    secure = found["Parameter"].get("Type") == "SecureString"
    described = _describe(calls, name) if secure else {}
    key = key_arn(calls, described.get("KeyId", ""), found["Parameter"]["ARN"]) if secure else None
    kept = {field: described[field] for field in KEPT if described.get(field)}
    if key is None:
        kept.pop("KeyId", None)
    return Parameter(
        name=name,
        value=found["Parameter"]["Value"],
        tags=from_tag_list(tags.get("TagList", [])),
        secure=secure,
        key=key,
        kept=kept,
    )


def _describe(calls: Calls, name: str) -> Mapping[str, Any]:
    """Return the metadata of a parameter; a page of it may be empty although others follow."""
    arguments: dict[str, Any] = {"ParameterFilters": [{"Key": "Name", "Option": "Equals", "Values": [name]}]}
    while True:
        page = calls.do("ssm", "describe_parameters", f"the SSM parameter {name}", **arguments)
        if page.get("Parameters"):
            described: Mapping[str, Any] = page["Parameters"][0]
            return described
        if not page.get("NextToken"):
            return {}
        arguments["NextToken"] = page["NextToken"]
