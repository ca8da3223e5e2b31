"""Create, update and delete queues and the event source mapping that makes Lambda poll one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..models import EventSourceMapping, Queue
from ..readers.queues import find_mapping, find_queue
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

        def create() -> None:
            self.calls.do(
                *("sqs", "create_queue", f"the queue {queue.name}"),
                QueueName=queue.name,
                Attributes=_as_strings(queue.attributes),
                tags=dict(queue.tags),
            )

        self.calls.create(lambda: self.calls.retry_on(DELETED_RECENTLY, create), lambda: self._adopt(queue))

    def _adopt(self, queue: Queue) -> bool:
        """Update the existing queue if it has the tags of this creation.

        SQS compares the attributes of a repeated call with what it made of those of the first one.
        """
        found = find_queue(self.calls, queue.name)
        if found is None or found.tags != queue.tags:
            return False
        self.update(queue, found)
        return True

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

        def create() -> None:
            self.calls.do(
                *("lambda", "create_event_source_mapping", _resource(mapping)),
                EventSourceArn=mapping.queue_arn,
                FunctionName=mapping.function_arn,
                **mapping.configuration,
            )

        self.calls.retry_on(
            MAPPING_PROPAGATION, lambda: self.calls.create(create, lambda: self._adopt(mapping))
        )

    def _adopt(self, mapping: EventSourceMapping) -> bool:
        """Give an existing mapping the configuration; one that is being deleted still counts for Lambda."""
        queue = mapping.queue_arn.rsplit(":", 1)[-1]
        found = find_mapping(self.calls, queue, mapping.queue_arn, (mapping.function_arn,))
        if found is None:
            return False
        if found.configuration != mapping.configuration:
            self.update(found.uuid, mapping)
        return True

    def update(self, uuid: str, mapping: EventSourceMapping, *, moves: bool = False) -> None:
        """Update the configuration of the mapping; if it ``moves``, let it invoke another ARN as well."""
        arguments = {"UUID": uuid, **mapping.configuration}
        if moves:
            arguments["FunctionName"] = mapping.function_arn
        operation = ("lambda", "update_event_source_mapping", _resource(mapping))
        self.calls.retry_on(MAPPING_PROPAGATION, lambda: self.calls.do(*operation, **arguments))

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
    """Return the attributes in the format of SQS, with JSON documents as strings."""
    return {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()
    }
