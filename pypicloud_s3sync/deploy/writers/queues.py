"""Create, update and delete queues and the event source mapping that makes Lambda poll one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..models import EventSourceMapping, Queue
from .calls import Calls

#: SQS's error code during the minute after a queue of the same name was deleted.
DELETED_RECENTLY = ("QueueDeletedRecently",)
#: Lambda's messages while the role's policy, a new queue or a deleted mapping has not propagated.
MAPPING_PROPAGATION = (
    *("cannot be assumed", "does not have permissions to call", "NonExistentQueue"),
    *("ResourceConflictException", "ResourceInUseException"),
)


class QueueWriter:
    """Actions on a queue."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, queue: Queue) -> None:
        """Create the queue; retry while SQS blocks the name of a recently deleted queue."""
        self.calls.retry_on(
            DELETED_RECENTLY,
            lambda: self.calls.do(
                *("sqs", "create_queue", f"the queue {queue.name}"),
                QueueName=queue.name,
                Attributes=_as_strings(queue.attributes),
                tags=dict(queue.tags),
            ),
        )

    def update(self, queue: Queue, before: Queue) -> None:
        """Update the attributes and tags that differ."""
        resource = f"the queue {queue.name}"
        changed = {
            key: value for key, value in queue.attributes.items() if before.attributes.get(key) != value
        }
        if changed:
            arguments: dict[str, Any] = {"QueueUrl": before.url, "Attributes": _as_strings(changed)}
            self.calls.do("sqs", "set_queue_attributes", resource, **arguments)
        if not queue.tags.items() <= before.tags.items():
            self.calls.do("sqs", "tag_queue", resource, QueueUrl=before.url, Tags=dict(queue.tags))

    def delete(self, url: str, name: str) -> None:
        """Delete the queue and its messages."""
        self.calls.delete_if_exists("sqs", "delete_queue", f"the queue {name}", QueueUrl=url)


class MappingWriter:
    """Actions on the event source mapping."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, mapping: EventSourceMapping) -> None:
        """Make Lambda poll the queue; until then, events wait in the queue."""
        self.calls.retry_on(
            MAPPING_PROPAGATION,
            lambda: self.calls.do(
                *("lambda", "create_event_source_mapping", _resource(mapping)),
                EventSourceArn=mapping.queue_arn,
                FunctionName=mapping.function_arn,
                **mapping.configuration,
            ),
        )

    def update(self, uuid: str, mapping: EventSourceMapping) -> None:
        """Update the configuration of the mapping."""
        self.calls.retry_on(
            MAPPING_PROPAGATION,
            lambda: self.calls.do(
                *("lambda", "update_event_source_mapping", _resource(mapping)),
                UUID=uuid,
                **mapping.configuration,
            ),
        )

    def delete(self, uuid: str) -> None:
        """Make Lambda stop polling."""
        self.calls.retry_on(
            MAPPING_PROPAGATION,
            lambda: self.calls.delete_if_exists(
                "lambda", "delete_event_source_mapping", f"the event source mapping {uuid}", UUID=uuid
            ),
        )


def _resource(mapping: EventSourceMapping) -> str:
    return f"the event source mapping of {mapping.queue_arn}"


def _as_strings(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes in the form that SQS takes, with JSON documents as strings."""
    return {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()
    }
