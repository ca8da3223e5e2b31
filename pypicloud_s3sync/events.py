"""From what AWS delivers to which objects to look at; values in, values out.

An event is never believed: whatever it says has happened, it only means "look at this key". S3's notification
comes directly or wrapped: in SNS, in SQS, in SNS inside SQS, or in EventBridge's form, which is its own:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from .exceptions import EventError

#: EventBridge or SNS in SQS is two envelopes; more is nobody's doing but an attacker's.
DEPTH = 4


@dataclass(frozen=True)
class Record:
    """An object that an event speaks of.

    Parameters
    ----------
    bucket, key : str
        The key as it is in S3, decoded.
    event : str
        What is said to have happened, for example ``ObjectCreated:Put``.
    time : datetime.datetime or None
        When, in UTC.
    message_id : str or None
        Of the SQS message that brought it.
    """

    bucket: str
    key: str
    event: str = ""
    time: datetime.datetime | None = None
    message_id: str | None = None


@dataclass(frozen=True)
class Malformed:
    """A part of an event that is no S3 notification.

    Parameters
    ----------
    place : str
        For example ``Records[2]``.
    message_id : str or None
        Of the SQS message that brought it.
    error : EventError
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
        In the event's order; one key may come more than once.
    malformed : tuple of Malformed
    queued : bool
        It came through SQS, which wants to hear of single messages that failed.
    """

    records: tuple[Record, ...]
    malformed: tuple[Malformed, ...]
    queued: bool


@dataclass(frozen=True)
class _Part:
    """Something inside an event: what it is, where it stands, and the SQS message around it."""

    content: Any
    place: str = ""
    message_id: str | None = None
    depth: int = 0

    def inside(self, content: Any, place: str, message_id: str | None = None) -> _Part:
        path = f"{self.place}.{place}" if self.place else place
        return _Part(content, path, message_id or self.message_id, self.depth + 1)


def parse(event: Any) -> Notification:
    """Read an event in any of its envelopes; ``s3:TestEvent`` asks for nothing.

    Raises
    ------
    EventError
        Where the event is something else altogether. A single bad record does not stop the others.
    """
    found: list[Record | Malformed] = []
    for item in _parts(_Part(event)):
        if isinstance(item, Malformed) and not item.place:
            raise item.error
        found.append(item)
    return Notification(
        tuple(item for item in found if isinstance(item, Record)),
        tuple(item for item in found if isinstance(item, Malformed)),
        _is_queued(event),
    )


def _parts(part: _Part) -> Iterator[Record | Malformed]:
    try:
        yield from _read(part)
    except EventError as error:
        yield Malformed(part.place, part.message_id, error)


def _read(part: _Part) -> Iterator[Record | Malformed]:
    content = part.content
    if not isinstance(content, Mapping):
        raise EventError(f"it is a JSON {type(content).__name__} and no object, so it is no S3 notification")
    if part.depth > DEPTH:
        raise EventError(f"it is wrapped more than {DEPTH} times, so it is no S3 notification")
    if content.get("Event") == "s3:TestEvent":
        return
    if isinstance(content.get("Records"), list):
        for position, record in enumerate(content["Records"]):
            yield from _parts(part.inside(record, f"Records[{position}]"))
    elif "s3" in content:
        yield _from_s3(content, part.message_id)
    elif "detail" in content:
        yield _from_eventbridge(content, part.message_id)
    elif "Sns" in content:
        yield from _parts(part.inside(content["Sns"], "Sns"))
    elif "Message" in content:
        yield from _parts(part.inside(_load(content["Message"]), "Message"))
    elif "body" in content and isinstance(content.get("messageId"), str):
        yield from _parts(part.inside(*_body(content)))
    else:
        raise EventError("it has no Records, s3, detail, Sns, Message or body: send S3 notifications")


def _body(content: Mapping[str, Any]) -> tuple[Any, str, str]:
    message_id = content["messageId"]
    try:
        return _load(content["body"]), "body", message_id
    except EventError as error:
        # The error is this message's, which alone is to be delivered again.
        return _Unreadable(error), "body", message_id


class _Unreadable(Mapping[str, Any]):
    """Stands for a body that is no JSON, and says so when it is read."""

    def __init__(self, error: EventError) -> None:
        self.error = error

    def __getitem__(self, key: str) -> Any:
        raise self.error

    def __iter__(self) -> Iterator[str]:
        raise self.error

    def __len__(self) -> int:
        raise self.error


def _load(text: Any) -> Any:
    if not isinstance(text, str):
        raise EventError("its message is no string, so it is no S3 notification")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise EventError("its message is no JSON, so it is no S3 notification") from None


def _from_s3(record: Mapping[str, Any], message_id: str | None) -> Record:
    """A record of S3's own, whose keys are URL-encoded, with ``+`` for a space."""
    bucket, key = _names(record["s3"])
    return _record(bucket, unquote_plus(key), record.get("eventName"), record.get("eventTime"), message_id)


def _from_eventbridge(event: Mapping[str, Any], message_id: str | None) -> Record:
    """An event of EventBridge's, whose keys are as they are."""
    bucket, key = _names(event["detail"])
    return _record(bucket, key, event.get("detail-type"), event.get("time"), message_id)


def _names(holder: Any) -> tuple[str, str]:
    try:
        bucket, key = holder["bucket"]["name"], holder["object"]["key"]
    except (KeyError, TypeError, IndexError):
        raise EventError("it has no bucket.name and object.key, so it is no S3 notification") from None
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise EventError("its bucket or key is not a string, so it is no S3 notification")
    return bucket, key


def _record(bucket: str, key: str, event: Any, time: Any, message_id: str | None) -> Record:
    if not all(_is_unicode(text) for text in (bucket, key)):
        raise EventError("its bucket or key is no valid Unicode, so it is none of S3's")
    return Record(bucket, key, event if isinstance(event, str) else "", _time(time), message_id)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _time(text: Any) -> datetime.datetime | None:
    try:
        parsed = datetime.datetime.fromisoformat(text)
        return parsed.astimezone(datetime.UTC) if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _is_queued(event: Any) -> bool:
    records = event.get("Records")
    if not isinstance(records, list) or not records:
        return False
    return all(isinstance(record, Mapping) and record.get("eventSource") == "aws:sqs" for record in records)
