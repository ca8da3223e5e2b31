from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.cache.queue_sender import PAUSES, QueueSender
from pypicloud_s3sync.deploy.models import Queue
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import FakeClients, refusal

QUEUE = Queue(
    "sync-queue", "arn:aws:sqs:eu-west-1:111122223333:sync-queue", {}, {}, "https://queue.example/q"
)


class Sqs:
    """An SQS that does not take some messages for some time."""

    def __init__(self, failures: dict[str, int], *, sender_fault: bool = False) -> None:
        self.failures = failures
        self.sender_fault = sender_fault
        self.taken: list[str] = []
        self.sizes: list[int] = []

    def __call__(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        assert QueueUrl == QUEUE.url
        self.sizes.append(len(Entries))
        failed = []
        for entry in Entries:
            body = entry["MessageBody"]
            if self.failures.get(body, 0) > 0:
                self.failures[body] -= 1
                failure = {"Id": entry["Id"], "Code": "InternalError", "Message": "busy"}
                failed.append({**failure, "SenderFault": self.sender_fault})
            else:
                self.taken.append(body)
        return {"Failed": failed} if failed else {}


def sender(sqs: Any, pauses: list[float]) -> QueueSender:
    return QueueSender(FakeClients({"send_message_batch": sqs}), QUEUE, 4, pauses.append)


def test_ten_messages_are_sent_in_a_call() -> None:
    pauses: list[float] = []
    sqs = Sqs({})
    assert sender(sqs, pauses).send([str(number) for number in range(23)]) == {}
    assert sorted(sqs.sizes) == [3, 10, 10]
    assert sorted(map(int, sqs.taken)) == list(range(23))
    assert pauses == []


def test_messages_that_sqs_does_not_take_are_sent_again_without_the_others() -> None:
    pauses: list[float] = []
    sqs = Sqs({"3": 2, "5": 1})
    assert sender(sqs, pauses).send([str(number) for number in range(10)]) == {}
    assert sqs.sizes == [10, 2, 1]
    assert sorted(map(int, sqs.taken)) == list(range(10))
    assert pauses == list(PAUSES[:2])


@pytest.mark.parametrize("sender_fault", [True, False])
def test_messages_that_are_never_taken_are_named_with_the_reason(sender_fault: bool) -> None:
    pauses: list[float] = []
    sqs = Sqs({"3": 99}, sender_fault=sender_fault)
    errors = sender(sqs, pauses).send([str(number) for number in range(5)])
    assert errors == {3: "SQS did not take it (InternalError: busy)"}
    # To repeat what is the sender's fault would not help.
    assert pauses == ([] if sender_fault else list(PAUSES))


def test_a_throttled_call_is_repeated() -> None:
    pauses: list[float] = []
    sqs, throttled = Sqs({}), [refusal("RequestThrottled"), refusal("ThrottlingException")]

    def answer(**request: Any) -> Any:
        if throttled:
            raise throttled.pop()
        return sqs(**request)

    assert sender(answer, pauses).send(["x", "y"]) == {}
    assert (sqs.taken, pauses) == (["x", "y"], list(PAUSES[:2]))


def test_a_queue_that_throttles_each_attempt_is_an_error_that_says_to_wait() -> None:
    pauses: list[float] = []
    with pytest.raises(AwsError, match="limits the rate of calls: run it again later"):
        sender(refusal("RequestThrottled"), pauses).send(["x"])
    assert pauses == list(PAUSES)


def test_a_refused_call_is_an_error() -> None:
    with pytest.raises(AwsError, match="sqs:SendMessage on the queue sync-queue"):
        sender(refusal("AccessDenied"), []).send(["x"])
