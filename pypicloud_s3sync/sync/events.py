"""From what AWS delivers to which objects to look at; values in, values out.

An event is never believed: whatever it says has happened, it only means "look at this key".

It comes as S3 or EventBridge made it, or as text in a message of SNS, of SQS, or of SNS in SQS:
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from ..exceptions import EventError

# AWS nests two texts; a queue of what Lambda gave up on may hold another. More is nobody's notification.
_DEEPEST = 4


@dataclass(frozen=True)
class Record:
    """An object that an event speaks of.

    Parameters
    ----------
    bucket, key : str
        As S3's API takes them: the key is decoded.
    event : str
        For example ``ObjectCreated:Put``, from EventBridge ``Object Created``; empty where it is not said.
    time : datetime, optional
        When it happened, in UTC; None where it is not said, or not understood.
    message_id : str, optional
        The SQS message that it came in.
    """

    bucket: str
    key: str
    event: str
    time: datetime.datetime | None
    message_id: str | None


@dataclass(frozen=True)
class Malformed:
    """A part of an event that is no S3 notification; its place is, say, ``Records[0].body.Records[1]``.

    An SQS message without an id is one too: no answer can name it.
    """

    place: str
    message_id: str | None
    error: EventError


@dataclass(frozen=True)
class Notification:
    """What an event asks for.

    Parameters
    ----------
    records : tuple of Record
        In the event's order; a key may be named more than once.
    malformed : tuple of Malformed
        What could not be read.
    queued : bool
        The event is a batch of SQS messages, so the answer is to name those that failed; each record has one.
    """

    records: tuple[Record, ...]
    malformed: tuple[Malformed, ...]
    queued: bool


def parse(event: Any) -> Notification:
    """Read what Lambda hands over: an S3 notification in any envelope; ``s3:TestEvent`` asks for nothing.

    Raises
    ------
    EventError
        Where the event is something else altogether. A single bad record or message does not stop the others.
    """
    found = _envelope(event, _Place())
    records = _at(event, "Records")
    sources = [_at(record, "eventSource") for record in records] if isinstance(records, list) else []
    return Notification(
        records=tuple(one for one in found if isinstance(one, Record)),
        malformed=tuple(one for one in found if isinstance(one, Malformed)),
        queued=sources != [] and all(source == "aws:sqs" for source in sources),
    )


class _Place(NamedTuple):
    """Where in an event the reader is, in which SQS message, and how many texts deep."""

    path: str = ""
    message_id: str | None = None
    depth: int = 0

    def inside(self, step: str) -> _Place:
        return self._replace(path=f"{self.path}.{step}" if self.path else step)


_Reader = Callable[[Any, _Place], list[Record | Malformed]]


def _envelope(event: Any, place: _Place) -> list[Record | Malformed]:
    if not isinstance(event, Mapping):
        raise EventError(f"an event is a JSON object, not {type(event).__name__}: send S3 notifications")
    if isinstance(records := event.get("Records"), list):
        numbered = ((record, place.inside(f"Records[{n}]")) for n, record in enumerate(records))
        return [one for record, at in numbered for one in _guarded(_record, record, at)]
    if event.get("Event") == "s3:TestEvent":
        return []
    if event.get("source") == "aws.s3":
        return _guarded(_from_eventbridge, event, place.inside("detail"))
    if event.get("Type") == "Notification":
        return _guarded(_message, event.get("Message"), place.inside("Message"))
    raise EventError("it has no list of Records and is no S3 event of EventBridge: send S3 notifications")


def _guarded(read: _Reader, value: Any, place: _Place) -> list[Record | Malformed]:
    """The errors of a part stay with that part."""
    try:
        return read(value, place)
    except EventError as error:
        return [Malformed(place.path, place.message_id, error)]


def _record(record: Any, place: _Place) -> list[Record | Malformed]:
    """One of a list of Records: SQS's, where Lambda itself hands them over, SNS's or S3's."""
    if _at(record, "eventSource") == "aws:sqs" and place.depth == 0:
        place = place._replace(message_id=_text(record, "messageId"))
        return _guarded(_message, _at(record, "body"), place.inside("body"))
    if _at(record, "EventSource") == "aws:sns":
        return _guarded(_message, _at(record, "Sns.Message"), place.inside("Sns.Message"))
    return _from_s3(record, place)


def _message(text: Any, place: _Place) -> list[Record | Malformed]:
    """An envelope as text in another."""
    if place.depth == _DEEPEST:
        raise EventError("it lies deeper than AWS nests messages: send S3 notifications")
    try:
        event = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError(f"it is not JSON ({error}): send S3 notifications") from None
    return _envelope(event, place._replace(depth=place.depth + 1))


def _from_s3(record: Any, place: _Place) -> list[Record | Malformed]:
    """S3 URL-encodes keys, with ``+`` for a space.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    bucket, encoded = _text(record, "s3.bucket.name"), _text(record, "s3.object.key")
    try:
        key = unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError:
        raise EventError("its s3.object.key is not UTF-8, which every S3 key is") from None
    name, time = record.get("eventName"), _time(record.get("eventTime"))
    return [Record(bucket, key, name if isinstance(name, str) else "", time, place.message_id)]


def _from_eventbridge(event: Any, place: _Place) -> list[Record | Malformed]:
    """EventBridge does not encode keys: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html."""
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
        raise EventError(f"it has no {path}, so it is no S3 notification")
    if text.encode(errors="ignore").decode() != text:
        raise EventError(f"its {path} has a lone surrogate, so it is no S3 notification")
    return text


def _time(text: Any) -> datetime.datetime | None:
    try:
        time = datetime.datetime.fromisoformat(text)
        return time.astimezone(datetime.UTC) if time.tzinfo else time.replace(tzinfo=datetime.UTC)
    except (TypeError, ValueError, OverflowError):
        return None
