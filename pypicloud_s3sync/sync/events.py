"""Parse an event into the objects that it names, without calling AWS.

An event is not trusted: no matter what it reports, it only means "look at this key".

It arrives as S3 or EventBridge sends it, or as text in a message of SNS, of SQS, or of SNS in SQS:
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html

An event that Lambda gave up on comes back as it was, from a dead-letter queue, or as the ``requestPayload``
of a record, from an on-failure destination:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from ..exceptions import EventError

# AWS nests up to two texts, and a queue of events that Lambda gave up on may add another. No notification is
# nested deeper.
_MAX_DEPTH = 4


@dataclass(frozen=True)
class Record:
    """An object that an event names.

    Parameters
    ----------
    bucket, key : str
        The names as in S3's API: the key is decoded.
    event : str
        The kind of event, for example ``ObjectCreated:Put``, or ``Object Created`` from EventBridge; empty if
        the event does not name it.
    time : datetime, optional
        The time of the event, in UTC; None if it is missing or invalid.
    message_id : str, optional
        The id of the SQS message that contains the record.
    """

    bucket: str
    key: str
    event: str
    time: datetime.datetime | None
    message_id: str | None


@dataclass(frozen=True)
class Malformed:
    """A part of an event that is not an S3 notification.

    An SQS message without an id is malformed too, because no answer can name it.

    Parameters
    ----------
    place : str
        The path of the part, for example ``Records[0].body.Records[1]``.
    message_id : str, optional
        The id of the SQS message that contains the part.
    error : EventError
    """

    place: str
    message_id: str | None
    error: EventError


@dataclass(frozen=True)
class Notification:
    """The content of an event.

    Parameters
    ----------
    records : tuple of Record
        The records in the event's order; several may name the same key.
    malformed : tuple of Malformed
        The parts that cannot be read.
    queued : bool
        Whether the event is a batch of SQS messages. If so, each record has a message id, and the answer must
        name the messages that failed.
    """

    records: tuple[Record, ...]
    malformed: tuple[Malformed, ...]
    queued: bool


def parse(event: Any) -> Notification:
    """Read an S3 notification in any envelope; ``s3:TestEvent`` has no records.

    Raises
    ------
    EventError
        If the event as a whole is not an S3 notification. A single bad record or message does not affect the
        others.
    """
    parts = _envelope(event, _Place())
    records = _at(event, "Records")
    sources = [_at(record, "eventSource") for record in records] if isinstance(records, list) else []
    return Notification(
        records=tuple(part for part in parts if isinstance(part, Record)),
        malformed=tuple(part for part in parts if isinstance(part, Malformed)),
        queued=sources != [] and all(source == "aws:sqs" for source in sources),
    )


class _Place(NamedTuple):
    """A position in an event: its path, the SQS message that contains it, and the number of nested texts."""

    path: str = ""
    message_id: str | None = None
    depth: int = 0

    def inside(self, step: str) -> _Place:
        return self._replace(path=f"{self.path}.{step}" if self.path else step)


_Reader = Callable[[Any, _Place], list[Record | Malformed]]


def _envelope(event: Any, place: _Place) -> list[Record | Malformed]:
    if not isinstance(event, Mapping):
        raise EventError(f"expected a JSON object, not {type(event).__name__}: send S3 notifications")
    if isinstance(records := event.get("Records"), list):
        numbered = ((record, place.inside(f"Records[{n}]")) for n, record in enumerate(records))
        return [part for record, at in numbered for part in _guarded(_record, record, at)]
    if event.get("Event") == "s3:TestEvent":
        return []
    if event.get("source") == "aws.s3":
        return _guarded(_from_eventbridge, event, place.inside("detail"))
    if event.get("Type") == "Notification":
        return _guarded(_message, event.get("Message"), place.inside("Message"))
    if "requestPayload" in event and isinstance(event.get("requestContext"), Mapping):
        return _guarded(_payload, event["requestPayload"], place.inside("requestPayload"))
    if event.get("source") == "lambda" and isinstance(event.get("detail"), Mapping):
        return _envelope(event["detail"], place.inside("detail"))
    raise EventError(
        "the event has no list of Records and is not an S3 event of EventBridge: send S3 notifications"
    )


def _guarded(read: _Reader, value: Any, place: _Place) -> list[Record | Malformed]:
    """Read a part of an event; an error affects only that part."""
    try:
        return read(value, place)
    except EventError as error:
        return [Malformed(place.path, place.message_id, error)]


def _record(record: Any, place: _Place) -> list[Record | Malformed]:
    """Read one of a list of Records: from SQS (only at the top level), SNS or S3."""
    if _at(record, "eventSource") == "aws:sqs" and place.depth == 0:
        place = place._replace(message_id=_text(record, "messageId"))
        return _guarded(_message, _at(record, "body"), place.inside("body"))
    if _at(record, "EventSource") == "aws:sns":
        return _guarded(_message, _at(record, "Sns.Message"), place.inside("Sns.Message"))
    return _from_s3(record, place)


def _message(text: Any, place: _Place) -> list[Record | Malformed]:
    """Read an envelope that is text in another envelope."""
    try:
        event = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError(f"the message is not JSON ({error}): send S3 notifications") from None
    return _payload(event, place)


def _payload(event: Any, place: _Place) -> list[Record | Malformed]:
    """Read an envelope in another envelope."""
    if place.depth == _MAX_DEPTH:
        raise EventError("the message is nested deeper than AWS nests messages: send S3 notifications")
    return _envelope(event, place._replace(depth=place.depth + 1))


def _from_s3(record: Any, place: _Place) -> list[Record | Malformed]:
    """Read a record of S3, which URL-encodes keys, with ``+`` for a space.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    bucket, encoded = _text(record, "s3.bucket.name"), _text(record, "s3.object.key")
    try:
        key = unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError:
        raise EventError("the record's s3.object.key is not UTF-8, as every S3 key is") from None
    name, time = record.get("eventName"), _time(record.get("eventTime"))
    return [Record(bucket, key, name if isinstance(name, str) else "", time, place.message_id)]


def _from_eventbridge(event: Any, place: _Place) -> list[Record | Malformed]:
    """Read an event of EventBridge, which does not encode keys.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    bucket, key = _text(event, "detail.bucket.name"), _text(event, "detail.object.key")
    name, time = event.get("detail-type"), _time(event.get("time"))
    return [Record(bucket, key, name if isinstance(name, str) else "", time, place.message_id)]


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _text(value: Any, path: str) -> str:
    text = _at(value, path)
    if not isinstance(text, str) or not text:
        raise EventError(f"the record has no {path}, so it is not an S3 notification")
    if text.encode(errors="ignore").decode() != text:
        raise EventError(f"the record's {path} has a lone surrogate, so it is not an S3 notification")
    return text


def _time(text: Any) -> datetime.datetime | None:
    try:
        time = datetime.datetime.fromisoformat(text)
        return time.astimezone(datetime.UTC) if time.tzinfo else time.replace(tzinfo=datetime.UTC)
    except (TypeError, ValueError, OverflowError):
        return None
