"""Merge this tool's entry into a bucket's notification configuration, or remove it, and keep everything else.

Configurations have the format of boto3. ``PutBucketNotificationConfiguration`` replaces the
whole configuration, so foreign entries are written back exactly as they were read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from .models import NotificationOwner, Subscription

#: Everything that creates or removes an object. A lifecycle expiration is not an ``ObjectRemoved`` event:
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*")
LAMBDA = "LambdaFunctionConfigurations"
QUEUE = "QueueConfigurations"
EVENTBRIDGE = "EventBridgeConfiguration"
#: The kinds of entries, each with the field that holds the destination's ARN.
DESTINATIONS = {
    LAMBDA: "LambdaFunctionArn",
    QUEUE: "QueueArn",
    "TopicConfigurations": "TopicArn",
}


def entry(kind: str, identifier: str, destination: str, prefix: str) -> dict[str, Any]:
    """Return an entry for every event that creates or removes an object under ``storage.prefix``.

    S3 takes the prefix URL-encoded, like the keys in its events:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    created: dict[str, Any] = {"Id": identifier, DESTINATIONS[kind]: destination, "Events": list(EVENTS)}
    if prefix:
        created["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": quote_plus(prefix, "/")}]}}
    return created


def subscribed(
    configuration: Mapping[str, Any], owner: NotificationOwner, wanted: Subscription
) -> dict[str, Any]:
    """Return the configuration with the wanted entry in place of all entries of this tool.

    An entry that differs in nothing but its id works, so it stays: another tool may rewrite ids on each run.
    """
    rest = dict(configuration) if wanted.keeps_entries else _without_owned(configuration, owner)
    merged = _with_eventbridge(rest, wanted.eventbridge)
    if wanted.kind is not None and wanted.entry is not None:
        same = (item for item in configuration.get(wanted.kind, []) if _is_same_except_id(item, wanted.entry))
        merged[wanted.kind] = [*merged.get(wanted.kind, []), dict(next(same, wanted.entry))]
    return merged


def _is_same_except_id(item: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether an entry is the wanted one, except perhaps for its id."""
    return _canonical_entry({**item, "Id": ""}) == _canonical_entry({**wanted, "Id": ""})


def unsubscribed(
    configuration: Mapping[str, Any], owner: NotificationOwner, eventbridge: bool | None = None
) -> dict[str, Any]:
    """Return the configuration without this tool's entries.

    An entry whose destination does not exist would make S3 refuse every later write.
    """
    return _with_eventbridge(_without_owned(configuration, owner), eventbridge)


def _with_eventbridge(configuration: dict[str, Any], enabled: bool | None) -> dict[str, Any]:
    """Return the configuration with EventBridge on, off, or unchanged if ``enabled`` is None."""
    if enabled is None:
        return configuration
    rest = {key: value for key, value in configuration.items() if key != EVENTBRIDGE}
    return {**rest, EVENTBRIDGE: configuration.get(EVENTBRIDGE, {})} if enabled else rest


def _without_owned(configuration: Mapping[str, Any], owner: NotificationOwner) -> dict[str, Any]:
    rest = dict(configuration)
    for kind, destination in DESTINATIONS.items():
        kept = [item for item in rest.pop(kind, []) if not owner.receives(item[destination])]
        if kept:
            rest[kind] = kept
    return rest


def owned_entries(configuration: Mapping[str, Any], owner: NotificationOwner) -> Iterator[Mapping[str, Any]]:
    """Yield this tool's entries."""
    return (item for item, destination in _entries(configuration) if owner.receives(destination))


def equivalent(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two configurations mean the same, regardless of S3's order and spelling."""
    return _canonical(one) == _canonical(other)


def _canonical(configuration: Mapping[str, Any]) -> dict[str, Any]:
    canonical: dict[str, Any] = {
        kind: sorted(
            json.dumps(_canonical_entry(item), sort_keys=True) for item in configuration.get(kind, [])
        )
        for kind in DESTINATIONS
    }
    # EventBridge is on if the key is present; its value is always empty.
    canonical[EVENTBRIDGE] = EVENTBRIDGE in configuration
    return canonical


def _canonical_entry(item: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in item.items() if key != "Filter"}
    rules = sorted([name, _spelled(value)] for name, value in _values(item).items())
    return {**plain, "Events": sorted(item["Events"]), "Filter": rules}


def _spelled(value: str) -> str:
    """Return an encoded value in one spelling; one that is not encoded is another value, for S3 too."""
    return re.sub("%[0-9a-fA-F]{2}", lambda escape: escape[0].upper(), value).replace("%20", "+")


def _values(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the prefix and suffix of an entry; an empty one has no effect and is left out."""
    rules = item.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return {rule["Name"].lower(): rule["Value"] for rule in rules if rule.get("Value")}


def _filters(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the decoded prefix and suffix of an entry."""
    return {name: unquote_plus(value) for name, value in _values(item).items()}


def overlapping(
    configuration: Mapping[str, Any], owner: NotificationOwner, own: Mapping[str, Any]
) -> str | None:
    """Return a description of the foreign entry that makes S3 refuse this tool's entry, or None.

    S3 refuses two entries for the same event type if both their prefixes and their suffixes overlap:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    for item, destination in _entries(_without_owned(configuration, owner)):
        shared = [
            event for event in item["Events"] if any(_events_overlap(event, mine) for mine in own["Events"])
        ]
        if shared and _filters_overlap(item, own):
            events, rules = ", ".join(shared), sorted(_filters(item).items())
            filters = "".join(f", {name} {value!r}" for name, value in rules)
            return f"{item.get('Id', 'an entry without an id')} ({events}{filters}) to {destination}"
    return None


def _entries(configuration: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    for kind, destination in DESTINATIONS.items():
        for item in configuration.get(kind, []):
            yield item, item[destination]


def _events_overlap(one: str, other: str) -> bool:
    return one == other or _covers(one, other) or _covers(other, one)


def _covers(pattern: str, event: str) -> bool:
    return pattern.endswith(":*") and event.startswith(pattern[:-1])


def _filters_overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    filters = [_filters(item) for item in (one, other)]
    prefixes = sorted(item.get("prefix", "") for item in filters)
    suffixes = sorted((item.get("suffix", "") for item in filters), key=len)
    return prefixes[1].startswith(prefixes[0]) and suffixes[1].endswith(suffixes[0])


def destinations(configuration: Mapping[str, Any]) -> list[str]:
    """Return the ARN of each entry's destination."""
    return [destination for _, destination in _entries(configuration)]


def foreign_entries(configuration: Mapping[str, Any], owner: NotificationOwner) -> list[dict[str, Any]]:
    """Return the foreign entries, each as ``{"id", "events", "to"}``."""
    return [
        {"id": item.get("Id", ""), "events": item["Events"], "to": destination}
        for item, destination in _entries(_without_owned(configuration, owner))
    ]


def foreign_count(
    configuration: Mapping[str, Any], owner: NotificationOwner, *, owns_eventbridge: bool
) -> int:
    """Return the number of foreign entries, counting EventBridge if this tool did not turn it on."""
    foreign = _without_owned(configuration, owner)
    return len(list(_entries(foreign))) + (EVENTBRIDGE in foreign and not owns_eventbridge)
