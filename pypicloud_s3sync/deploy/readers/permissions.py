"""Read the function's own policy, whose statements say who may invoke it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .calls import Calls


def permission_statements(calls: Calls, function: str) -> tuple[Mapping[str, Any], ...]:
    """Return the statements of a function's policy; none if it has no policy or does not exist."""
    found = calls.find("lambda", "get_policy", f"the function {function}", FunctionName=function)
    return () if found is None else tuple(json.loads(found["Policy"])["Statement"])
