"""A bucket's notifications are shared property: put ours in, take ours out, leave the rest as it is.

Configurations are as boto3 gives and takes them. ``PutBucketNotificationConfiguration`` replaces everything,
so whatever is not ours goes back exactly as it came.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .models import NotificationOwner, Subscription

#: Whatever makes an object appear, or disappear. Expiration by a lifecycle rule is no ``ObjectRemoved``:
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*")
#: The two entries that pypicloud's own ``ppc-create-s3-sync`` made, without id or filter
#: (pypicloud/lambda_scripts.py); S3 has given them ids since.
PYPICLOUD_EVENTS = (["s3:ObjectCreated:*"], ["s3:ObjectRemoved:*"])
LAMBDA = "LambdaFunctionConfigurations"
QUEUE = "QueueConfigurations"
EVENTBRIDGE = "EventBridgeConfiguration"
#: Each kind of destination, and where its entries name it.
DESTINATIONS = {
    LAMBDA: "LambdaFunctionArn",
    QUEUE: "QueueArn",
    "TopicConfigurations": "TopicArn",
}


def entry(kind: str, identifier: str, receiver: str, prefix: str) -> dict[str, Any]:
    """Our entry of a kind: every event that changes what there is under ``storage.prefix``."""
    made: dict[str, Any] = {"Id": identifier, DESTINATIONS[kind]: receiver, "Events": list(EVENTS)}
    if prefix:
        made["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
    return made


def subscribed(
    configuration: Mapping[str, Any], owner: NotificationOwner, wanted: Subscription
) -> dict[str, Any]:
    """The configuration with our entry in the place of whatever makes way for it."""
    merged = _switched(_others(configuration, owner), wanted.eventbridge)
    if wanted.kind is not None and wanted.entry is not None:
        merged[wanted.kind] = [*merged.get(wanted.kind, []), dict(wanted.entry)]
    return merged


def unsubscribed(
    configuration: Mapping[str, Any], owner: NotificationOwner, eventbridge: bool | None = None
) -> dict[str, Any]:
    """The configuration without our entry. What pypicloud's own tool made is not ours until it is adopted."""
    return _switched(_without(configuration, lambda item: _is_ours(item, owner)), eventbridge)


def _switched(configuration: dict[str, Any], eventbridge: bool | None) -> dict[str, Any]:
    """The configuration with EventBridge on, off, or as it is; its presence is all it says."""
    if eventbridge is None:
        return configuration
    rest = {key: value for key, value in configuration.items() if key != EVENTBRIDGE}
    return {**rest, EVENTBRIDGE: configuration.get(EVENTBRIDGE, {})} if eventbridge else rest


def _others(configuration: Mapping[str, Any], owner: NotificationOwner) -> dict[str, Any]:
    """The configuration without what ours takes the place of."""
    return _without(configuration, lambda item: _is_replaced(item, owner))


def _without(configuration: Mapping[str, Any], gone: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    rest = dict(configuration)
    for kind in (LAMBDA, QUEUE):
        kept = [item for item in rest.pop(kind, []) if not gone(item)]
        if kept:
            rest[kind] = kept
    return rest


def _is_ours(item: Mapping[str, Any], owner: NotificationOwner) -> bool:
    """Whether an entry is ours: exactly our id, and one of our receivers."""
    return item.get("Id") == owner.identifier and _receiver(item) in owner.receivers


def _is_replaced(item: Mapping[str, Any], owner: NotificationOwner) -> bool:
    """Whether an entry makes way for ours: ours of before, or pypicloud's own for our function."""
    left = "Filter" not in item and item["Events"] in PYPICLOUD_EVENTS
    return _is_ours(item, owner) or (left and item.get(DESTINATIONS[LAMBDA]) == owner.function_arn)


def _receiver(item: Mapping[str, Any]) -> str | None:
    return item.get(DESTINATIONS[LAMBDA]) or item.get(DESTINATIONS[QUEUE])


def replaced(configuration: Mapping[str, Any], owner: NotificationOwner) -> list[Mapping[str, Any]]:
    """The entries that make way for ours."""
    return [
        item for kind in (LAMBDA, QUEUE) for item in configuration.get(kind, []) if _is_replaced(item, owner)
    ]


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two configurations mean the same, whatever the order and spelling S3 gives back."""
    return _canonical(one) == _canonical(other)


def _canonical(configuration: Mapping[str, Any]) -> dict[str, Any]:
    canonical: dict[str, Any] = {
        kind: sorted(
            json.dumps(_canonical_entry(item), sort_keys=True) for item in configuration.get(kind, [])
        )
        for kind in DESTINATIONS
    }
    canonical[EVENTBRIDGE] = EVENTBRIDGE in configuration
    return canonical


def _canonical_entry(item: Mapping[str, Any]) -> dict[str, Any]:
    rules = [[rule["Name"].lower(), rule.get("Value", "")] for rule in _rules(item)]
    plain = {key: value for key, value in item.items() if key != "Filter"}
    return {**plain, "Events": sorted(item["Events"]), "Filter": sorted(rules)}


def _rules(item: Mapping[str, Any]) -> list[dict[str, str]]:
    rules: list[dict[str, str]] = item.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return rules


def overlapping(
    configuration: Mapping[str, Any], owner: NotificationOwner, ours: Mapping[str, Any]
) -> str | None:
    """The foreign entry that S3 would refuse ours for, in words; None where there is none.

    S3 takes no two entries for one type of event whose prefixes and suffixes both overlap:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    foreign = _others(configuration, owner)
    for item, destination in _entries(foreign):
        shared = [
            event for event in item["Events"] if any(_events_meet(event, own) for own in ours["Events"])
        ]
        if shared and _filters_meet(item, ours):
            events, rules = ", ".join(shared), _canonical_entry(item)["Filter"]
            filters = "".join(f", {name} {value!r}" for name, value in rules)
            return f"{item.get('Id', 'without id')} ({events}{filters}) to {destination}"
    return None


def _entries(configuration: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    for kind, destination in DESTINATIONS.items():
        for item in configuration.get(kind, []):
            yield item, item[destination]


def _events_meet(one: str, other: str) -> bool:
    return one == other or _covers(one, other) or _covers(other, one)


def _covers(pattern: str, event: str) -> bool:
    return pattern.endswith(":*") and event.startswith(pattern[:-1])


def _filters_meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    filters = [
        {rule["Name"].lower(): rule.get("Value", "") for rule in _rules(item)} for item in (one, other)
    ]
    prefixes = sorted(item.get("prefix", "") for item in filters)
    suffixes = sorted((item.get("suffix", "") for item in filters), key=len)
    return prefixes[1].startswith(prefixes[0]) and suffixes[1].endswith(suffixes[0])


def foreign(configuration: Mapping[str, Any], owner: NotificationOwner) -> list[dict[str, Any]]:
    """The entries of others: ``{"id", "events", "to"}`` each."""
    return [
        {"id": item.get("Id", ""), "events": item["Events"], "to": destination}
        for item, destination in _entries(_others(configuration, owner))
    ]


def foreign_count(
    configuration: Mapping[str, Any], owner: NotificationOwner, *, eventbridge_is_ours: bool
) -> int:
    """How many entries, EventBridge's among them, are none of ours."""
    foreign = _others(configuration, owner)
    return len(list(_entries(foreign))) + (EVENTBRIDGE in foreign and not eventbridge_is_ours)
