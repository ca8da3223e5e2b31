"""Read queues and the event source mapping that makes Lambda poll one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..desired.delivery import message_count
from ..models import EventSourceMapping, Queue
from .calls import Calls

#: The attributes that this tool manages: plain ones, and those that hold a JSON document.
PLAIN_ATTRIBUTES = (
    *("VisibilityTimeout", "MessageRetentionPeriod", "SqsManagedSseEnabled"),
    # Read so that it is kept: this tool never sets a key.
    "KmsMasterKeyId",
)
#: The states of an event source mapping that passes no messages on.
INACTIVE = ("Disabling", "Disabled", "Deleting")
DOCUMENT_ATTRIBUTES = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")


def find_queue(calls: Calls, name: str) -> Queue | None:
    """Return a queue with the attributes that this tool manages, or None if it does not exist."""
    resource = f"the queue {name}"
    found = calls.find("sqs", "get_queue_url", resource, QueueName=name)
    if found is None:
        return None
    url = found["QueueUrl"]
    response = calls.find("sqs", "get_queue_attributes", resource, QueueUrl=url, AttributeNames=["All"])
    tags = calls.find("sqs", "list_queue_tags", resource, QueueUrl=url)
    if response is None or tags is None:
        # SQS returns the URL of a deleted queue for up to a minute.
        return None
    attributes = response["Attributes"]
    return Queue(
        name=name,
        arn=attributes["QueueArn"],
        attributes=_managed(attributes),
        tags=tags.get("Tags", {}),
        url=url,
        messages=message_count(attributes),
    )


def find_mapping(
    calls: Calls, queue: str, queue_arn: str, function_arns: tuple[str, ...]
) -> EventSourceMapping | None:
    """Return the event source mapping of a queue and a function; None if it is missing or being deleted.

    Parameters
    ----------
    calls : Calls
    queue, queue_arn : str
    function_arns : tuple of str
        The ARNs that it may invoke: the function and its alias, the preferred one first.
    """
    found = calls.find("lambda", "list_event_source_mappings", f"the queue {queue}", EventSourceArn=queue_arn)
    mappings = (found or {}).get("EventSourceMappings", [])
    # A version or an alias of the function handles the messages as well.
    own = f"{min(function_arns, key=len)}:"
    others = [
        item["FunctionArn"]
        for item in mappings
        if item["State"] not in INACTIVE and not f"{item['FunctionArn']}:".startswith(own)
    ]
    for function_arn, mapping in ((arn, mapping) for arn in function_arns for mapping in mappings):
        if mapping["FunctionArn"] == function_arn and mapping["State"] != "Deleting":
            configuration = {
                "BatchSize": mapping.get("BatchSize"),
                "FunctionResponseTypes": mapping.get("FunctionResponseTypes", []),
                "Enabled": mapping["State"] not in INACTIVE,
            }
            if mapping.get("ScalingConfig"):
                configuration["ScalingConfig"] = mapping["ScalingConfig"]
            return EventSourceMapping(
                *(queue_arn, function_arn, configuration),
                uuid=mapping["UUID"],
                has_filter=bool(mapping.get("FilterCriteria", {}).get("Filters")),
                other_readers=tuple(others),
            )
    return None


def _managed(attributes: Mapping[str, str]) -> dict[str, Any]:
    plain = {name: attributes[name] for name in PLAIN_ATTRIBUTES if name in attributes}
    documents = {name: json.loads(attributes[name]) for name in DOCUMENT_ATTRIBUTES if attributes.get(name)}
    redrive = documents.get("RedrivePolicy")
    if redrive is not None:
        # SQS returns the count as it was written: a number or a string.
        redrive["maxReceiveCount"] = int(redrive.get("maxReceiveCount", 0))
    return plain | documents
