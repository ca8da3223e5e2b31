"""Tell whether the deployed code is the server's."""

from __future__ import annotations

from ..desired.tags import BUNDLE_TAG, split_bundle_tag
from ..models import Function, Plan


def code_state(plan: Plan) -> str | None:
    """Return whether the deployed code is the server's.

    It is ``current``, ``older`` (this tool deployed it from other versions), ``different`` (something else
    deployed it), or None if there is no function.
    """
    function = plan.observed.function
    return None if function is None else state_of_code(function, plan.desired.fingerprint)


def state_of_code(function: Function, fingerprint: str) -> str:
    """Return whether a function's code has this fingerprint; see :func:`code_state`."""
    deployed, code_sha256 = split_bundle_tag(function.tags.get(BUNDLE_TAG, ""))
    if deployed is None or code_sha256 != function.code_sha256:
        return "different"
    return "current" if deployed == fingerprint else "older"
