"""Plan the actions on queues, event source mapping, rule and notification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .. import notifications
from ..desired.delivery import has_switch, may_turn_off_eventbridge
from ..desired.policy import with_foreign_statements
from ..desired.tags import SWITCH_TAG
from ..models import (
    Action,
    Change,
    Desired,
    EventSourceMapping,
    NotificationOwner,
    Observed,
    Queue,
    Rule,
    Subscription,
)
from .alias import obsolete_alias_actions
from .conflicts import is_owned
from .function import differences, managed_tags, switch_tag
from .permissions import obsolete_permission_actions

#: The fields of a target that decide which events the queue receives, and in which form.
TARGET_FIELDS = ("Id", "Arn", "Input", "InputPath", "InputTransformer")


def queue_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions for the queues, which the function refers to."""
    wanted, found = desired.delivery_resources, observed.delivery_resources
    if wanted.dead_letters is not None:
        yield from _queue("dead-letter queue", wanted.dead_letters, found.dead_letters)
    if wanted.queue is not None:
        tags = {**wanted.queue.tags, **switch_tag(desired, observed)}
        yield from _queue("queue", replace(wanted.queue, tags=tags), found.queue)


def switch_record_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action that removes the queue's record of an EventBridge that is no longer this tool's."""
    queue = observed.delivery_resources.queue
    if queue is not None and has_switch(queue) and not desired.subscription.eventbridge:
        tags = {SWITCH_TAG: ""}
        arguments = {"queue": replace(queue, tags=tags), "before": queue}
        shown = (Change("tags", {SWITCH_TAG: queue.tags[SWITCH_TAG]}, tags),)
        yield Action("update", "queue", queue.name, "queue.update", arguments, shown)


def delivery_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions for the event source mapping and the rule, which refer to function and queue."""
    wanted, found = desired.delivery_resources, observed.delivery_resources
    if wanted.mapping is not None:
        yield from _mapping(wanted.mapping, found.mapping, desired.names.queue)
    if wanted.rule is not None:
        yield from _rule(desired, wanted.rule, observed)


def obsolete_delivery_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions that remove what only a previous delivery needs.

    S3 uses the previous notification configuration for some minutes. Until then, its events arrive as before:
    the first action waits.
    """
    rule = observed.delivery_resources.rule if desired.delivery_resources.rule is None else None
    actions = (
        *_notification_remainder_actions(desired, observed),
        *obsolete_permission_actions(desired, observed),
        *rule_removal_actions(rule, desired.bucket),
        *obsolete_alias_actions(desired, observed),
    )
    for index, action in enumerate(actions):
        yield action if index else replace(action, delay=desired.propagation)


def mapping_removal_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action that stops Lambda from polling the queue."""
    mapping = observed.delivery_resources.mapping
    if mapping is not None:
        arguments = {"uuid": mapping.uuid}
        yield Action("delete", "event source mapping", desired.names.queue, "mapping.delete", arguments)


def rule_removal_actions(rule: Rule | None, bucket: str) -> Iterator[Action]:
    """Yield the action that deletes the rule."""
    if rule is not None and is_owned(rule, bucket):
        yield Action("delete", "rule", rule.name, "rule.delete", {"name": rule.name})


def queue_removal_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the actions that delete the queues with the events in them; the plan shows how many."""
    found = observed.delivery_resources
    for resource, queue in (("queue", found.queue), ("dead-letter queue", found.dead_letters)):
        if queue is not None and is_owned(queue, desired.bucket):
            arguments = {"url": queue.url, "name": queue.name}
            shown = (Change("messages", queue.messages, None),) if queue.messages else ()
            yield Action("delete", resource, queue.name, "queue.delete", arguments, shown)


def _queue(resource: str, wanted: Queue, queue: Queue | None) -> Iterator[Action]:
    if queue is None:
        shown = tuple(Change(key, None, value) for key, value in wanted.attributes.items())
        yield Action("create", resource, wanted.name, "queue.create", {"queue": wanted}, shown)
        return
    wanted = replace(wanted, attributes=_with_foreign_settings(wanted, queue))
    changes = differences(_shown(queue, wanted.tags), _shown(wanted, wanted.tags))
    if changes:
        arguments = {"queue": wanted, "before": queue}
        yield Action("update", resource, wanted.name, "queue.update", arguments, changes)


def _with_foreign_settings(wanted: Queue, queue: Queue) -> dict[str, Any]:
    """Return a queue's attributes with what others set on it: statements of its policy, and a KMS key."""
    attributes = dict(wanted.attributes)
    if "Policy" in attributes:
        attributes["Policy"] = with_foreign_statements(attributes["Policy"], queue.attributes.get("Policy"))
    if queue.attributes.get("KmsMasterKeyId"):
        # A queue has one kind of encryption: setting the other would replace it.
        del attributes["SqsManagedSseEnabled"]
    return attributes


