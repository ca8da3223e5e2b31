"""Describe how a resource differs from the settings, in values that fit into a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..models import Action, Change

#: The units of fields; values are numbers, so that programs can compare them.
UNITS = {
    "MemorySize": "MB",
    "Timeout": "s",
    "VisibilityTimeout": "s",
    "MessageRetentionPeriod": "s",
    "MaximumBatchingWindowInSeconds": "s",
    "retention_days": "days",
}
#: The names of fields in sentences; a field that is not listed keeps AWS's name.
LABELS = {
    "Architectures": "architecture",
    "Description": "description",
    "Environment": "environment",
    "Handler": "handler",
    "MemorySize": "memory",
    "MessageRetentionPeriod": "retention",
    "Role": "role",
    "Runtime": "runtime",
    "Timeout": "timeout",
    "VisibilityTimeout": "visibility timeout",
    "VpcConfig": "VPC",
    "retention_days": "retention",
}
#: What identifies an item of a list of objects: a statement of a policy, or a rule of a filter.
KEYS = ("Sid", "Name")


def is_empty(value: Any) -> bool:
    """Return whether a value says nothing: null, an empty text or list, or an object of such values."""
    if isinstance(value, Mapping):
        return all(map(is_empty, value.values()))
    return value is None or value == "" or value == [] or value == ()


def visible(changes: tuple[Change, ...]) -> Iterator[Change]:
    """Yield the changes except those from one empty value to another."""
    return (change for change in changes if not (is_empty(change.before) and is_empty(change.after)))


def change_document(change: Change) -> dict[str, Any]:
    """Return a change as JSON, with the unit of its values if they have one."""
    document = {"field": change.field, "before": change.before, "after": change.after}
    unit = UNITS.get(change.field)
    return document if unit is None else {**document, "unit": unit}


def differences(action: Action) -> list[dict[str, Any]]:
    """Return what an action changes, each value as a number, a text or null."""
    return [
        {"field": field, "before": before, "after": after, **_unit(change.field)}
        for change in visible(action.changes)
        for field, before, after in _compare(
            LABELS.get(change.field, change.field), _keyed(change.before), _keyed(change.after)
        )
    ]


def _unit(field: str) -> dict[str, str]:
    return {"unit": UNITS[field]} if field in UNITS else {}


def _compare(field: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _compare(f"{field}.{key}", _keyed(before.get(key)), _keyed(after.get(key)))
    else:
        yield field, _line(before), _line(after)


def _keyed(value: Any) -> Any:
    """Return a list of objects as an object, if its items have names, so that each can be compared."""
    if isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
        for key in KEYS:
            names = [item.get(key) for item in value]
            if all(names) and len(set(names)) == len(names):
                return {str(name): dict(item) for name, item in zip(names, value, strict=True)}
        if len(value) == 1:
            return value[0]
    return value


def _line(value: Any) -> Any:
    """Return a value in one line; null for one that is absent or empty."""
    if is_empty(value):
        return None
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_line(inner)}" for key, inner in value.items() if not is_empty(inner))
    return ", ".join(str(_line(item)) for item in value)
