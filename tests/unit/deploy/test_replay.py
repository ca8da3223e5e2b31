"""Processing the events in the dead-letter queue again."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.models import Progress
from pypicloud_s3sync.deploy.replay import Replayed
from pypicloud_s3sync.deploy.replay import replay as replay_events
from pypicloud_s3sync.exceptions import AwsError, ConflictError
from support.fakes import FakeClients, created, make_desired, make_settings, not_none, refusal
from support.moto_world import notification_of

DESIRED = make_desired()
QUEUE = not_none(created(DESIRED.delivery_resources).dead_letters)


RECORDS = notification_of("a/b-1.tgz")["Records"]


class FailedEvents(FakeClients):
    """A dead-letter queue and a function; messages with an id in ``broken`` fail.

    Parameters
    ----------
    keys : str
        The key of each message, whose id is ``m-KEY``.
    broken : tuple of str
        The ids of the messages that fail.
    """

    def __init__(
        self, *keys: str, broken: tuple[str, ...] = (), answers: dict[str, Any] | None = None
    ) -> None:
        self.invoked = make_settings()
        self.messages = [
            {"MessageId": f"m-{key}", "ReceiptHandle": f"r-{key}", "Body": json.dumps(notification_of(key))}
            for key in keys
        ]
        self.broken = broken
        self.deleted: list[str] = []
        self.shown: list[str] = []
        self.reported: list[Progress] = []
        super().__init__(
            {
                "receive_message": self.receive,
                "invoke": self.invoke,
                "delete_message_batch": self.delete,
                "change_message_visibility_batch": self.show,
                **(answers or {}),
            }
        )

    def receive(self, MaxNumberOfMessages: int, **arguments: Any) -> dict[str, Any]:
        batch, self.messages = self.messages[:MaxNumberOfMessages], self.messages[MaxNumberOfMessages:]
        return {"Messages": batch} if batch else {}

    def invoke(self, Payload: bytes, **arguments: Any) -> dict[str, Any]:
        records = json.loads(Payload)["Records"]
        ids = [record["messageId"] for record in records if record["messageId"] in self.broken]
        lines = [
            json.dumps({"action": "failed", "key": message.removeprefix("m-"), "error": "S3Error: no right"})
            for message in ids
        ]
        answer = {"batchItemFailures": [{"itemIdentifier": message} for message in ids]}
        log = "\n".join(["START", *lines, "END"])
        return {
            "Payload": io.BytesIO(json.dumps(answer).encode()),
            "LogResult": base64.b64encode(log.encode()).decode(),
        }

    def delete(self, Entries: list[dict[str, Any]], **arguments: Any) -> dict[str, Any]:
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]
        return {}

    def show(self, Entries: list[dict[str, Any]], **arguments: Any) -> dict[str, Any]:
        assert {entry["VisibilityTimeout"] for entry in Entries} == {0}
        self.shown += [entry["ReceiptHandle"] for entry in Entries]
        return {}

    def replay(self, count: int = 3) -> Replayed:
        queue = replace(QUEUE, messages=count)
        return replay_events(self, DESIRED.names, queue, self.invoked, self.reported.append)


def test_events_that_succeed_are_deleted() -> None:
    clients = FailedEvents("a", "b", "c")
    result = clients.replay()
    assert (result.succeeded, result.failed) == (3, ())
    assert clients.deleted == ["r-a", "r-b", "r-c"]
    assert result.message == "3 events processed."


def test_an_event_that_fails_again_stays_in_the_queue_and_its_reason_is_reported() -> None:
    clients = FailedEvents("a", "b", broken=("m-b",))
    result = clients.replay()
    assert clients.deleted == ["r-a"]
    assert clients.shown == ["r-b"]
    assert result.document()["failed"] == [
        {"message_id": "m-b", "keys": ["b"], "error": "S3Error: no right"},
    ]
    assert result.message == "1 event processed, 1 failed again."


def test_all_messages_are_processed_in_batches_of_ten_and_each_once() -> None:
    keys = [f"k{number}" for number in range(25)]
    clients = FailedEvents(*keys, broken=("m-k3", "m-k17"))
    result = clients.replay()
    assert (result.succeeded, len(result.failed)) == (23, 2)
    assert clients.operations.count("invoke") == 3
    assert [progress.done for progress in clients.reported if progress.state == "running"] == [0, 10, 20, 25]


def test_a_function_that_raises_an_error_deletes_nothing() -> None:
    error = {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "Task timed out"}')}
    clients = FailedEvents("a", "b", answers={"invoke": error})
    result = clients.replay()
    assert clients.deleted == []
    assert [event.error for event in result.failed] == ["Task timed out"] * 2
    assert clients.shown == ["r-a", "r-b"]


def test_messages_are_visible_again_if_a_call_fails() -> None:
    clients = FailedEvents("a", "b", answers={"invoke": refusal("AccessDeniedException")})
    with pytest.raises(AwsError, match="AccessDenied for lambda:InvokeFunction on the function sync"):
        clients.replay()
    assert clients.shown == ["r-a", "r-b"]


def test_a_message_that_cannot_be_deleted_is_an_error() -> None:
    failed = {"Failed": [{"Id": "0", "Code": "ReceiptHandleIsInvalid", "Message": "x", "SenderFault": True}]}
    clients = FailedEvents("a", answers={"delete_message_batch": failed})
    with pytest.raises(AwsError, match=r"sqs:DeleteMessage on the queue .* ReceiptHandleIsInvalid"):
        clients.replay()


@pytest.mark.parametrize(
    ("body", "keys", "error"),
    [
        ("not JSON", (), "is not JSON"),
        ('{"a": 1}', (), "the event has no list of Records and is not an S3 event of EventBridge"),
        (json.dumps({"Records": [*RECORDS, {"s3": 7}]}), ("a/b-1.tgz",), "the record has no s3.bucket.name"),
    ],
    ids=["no JSON", "no event", "a record"],
)
def test_a_message_that_is_no_event_is_named_by_its_id_with_the_reason(
    body: str, keys: tuple[str, ...], error: str
) -> None:
    clients = FailedEvents(broken=("m-x",))
    clients.messages = [{"MessageId": "m-x", "ReceiptHandle": "r-x", "Body": body}]
    (event,) = clients.replay().failed
    assert (event.message_id, event.keys) == ("m-x", keys)
    assert error in event.error


def test_an_event_whose_reason_is_not_in_the_end_of_the_log_is_named_with_the_log() -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "m-a/b-1.tgz"}]}
    response = {"Payload": io.BytesIO(json.dumps(answer).encode()), "LogResult": ""}
    (event,) = FailedEvents("a/b-1.tgz", answers={"invoke": response}).replay().failed
    assert event.error == 'search the log group /aws/lambda/sync for "b-1.tgz"'


def test_nothing_is_done_without_failed_events() -> None:
    clients = FailedEvents()
    assert clients.replay(0).message == "There are no failed events."
    assert clients.operations == ["receive_message"]


def test_events_that_an_interrupted_replay_has_hidden_are_not_called_none() -> None:
    message = FailedEvents().replay(2).message
    assert "SQS counts 2" in message
    assert "for up to 30 minutes" in message


def test_an_event_that_reappears_during_a_long_replay_is_processed_once_and_shown_by_its_newest_handle() -> (
    None
):
    clients = FailedEvents(*(f"k{number}" for number in range(12)), broken=("m-k0", "m-k11"))
    clients.messages.append({**clients.messages[0], "ReceiptHandle": "r-again"})
    clients.messages.append({**clients.messages[1], "ReceiptHandle": "r-twice"})
    result = clients.replay()
    assert (result.succeeded, [event.message_id for event in result.failed]) == (10, ["m-k0", "m-k11"])
    assert clients.operations.count("invoke") == 2
    assert clients.shown == ["r-again", "r-k11"]
    assert "r-twice" in clients.deleted


def test_a_missing_queue_is_an_error() -> None:
    with pytest.raises(ConflictError, match="does not exist: run enable first"):
        replay_events(FailedEvents(), DESIRED.names, None, make_settings(), lambda progress: None)