def _shown(part: Queue | Rule, tags: Mapping[str, str]) -> dict[str, Any]:
    fields: Mapping[str, Any]
    if isinstance(part, Queue):
        fields = part.attributes
    else:
        fields = {"pattern": part.pattern, "state": part.state, "target": part.target}
    return {**fields, "tags": managed_tags(part.tags, tags)}


def _mapping(wanted: EventSourceMapping, mapping: EventSourceMapping | None, queue: str) -> Iterator[Action]:
    if mapping is None:
        wanted = replace(wanted, configuration={**wanted.initial, **wanted.configuration})
        shown = tuple(Change(key, None, value) for key, value in wanted.configuration.items())
        yield Action("create", "event source mapping", queue, "mapping.create", {"mapping": wanted}, shown)
        return
    moves = mapping.function_arn != wanted.function_arn
    changes = differences(mapping.configuration, wanted.configuration)
    if moves:
        changes = (Change("FunctionArn", mapping.function_arn, wanted.function_arn), *changes)
    if changes:
        arguments = {"uuid": mapping.uuid, "mapping": wanted, **({"moves": True} if moves else {})}
        yield Action("update", "event source mapping", queue, "mapping.update", arguments, changes)


def _rule(desired: Desired, wanted: Rule, observed: Observed) -> Iterator[Action]:
    wanted = replace(wanted, tags={**wanted.tags, **switch_tag(desired, observed)})
    rule = observed.delivery_resources.rule
    if rule is None:
        shown = (Change("pattern", None, wanted.pattern), Change("target", None, wanted.target))
        yield Action("create", "rule", wanted.name, "rule.create", {"rule": wanted}, shown)
        return
    wanted = replace(wanted, target=_with_foreign_fields(wanted.target, rule.target))
    changes = differences(_shown(rule, wanted.tags), _shown(wanted, wanted.tags))
    if changes:
        yield Action("update", "rule", wanted.name, "rule.update", {"rule": wanted, "before": rule}, changes)


def _with_foreign_fields(
    wanted: Mapping[str, Any] | None, target: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """Return the wanted target with what others set on it, for example a retry policy."""
    foreign = {key: value for key, value in (target or {}).items() if key not in TARGET_FIELDS}
    return None if wanted is None else {**wanted, **foreign}


def notification_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action that puts this tool's notification entry or turns on EventBridge.

    S3 needs some minutes to send events to EventBridge. Until then, a previous entry stays; see
    :func:`obsolete_delivery_actions`.
    """
    wanted = desired.subscription
    if wanted.entry is None:
        wanted = replace(wanted, keeps_entries=True)
    yield from _notification(desired, observed.notifications, wanted)


def _notification_remainder_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action that removes a previous entry or turns off EventBridge, after the new way works."""
    wanted = desired.subscription
    if wanted.eventbridge is None and may_turn_off_eventbridge(observed):
        wanted = replace(wanted, eventbridge=False)
    before = notifications.subscribed(observed.notifications, desired.owner, desired.subscription)
    if wanted.entry is None:
        before = {**observed.notifications, notifications.EVENTBRIDGE: {}}
    yield from _notification(desired, before, wanted)


def _notification(
    desired: Desired, configuration: Mapping[str, Any], wanted: Subscription
) -> Iterator[Action]:
    """Yield the action that changes a notification configuration to contain the wanted subscription."""
    merged = notifications.subscribed(configuration, desired.owner, wanted)
    if notifications.equivalent(configuration, merged):
        return
    replaced, added = (
        [dict(item) for item in notifications.owned_entries(entries, desired.owner)]
        for entries in (configuration, merged)
    )
    switched = notifications.EVENTBRIDGE in configuration
    verb = "update" if replaced or (switched and wanted.eventbridge is False) else "create"
    shown = [Change("entry", replaced or None, added[0] if added else None)] if replaced != added else []
    if wanted.eventbridge not in (None, switched):
        shown.append(Change("EventBridge", _on(switched), _on(wanted.eventbridge)))
    arguments = {"owner": desired.owner, "subscription": wanted}
    yield Action(
        verb, "notification", desired.names.notification, "notification.put", arguments, tuple(shown)
    )


def _on(switched: bool | None) -> str:
    return "on" if switched else "off"


def notification_removal_actions(desired: Desired, observed: Observed) -> Iterator[Action]:
    """Yield the action that removes this tool's entries and turns off EventBridge if nothing else needs it.

    An entry that sends to a function or queue of another owner is not removed.
    """
    foreign = {
        resource.arn
        for resource in (observed.function, observed.delivery_resources.queue)
        if resource is not None and not is_owned(resource, desired.bucket)
    }
    destinations = tuple(arn for arn in desired.owner.destinations if arn not in foreign)
    owner = NotificationOwner(destinations)
    eventbridge = False if may_turn_off_eventbridge(observed) else None
    configuration = observed.notifications
    remaining = notifications.unsubscribed(configuration, owner, eventbridge)
    if not notifications.equivalent(configuration, remaining):
        name = desired.names.notification
        arguments = {"owner": owner, "eventbridge": eventbridge}
        yield Action("delete", "notification", name, "notification.remove", arguments)
