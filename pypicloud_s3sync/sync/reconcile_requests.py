"""Parse requests to reconcile from an event, without calling AWS.

A request is a JSON object in this tool's own format. It is accepted from a caller that may invoke the
function, and from the function's queue, to which only S3, EventBridge's rule, the schedule and the function
itself may send. It is not accepted from a message in another envelope, for example of SNS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: The only field of a request; its value is the state of the reconciliation, empty at its beginning.
FIELD = "pypicloud-s3sync:reconcile"


@dataclass(frozen=True)
class Request:
    """A request to reconcile.

    Parameters
    ----------
    state : dict
        How far the reconciliation is.
    message_id, queue_arn : str or None
        The message and its queue, into which the function sends a request to go on; None if the function was
        invoked directly.
    """

    state: Mapping[str, Any] = field(default_factory=dict)
    message_id: str | None = None
    queue_arn: str | None = None


def request(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event, or the body of a message, that asks for a reconciliation."""
    return {FIELD: dict(state)}


def split(event: Any) -> tuple[list[Request], Any]:
    """Return the requests in an event, and the event without them; None if nothing else is left."""
    if _is_request(event):
        return [Request(event[FIELD])], None
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        return [], event
    found = [_in_message(record) for record in records]
    requests = [item for item in found if item is not None]
    if not requests:
        return [], event
    rest = [record for record, item in zip(records, found, strict=True) if item is None]
    return requests, {**event, "Records": rest} if rest else None


def _in_message(record: Any) -> Request | None:
    if not isinstance(record, Mapping) or record.get("eventSource") != "aws:sqs":
        return None
    body, number, arn = (record.get(name) for name in ("body", "messageId", "eventSourceARN"))
    if not (isinstance(body, str) and FIELD in body and isinstance(number, str) and isinstance(arn, str)):
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return Request(document[FIELD], number, arn) if _is_request(document) else None


def _is_request(document: Any) -> bool:
    return isinstance(document, Mapping) and set(document) == {FIELD} and isinstance(document[FIELD], Mapping)
