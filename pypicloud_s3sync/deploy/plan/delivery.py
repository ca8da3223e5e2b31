"""Plan the actions on queues, event source mapping, rule, permission and notification."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .. import notifications
from ..delivery import may_turn_off_eventbridge
from ..models import (
    SWITCH_TAG,
    Action,
    Change,
    DeliveryResources,
    Desired,
    EventSourceMapping,
    Names,
    Observed,
    Queue,
    Rule,
)
from .conflicts import is_owned
from .function import differences, managed_tags

#: The arguments of AddPermission that become conditions of the statement.
SOURCES = ("SourceArn", "SourceAccount")
PERMISSION_FIELDS = ("Principal", *SOURCES)


def delivery_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions that create or update the delivery's resources, in the order of their references."""
    wanted, found = desired.delivery_resources, observed.delivery_resources
    if wanted.dead_letters is not None:
        yield from _queue("dead-letter queue", wanted.dead_letters, found.dead_letters)
    if wanted.queue is not None:
        yield from _queue("queue", wanted.queue, found.queue)
    if wanted.mapping is not None:
        yield from _mapping(wanted.mapping, found.mapping, desired.names.queue)
    if wanted.rule is not None:
        yield from _rule(wanted.rule, observed)


def obsolete_delivery_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions that remove the resources of another delivery, after its queue is drained."""
    found, kept = observed.delivery_resources, desired.delivery_resources
    obsolete = DeliveryResources(
        queue=None if kept.queue else found.queue,
        dead_letters=None if kept.dead_letters else found.dead_letters,
        mapping=None if kept.mapping else found.mapping,
        rule=None if kept.rule else found.rule,
    )
    yield from removal_actions(obsolete, desired, drain=True)


def removal_actions(resources: DeliveryResources, desired: Desired, *, drain: bool) -> Iterator[Action]:
    """Yield the actions that remove a delivery's resources; ``drain`` waits for the queue to be empty."""
    bucket = desired.bucket
    if resources.mapping is not None:
        mapping = {"uuid": resources.mapping.uuid}
        if drain and resources.queue is not None:
            mapping |= {"url": resources.queue.url, "queue": resources.queue.name}
        yield Action("delete", "event source mapping", desired.names.queue, "mapping.delete", mapping)
    for resource, found in (("queue", resources.queue), ("dead-letter queue", resources.dead_letters)):
        if found is not None and is_owned(found, bucket):
            arguments = {"url": found.url, "name": found.name}
            yield Action("delete", resource, found.name, "queue.delete", arguments)
    if resources.rule is not None and is_owned(resources.rule, bucket):
        yield Action("delete", "rule", resources.rule.name, "rule.delete", {"name": resources.rule.name})


def _queue(resource: str, wanted: Queue, queue: Queue | None) -> Iterator[Action]:
    if queue is None:
        shown = tuple(Change(key, None, value) for key, value in wanted.attributes.items())
        yield Action("create", resource, wanted.name, "queue.create", {"queue": wanted}, shown)
        return
    changes = differences(_shown(queue, wanted.tags), _shown(wanted, wanted.tags))
    if changes:
        arguments = {"queue": wanted, "before": queue}
        yield Action("update", resource, wanted.name, "queue.update", arguments, changes)


def _shown(part: Queue | Rule, tags: Mapping[str, str]) -> dict[str, Any]:
    fields: Mapping[str, Any]
    if isinstance(part, Queue):
        fields = part.attributes
    else:
        fields = {"pattern": part.pattern, "state": part.state, "target": part.target}
    return {**fields, "tags": managed_tags(part.tags, tags)}


def _mapping(wanted: EventSourceMapping, mapping: EventSourceMapping | None, queue: str) -> Iterator[Action]:
    if mapping is None:
        shown = tuple(Change(key, None, value) for key, value in wanted.configuration.items())
        yield Action("create", "event source mapping", queue, "mapping.create", {"mapping": wanted}, shown)
        return
    changes = differences(mapping.configuration, wanted.configuration)
    if changes:
        arguments = {"uuid": mapping.uuid, "mapping": wanted}
        yield Action("update", "event source mapping", queue, "mapping.update", arguments, changes)


