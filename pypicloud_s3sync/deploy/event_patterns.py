"""Decide whether an EventBridge rule's pattern may match the events of an S3 bucket.

If a foreign rule may match, EventBridge must stay on for the bucket. The answer is False only if the pattern
cannot match; see
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

#: Stands for a field whose value differs between events.
ANY = object()


def may_match(pattern: Any, bucket: str) -> bool:
    """Return whether a pattern may match an event that S3 sends for the bucket; if in doubt, True."""
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    event = {"source": "aws.s3", "detail": {"bucket": {"name": bucket}}}
    return not isinstance(pattern, Mapping) or _may_match_fields(pattern, event)


def _may_match_fields(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    return all(
        _may_match_any(alternatives, event)
        if name == "$or"
        else _may_match_field(alternatives, event.get(name, ANY))
        for name, alternatives in pattern.items()
    )


def _may_match_any(patterns: Any, event: Mapping[str, Any]) -> bool:
    """Return whether one of the patterns of ``$or`` may match."""
    if not isinstance(patterns, list):
        return True
    return any(not isinstance(item, Mapping) or _may_match_fields(item, event) for item in patterns)


def _may_match_field(pattern: Any, value: Any) -> bool:
    if value is ANY:
        return True
    if isinstance(value, Mapping):
        # A list of values matches a value, never an object: {"detail": {"bucket": ["name"]}}.
        return _may_match_fields(pattern, value) if isinstance(pattern, Mapping) else _may_exist(pattern)
    if isinstance(pattern, Mapping):
        return False
    return not isinstance(pattern, list) or any(_may_match_value(item, value) for item in pattern)


def _may_exist(pattern: Any) -> bool:
    """Return whether a pattern asks if a field exists, whose meaning for an object AWS does not define."""
    alternatives = pattern if isinstance(pattern, list) else []
    return any(isinstance(item, Mapping) and "exists" in item for item in alternatives)


def _may_match_value(item: Any, value: str) -> bool:
    """Return whether one alternative, a value or a comparison, may match a text."""
    if not isinstance(item, Mapping):
        return bool(item == value)
    return all(_may_compare(operator, operand, value) for operator, operand in item.items())


def _may_compare(operator: str, operand: Any, value: str) -> bool:
    if operator == "exists":
        return operand is not False
    if operator in ("numeric", "cidr"):
        return False
    if operator == "anything-but":
        return not _is_excluded(operand, value)
    if isinstance(operand, Mapping):
        # {"prefix": {"equals-ignore-case": "x"}}
        operand, value = operand.get("equals-ignore-case"), value.lower()
        operand = operand.lower() if isinstance(operand, str) else operand
    if not isinstance(operand, str):
        return True
    comparisons = {
        "prefix": value.startswith(operand),
        "suffix": value.endswith(operand),
        "equals-ignore-case": value.lower() == operand.lower(),
        "wildcard": _matches_wildcard(operand, value),
    }
    return comparisons.get(operator, True)


def _is_excluded(operand: Any, value: str) -> bool:
    """Return whether ``anything-but`` excludes a text; its operand is a value, a list or a comparison."""
    if isinstance(operand, Mapping):
        return any(
            _may_compare(operator, item, value)
            for operator, items in operand.items()
            for item in (items if isinstance(items, list) else [items])
        )
    return value in (operand if isinstance(operand, list) else [operand])


def _matches_wildcard(wildcard: str, value: str) -> bool:
    """Return whether a text matches; only ``*`` is special, and a backslash escapes it."""
    if "\\" in wildcard:
        return True
    escaped = wildcard.replace("[", "[[]").replace("?", "[?]")
    return fnmatchcase(value, escaped)
