"""Decide whether an EventBridge rule's pattern may match the events of an S3 bucket.

If a foreign rule may match, EventBridge must stay on for the bucket. The answer is False only if the pattern
cannot match; see
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Stands for a field whose value differs between events.
ANY = object()
#: Stands for the types of S3's events, to which AWS adds new ones. CloudTrail's events have the same source,
#: but no bucket has to turn them on: https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-s3.html
TYPE = object()
BY_CLOUDTRAIL = " via CloudTrail"


def may_match(pattern: Any, bucket: str, function_arn: str) -> bool:
    """Return whether a pattern may match an event that S3 sends for the bucket; if in doubt, True.

    Parameters
    ----------
    pattern : Any
        Parsed JSON.
    bucket, function_arn : str
        The function has the partition, the region and the account of the bucket.
    """
    _, partition, _, region, account, *_ = function_arn.split(":")
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    event = {
        "source": "aws.s3",
        "detail-type": TYPE,
        "account": account,
        "region": region,
        # A list matches if one of its items does, and this one has a single item.
        "resources": f"arn:{partition}:s3:::{bucket}",
        "detail": {"bucket": {"name": bucket}},
    }
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
    if not isinstance(pattern, list):
        return True
    if value is TYPE:
        return any(not str(item).endswith(BY_CLOUDTRAIL) for item in pattern)
    return any(_may_match_value(item, value) for item in pattern)


def _may_exist(pattern: Any) -> bool:
    """Return whether a pattern asks if a field exists, whose meaning for an object AWS does not define."""
    alternatives = pattern if isinstance(pattern, list) else []
    return any(isinstance(item, Mapping) and "exists" in item for item in alternatives)


def _may_match_value(item: Any, value: str) -> bool:
    """Return whether one alternative, a value or a comparison, may match a text."""
    if isinstance(item, Mapping):
        # What is not understood may match.
        return all(_matches(operator, operand, value) is not False for operator, operand in item.items())
    return bool(item == value)


def _matches(operator: str, operand: Any, value: str) -> bool | None:
    """Return whether a comparison matches a text; None if its operator or operand is not understood."""
    if operator == "exists":
        return operand is not False
    if operator in ("numeric", "cidr"):
        return False
    if operator == "anything-but":
        return _differs(operand, value)
    if isinstance(operand, Mapping):
        # {"prefix": {"equals-ignore-case": "x"}}
        operand, value = operand.get("equals-ignore-case"), value.lower()
        operand = operand.lower() if isinstance(operand, str) else operand
    if not isinstance(operand, str):
        return None
    comparisons = {
        "prefix": value.startswith(operand),
        "suffix": value.endswith(operand),
        "equals-ignore-case": value.lower() == operand.lower(),
        "wildcard": _matches_wildcard(operand, value),
    }
    return comparisons.get(operator)


def _differs(operand: Any, value: str) -> bool | None:
    """Return whether ``anything-but`` matches a text; its operand is a value, a list or a comparison."""
    if not isinstance(operand, Mapping):
        return value not in (operand if isinstance(operand, list) else [operand])
    results = {
        _matches(operator, item, value)
        for operator, items in operand.items()
        for item in (items if isinstance(items, list) else [items])
    }
    return False if True in results else None if None in results else True


def _matches_wildcard(wildcard: str, value: str) -> bool:
    """Return whether a text matches; only ``*`` is special, and a backslash escapes it or a backslash."""
    parts = re.findall(r"\\[*\\]|.", wildcard, re.DOTALL)
    expression = "".join(".*" if part == "*" else re.escape(part[-1]) for part in parts)
    return re.fullmatch(expression, value, re.DOTALL) is not None