def _rule(wanted: Rule, observed: Observed) -> Iterator[Action]:
    if "EventBridgeConfiguration" not in observed.notifications:
        # Tagged before EventBridge is turned on: if the run is interrupted in between, the next one knows.
        wanted = replace(wanted, tags={**wanted.tags, SWITCH_TAG: "switched-on"})
    rule = observed.delivery_resources.rule
    if rule is None:
        shown = (Change("pattern", None, wanted.pattern), Change("target", None, wanted.target))
        yield Action("create", "rule", wanted.name, "rule.create", {"rule": wanted}, shown)
        return
    changes = differences(_shown(rule, wanted.tags), _shown(wanted, wanted.tags))
    if changes:
        yield Action("update", "rule", wanted.name, "rule.update", {"rule": wanted, "before": rule}, changes)


def permission_actions(desired: Desired, statements: tuple[Mapping[str, Any], ...]) -> Iterator[Action]:
    """Yield the action that creates or updates the permission to invoke the function."""
    wanted = desired.permission
    if wanted is None:
        return
    name = wanted["StatementId"]
    shown = tuple(Change(key, None, value) for key, value in wanted.items() if key in PERMISSION_FIELDS)
    found = find_statement(statements, name)
    if found is None:
        yield Action("create", "permission", name, "permission.add", {"permission": wanted}, shown)
    elif not _permits(found, wanted):
        before = json.dumps(found, sort_keys=True)
        changes = (Change("statement", before, dict(wanted)),)
        yield Action("update", "permission", name, "permission.replace", {"permission": wanted}, changes)


def permission_removal_actions(
    names: Names, statements: tuple[Mapping[str, Any], ...], kept: Mapping[str, Any] | None = None
) -> Iterator[Action]:
    """Yield the actions that remove this tool's statements, except the ``kept`` one."""
    for name in (names.statement, names.rule_statement):
        if (kept is None or kept["StatementId"] != name) and find_statement(statements, name) is not None:
            arguments = {"function": names.function, "statement": name}
            yield Action("delete", "permission", name, "permission.remove", arguments)


def find_statement(statements: tuple[Mapping[str, Any], ...], sid: str) -> Mapping[str, Any] | None:
    """Return a statement of a function's policy by its id."""
    return next((statement for statement in statements if statement.get("Sid") == sid), None)


def _permits(statement: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a statement is what AddPermission creates from the arguments ``wanted``."""
    conditions = {
        key.lower(): value
        for operator in statement.get("Condition", {}).values()
        for key, value in operator.items()
    }
    return (
        statement.get("Effect") == "Allow"
        and statement.get("Action") == wanted["Action"]
        and statement.get("Principal") in ({"Service": wanted["Principal"]}, wanted["Principal"])
        and conditions == {f"aws:{key.lower()}": wanted[key] for key in SOURCES if key in wanted}
    )


def notification_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action that puts this tool's notification entry and turns EventBridge on or off."""
    configuration, wanted = observed.notifications, desired.subscription
    if wanted.eventbridge is None and may_turn_off_eventbridge(observed):
        wanted = replace(wanted, eventbridge=False)
    merged = notifications.subscribed(configuration, desired.owner, wanted)
    if notifications.equivalent(configuration, merged):
        return
    replaced = notifications.replaced_entries(configuration, desired.owner)
    before = [dict(item) for item in replaced] or None
    switched = notifications.EVENTBRIDGE in configuration
    verb = "update" if replaced or (switched and wanted.eventbridge is False) else "create"
    after = None if wanted.entry is None else dict(wanted.entry)
    shown = [Change("entry", before, after)] if before or after else []
    if wanted.eventbridge not in (None, switched):
        shown.append(Change("EventBridge", _on(switched), _on(wanted.eventbridge)))
    arguments = {"owner": desired.owner, "subscription": wanted}
    yield Action(
        verb, "notification", desired.names.notification, "notification.put", arguments, tuple(shown)
    )


def _on(switched: bool | None) -> str:
    return "on" if switched else "off"


def notification_removal_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action that removes this tool's entry and turns off EventBridge if nothing else needs it."""
    eventbridge = False if may_turn_off_eventbridge(observed) else None
    configuration = observed.notifications
    remaining = notifications.unsubscribed(configuration, desired.owner, eventbridge)
    if not notifications.equivalent(configuration, remaining):
        name = desired.names.notification
        arguments = {"owner": desired.owner, "eventbridge": eventbridge}
        yield Action("delete", "notification", name, "notification.remove", arguments)
