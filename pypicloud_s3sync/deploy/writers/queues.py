"""Makes, changes and deletes queues, and the mapping that makes Lambda poll one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...exceptions import AwsError
from ..delivery import COUNTS, message_count
from ..models import EventSourceMapping, Queue
from .calls import Calls

#: SQS's word within a minute of deleting a queue of the same name.
DELETED_RECENTLY = ("QueueDeletedRecently",)
#: Lambda's words while the role's rights, the queue or a deleted mapping are still on their way.
MAPPING_PROPAGATION = (
    *("cannot be assumed", "does not have permissions to call", "NonExistentQueue"),
    *("ResourceConflictException", "ResourceInUseException"),
)


class QueueWriter:
    """Actions on a queue."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, queue: Queue) -> None:
        """Make the queue; SQS takes no name that was deleted within the last minute."""
        self.calls.retry_on(
            DELETED_RECENTLY,
            lambda: self.calls.do(
                *("sqs", "create_queue", f"the queue {queue.name}"),
                QueueName=queue.name,
                Attributes=_texts(queue.attributes),
                tags=dict(queue.tags),
            ),
        )

    def update(self, queue: Queue, before: Queue) -> None:
        """Change whatever differs."""
        resource = f"the queue {queue.name}"
        changed = {
            key: value for key, value in queue.attributes.items() if before.attributes.get(key) != value
        }
        if changed:
            of_queue: dict[str, Any] = {"QueueUrl": before.url, "Attributes": _texts(changed)}
            self.calls.do("sqs", "set_queue_attributes", resource, **of_queue)
        if not queue.tags.items() <= before.tags.items():
            self.calls.do("sqs", "tag_queue", resource, QueueUrl=before.url, Tags=dict(queue.tags))

    def delete(self, url: str, name: str) -> None:
        """Delete the queue and what it holds."""
        self.calls.delete_if_exists("sqs", "delete_queue", f"the queue {name}", QueueUrl=url)


class MappingWriter:
    """Actions on the event source mapping."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, mapping: EventSourceMapping) -> None:
        """Let Lambda poll the queue; until it does, events wait there."""
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
        """Put its configuration right."""
        self.calls.retry_on(
            MAPPING_PROPAGATION,
            lambda: self.calls.do(
                *("lambda", "update_event_source_mapping", _resource(mapping)),
                UUID=uuid,
                **mapping.configuration,
            ),
        )

    def delete(self, uuid: str, url: str | None = None, queue: str = "") -> None:
        """Let Lambda poll no more; where a queue is given, after its last message was handled."""
        if url is not None:
            self._drain(url, queue)
        self.calls.retry_on(
            MAPPING_PROPAGATION,
            lambda: self.calls.delete_if_exists(
                "lambda", "delete_event_source_mapping", f"the event source mapping {uuid}", UUID=uuid
            ),
        )

    def _drain(self, url: str, queue: str) -> None:
        resource = f"the queue {queue}"

        def empty() -> bool:
            of_queue = {"QueueUrl": url, "AttributeNames": list(COUNTS)}
            found = self.calls.find("sqs", "get_queue_attributes", resource, **of_queue)
            return message_count(found.get("Attributes", {})) == 0

        if not self.calls.until(empty):
            raise AwsError(
                f"{resource} still holds events, which would be lost with it:"
                " run again when they are handled, see the function's log for what keeps them"
            )


def _resource(mapping: EventSourceMapping) -> str:
    return f"the event source mapping of {mapping.queue_arn}"


def _texts(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as SQS takes them: every value a text."""
    return {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()
    }
