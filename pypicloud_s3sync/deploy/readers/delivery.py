"""What there is in AWS between the bucket and the function: reads only, and only where there may be any.

Where S3 invokes the function, no right to read queues or rules is needed: the function's tag tells where else
to look.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...config.options import Delivery
from ..delivery import TARGET, deliveries_of, listens_to, message_count
from ..models import SWITCH_TAG, DeliveryResources, Desired, EventSourceMapping, Function, Queue, Rule

#: The attributes of a queue that are ours to set, those with a document apart.
TEXTS = ("VisibilityTimeout", "MessageRetentionPeriod", "SqsManagedSseEnabled")
DOCUMENTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")
#: Of a target, what decides which events our function gets, and as what.
TARGET_FIELDS = ("Id", "Arn", "Input", "InputPath", "InputTransformer")


class DeliveryReader:
    """Reads queues, mapping and rule.

    Parameters
    ----------
    find : callable
        :meth:`.reader.Reader.find`.
    """

    def __init__(self, find: Callable[..., Any]) -> None:
        self.find = find

    def resources(self, desired: Desired, function: Function | None, *, enabling: bool) -> DeliveryResources:
        """What stands between bucket and function, of the wanted delivery and of those of before.

        Parameters
        ----------
        desired : Desired
        function : Function or None
            The one that is there.
        enabling : bool
            Whether it is to be there afterwards.
        """
        deliveries, names = {desired.delivery} | deliveries_of(function), desired.names
        polled, ruled = Delivery.SQS in deliveries, Delivery.EVENTBRIDGE in deliveries
        rule = self._rule(names.rule) if ruled else None
        leaving = rule is not None and SWITCH_TAG in rule.tags
        leaving = leaving and not (enabling and desired.delivery is Delivery.EVENTBRIDGE)
        return DeliveryResources(
            queue=self._queue(names.queue) if polled else None,
            dead_letters=self._queue(names.dead_letters) if polled else None,
            mapping=self._mapping(desired) if polled else None,
            rule=rule,
            other_rules=tuple(self._other_rules(desired.bucket, names.rule)) if leaving else (),
        )

    def _queue(self, name: str) -> Queue | None:
        resource = f"the queue {name}"
        found = self.find("sqs", "get_queue_url", "sqs:GetQueueUrl", resource, QueueName=name)
        if found is None:
            return None
        of_queue = {"QueueUrl": found["QueueUrl"]}
        answer = self.find(
            *("sqs", "get_queue_attributes", "sqs:GetQueueAttributes", resource),
            **of_queue,
            AttributeNames=["All"],
        )
        tags = self.find("sqs", "list_queue_tags", "sqs:ListQueueTags", resource, **of_queue)
        if answer is None or tags is None:
            # A queue that was deleted answers for up to a minute more.
            return None
        attributes = answer["Attributes"]
        return Queue(
            name=name,
            arn=attributes["QueueArn"],
            attributes=_settable(attributes),
            tags=tags.get("Tags", {}),
            url=found["QueueUrl"],
            messages=message_count(attributes),
        )

    def _mapping(self, desired: Desired) -> EventSourceMapping | None:
        name = desired.names.queue
        queue_arn = desired.owner.queue_arn
        found = self.find(
            *("lambda", "list_event_source_mappings", "lambda:ListEventSourceMappings"),
            f"the queue {name}",
            EventSourceArn=queue_arn,
        )
        for mapping in (found or {}).get("EventSourceMappings", []):
            if mapping["FunctionArn"] == desired.function.arn and mapping["State"] != "Deleting":
                configuration = {
                    "BatchSize": mapping.get("BatchSize"),
                    "FunctionResponseTypes": mapping.get("FunctionResponseTypes", []),
                    "Enabled": mapping["State"] not in ("Disabling", "Disabled"),
                }
                return EventSourceMapping(queue_arn, mapping["FunctionArn"], configuration, mapping["UUID"])
        return None

    def _rule(self, name: str) -> Rule | None:
        resource = f"the rule {name}"
        found = self.find("events", "describe_rule", "events:DescribeRule", resource, Name=name)
        if found is None:
            return None
        targets = self.find(
            *("events", "list_targets_by_rule", "events:ListTargetsByRule", resource), Rule=name
        )
        tags = self.find(
            *("events", "list_tags_for_resource", "events:ListTagsForResource", resource),
            ResourceARN=found["Arn"],
        )
        ours = [item for item in (targets or {}).get("Targets", []) if item["Id"] == TARGET]
        return Rule(
            name=name,
            arn=found["Arn"],
            pattern=json.loads(found.get("EventPattern") or "{}"),
            state=found["State"],
            target={key: ours[0][key] for key in TARGET_FIELDS if key in ours[0]} if ours else None,
            tags={tag["Key"]: tag["Value"] for tag in (tags or {}).get("Tags", [])},
        )

    def _other_rules(self, bucket: str, ours: str) -> Iterator[str]:
        """The other rules that may get this bucket's events."""
        following: dict[str, str] = {}
        while True:
            page = self.find("events", "list_rules", "events:ListRules", "the event bus", **following)
            for rule in (page or {}).get("Rules", []):
                pattern = rule.get("EventPattern")
                if rule["Name"] != ours and pattern and listens_to(json.loads(pattern), bucket):
                    yield rule["Name"]
            if not (page or {}).get("NextToken"):
                return
            following = {"NextToken": page["NextToken"]}


def _settable(attributes: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: attributes[name] for name in TEXTS if name in attributes}
    documents = {name: json.loads(attributes[name]) for name in DOCUMENTS if attributes.get(name)}
    redrive = documents.get("RedrivePolicy")
    if redrive is not None:
        # It comes back as it was written: a number, or a text.
        redrive["maxReceiveCount"] = int(redrive.get("maxReceiveCount", 0))
    return texts | documents
