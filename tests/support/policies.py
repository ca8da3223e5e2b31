"""Read and change IAM policies."""

from __future__ import annotations

import copy
from typing import Any


def as_list(value: Any) -> list[Any]:
    """Return an element of a policy as a list, since IAM accepts a single value as well."""
    return value if isinstance(value, list) else [value]


def actions_of(statement: dict[str, Any]) -> list[str]:
    """Return the actions of a statement."""
    return as_list(statement["Action"])


def without(policy: dict[str, Any], action: str, sid: str | None = None) -> dict[str, Any]:
    """Return a copy of a policy without an action, in one statement or in all."""
    policy = copy.deepcopy(policy)
    for statement in policy["Statement"]:
        if sid in (None, statement["Sid"]):
            statement["Action"] = [allowed for allowed in actions_of(statement) if allowed != action]
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
    return policy
