"""From what AWS delivers to which objects to look at; values in, values out.

An event is never believed: whatever it says has happened, it only means "look at this key".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from .exceptions import EventError


@dataclass(frozen=True)
class ObjectReference:
    """An object that an event speaks of."""

    bucket: str
    key: str


@dataclass(frozen=True)
class Notification:
    """What an event asks for.

    Parameters
    ----------
    references : tuple of ObjectReference
        Each once, in the event's order.
    malformed : dict
        The error by the place of each record that is no S3 notification.
    """

    references: tuple[ObjectReference, ...]
    malformed: Mapping[str, EventError]


def parse(event: Any) -> Notification:
    """Read a direct S3 notification; ``s3:TestEvent`` asks for nothing.

    Keys in it are URL-encoded, with ``+`` for a space:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html

    Parameters
    ----------
    event : dict
        As S3 hands it to Lambda.

    Raises
    ------
    EventError
        Where the event is something else altogether. A single bad record does not stop the others.
    """
    if not isinstance(event, Mapping):
        raise EventError(f"an event is a JSON object, not {type(event).__name__}: send S3 notifications")
    if event.get("Event") == "s3:TestEvent":
        return Notification((), {})
    records = event.get("Records")
    if not isinstance(records, list):
        raise EventError("the event has no list of Records: send S3 notifications")
    references: dict[ObjectReference, None] = {}
    malformed: dict[str, EventError] = {}
    for position, record in enumerate(records):
        try:
            references[_reference(record)] = None
        except EventError as error:
            malformed[f"Records[{position}]"] = error
    return Notification(tuple(references), malformed)


def _reference(record: Any) -> ObjectReference:
    try:
        bucket, key = record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]
    except (KeyError, TypeError):
        raise EventError("it has no s3.bucket.name and s3.object.key, so it is no S3 notification") from None
    if not isinstance(bucket, str) or not isinstance(key, str):
        raise EventError("its bucket or key is not a string, so it is no S3 notification")
    return ObjectReference(bucket, unquote_plus(key))
