"""Read the function's own policy, whose statements say who may invoke it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .calls import Calls

#: The number of colons in the ARN of a function without a version or an alias.
COLONS = 6


def permission_statements(
    calls: Calls, function: str, alias: str | None = None
) -> tuple[Mapping[str, Any], ...]:
    """Return the statements of the policy of a function, or of its alias.

    There are none if it has no policy or does not exist.
    """
    qualifier = {} if alias is None else {"Qualifier": alias}
    found = calls.find("lambda", "get_policy", f"the function {function}", FunctionName=function, **qualifier)
    statements = () if found is None else tuple(json.loads(found["Policy"])["Statement"])
    # An emulator returns the statements of aliases with those of the function.
    return tuple(each for each in statements if alias or str(each.get("Resource")).count(":") <= COLONS)
