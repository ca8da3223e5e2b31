"""Show what an action of a plan changes, as the lines of a diff."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: What people are told about the deployed code in place of its hashes.
CODE = {"current": "current", "older": "older than the server's", "different": "not deployed by this tool"}
#: The fields that hold hashes of the code.
_HASHES = {"fingerprint", "CodeSha256"}
#: The elements of a policy's statement that need no name; an id decides nothing.
_IN_PLACE = {"Sid", "Effect", "Action", "Resource"}


def diff(action: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the lines of an action, each with its sign: ``+``, ``-``, or a blank for what stays."""
    code = action.get("code")
    if code is not None:
        yield "-", f"code: {CODE[code]}"
        yield "+", f"code: current{', uploaded again' if code == 'current' else ''}"
    for change in action["changes"]:
        if code is None or change["field"] not in _HASHES:
            yield from _change(action["verb"], change)


def _change(verb: str, change: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    field = change["field"]
    before, after = (None if verb == "create" else change["before"]), change["after"]
    old, new = _lines(before), _lines(after)
    if old == new:
        # The difference is in what the short form leaves out, for example the id of a statement.
        old, new = _as_json(before), _as_json(after)
    if len(old) <= 1 and len(new) <= 1:
        yield from (("-", f"{field}: {line}") for line in old)
        yield from (("+", f"{field}: {line}") for line in new)
        return
    yield " ", f"{field}:"
    for line in difflib.ndiff(old, new):
        if line[0] != "?":
            yield line[0], f"  {line[2:]}"


def _lines(value: Any) -> list[str]:
    """Return a value as lines of text: an IAM document as a line for each action, other values as JSON."""
    if value is None:
        return []
    if isinstance(value, Mapping) and "Statement" in value:
        return [line for statement in _listed(value["Statement"]) for line in _statement(statement)]
    if isinstance(value, str | int | float | bool):
        return [str(value)]
    flat = json.dumps(value, ensure_ascii=False)
    return [flat] if len(flat) <= 70 else _as_json(value)


def _as_json(value: Any) -> list[str]:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).split("\n")


def _statement(statement: Mapping[str, Any]) -> list[str]:
    """Return a line for each action, with everything that decides whether it is allowed."""
    target = [_text(statement["Resource"])] if "Resource" in statement else []
    others = [f"{key} {_text(value)}" for key, value in statement.items() if key not in _IN_PLACE]
    actions = _listed(statement.get("Action", ""))
    return [
        "  ".join([f"{statement.get('Effect', '')} {action}".strip(), *target, *others]) for action in actions
    ]


def _text(value: Any) -> str:
    """Return a value in one line: ``{"Service": "s3.amazonaws.com"}`` as ``Service s3.amazonaws.com``."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(value[key])}" for key in sorted(value))
    return ", ".join(map(str, _listed(value)))


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]
