"""Let the function process the events in its dead-letter queue again, and delete those that succeed."""

from __future__ import annotations

import base64
import binascii
import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..config.settings import SyncSettings
from ..exceptions import ConflictError
from ..sync import events
from ..sync.counts import count_of
from .aws.clients import Clients
from .models import Names, Progress, Queue, Reporter
from .snap_start import invoked
from .writers.calls import Calls

STEP = "replay failed events"
#: The most messages that one call returns or deletes: botocore, sqs 2012-11-05.
BATCH = 10
#: How long a call waits for messages, in seconds. Only a call that waits asks all of SQS's servers:
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
WAIT_SECONDS = 2
#: How long a message is hidden from the next calls, in seconds: longer than the function may take for a
#: batch. After a run that was killed, the next one has to wait for as long.
HIDDEN_SECONDS = 1_800


@dataclass(frozen=True)
class FailedEvent:
    """A message that failed again: its id, the keys in it, and the reason, or where to find it."""

    message_id: str
    keys: tuple[str, ...]
    error: str


@dataclass(frozen=True)
class Replayed:
    """The result of a replay: the number of messages that succeeded, and those that failed again.

    ``hidden`` is the number of messages in the queue if none could be received.
    """

    succeeded: int
    failed: tuple[FailedEvent, ...]
    hidden: int = 0

    @property
    def message(self) -> str:
        """The result in one line."""
        if self.hidden:
            return (
                f"No failed event can be received, although SQS counts {self.hidden:,}: a replay that is"
                f" running, or was interrupted, hides them for up to {HIDDEN_SECONDS // 60} minutes."
            )
        if not self.succeeded and not self.failed:
            return "There are no failed events."
        done = f"{count_of(self.succeeded, 'event')} processed"
        return f"{done}, {len(self.failed)} failed again." if self.failed else f"{done}."

    def document(self) -> dict[str, Any]:
        """Return the result as JSON."""
        failed = [
            {"message_id": event.message_id, "keys": list(event.keys), "error": event.error}
            for event in self.failed
        ]
        counts = {"succeeded": self.succeeded, "failed": failed}
        return {"command": "replay", **counts, "message": self.message}


def replay(
    clients: Clients, names: Names, queue: Queue | None, settings: SyncSettings, report: Reporter
) -> Replayed:
    """Process the failed events again, in batches, until the dead-letter queue has no others.

    An event that fails again stays in the queue.

    Parameters
    ----------
    clients : Clients
    names : Names
    queue : Queue or None
        The dead-letter queue.
    settings : SyncSettings
        What to invoke, and its timeout.
    report : callable
        Receives the number of processed messages.

    Raises
    ------
    ConflictError
        If there is no dead-letter queue.
    AwsError
        If AWS refuses a call. What was processed before is deleted from the queue.
    """
    if queue is None:
        raise ConflictError(f"the queue {names.dead_letters} does not exist: run enable first")
    run = _Replay(clients, names, queue, settings)
    succeeded, failed = 0, []
    report(Progress(STEP, "running", "processing failed events", 0, queue.messages))
    try:
        for messages in run.batches():
            failures = run.process(messages)
            failed += failures
            succeeded += len(messages) - len(failures)
            done = succeeded + len(failed)
            total = max(queue.messages, done)
            report(Progress(STEP, "running", "processing failed events", done, total))
    finally:
        run.show_again()
    hidden = 0 if succeeded or failed else queue.messages
    result = Replayed(succeeded, tuple(failed), hidden)
    report(Progress(STEP, "done", result.message))
    return result


class _Replay:
    """The calls of one replay."""

    def __init__(self, clients: Clients, names: Names, queue: Queue, settings: SyncSettings) -> None:
        self.calls = Calls(clients)
        self.names = names
        self.queue = queue
        self.resource = f"the queue {queue.name}"
        self._invoker = clients.invoker(settings.timeout)
        self._invoked = invoked(settings)
        #: The messages that were not deleted, by their ids; only the newest handle of each is valid.
        self._hidden: dict[str, Mapping[str, Any]] = {}

    def batches(self) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Yield the messages of the queue, each once; they are hidden until :meth:`show_again`.

        In a long run, those that failed reappear. SQS may also deliver a message after its deletion.
        """
        seen: set[str] = set()
        while True:
            response = self.calls.do(
                *("sqs", "receive_message", self.resource),
                QueueUrl=self.queue.url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=WAIT_SECONDS,
                VisibilityTimeout=HIDDEN_SECONDS,
                MessageAttributeNames=["All"],
            )
            messages = response.get("Messages", [])
            if not messages:
                return
            received = {message["MessageId"]: message for message in messages}
            succeeded = received.keys() & (seen - self._hidden.keys())
            self._delete([received.pop(identifier) for identifier in sorted(succeeded)])
            self._hidden |= received
            unseen = [message for identifier, message in received.items() if identifier not in seen]
            seen |= received.keys()
            if unseen:
                yield unseen

    def process(self, messages: Sequence[Mapping[str, Any]]) -> list[FailedEvent]:
        """Invoke the function with messages, delete those that succeed, and return the others."""
        response = self.calls.invoke(self._invoker, self._invoked, self._event(messages))
        answer = json.loads(response["Payload"].read() or b"null")
        if "FunctionError" in response:
            reason = str((answer or {}).get("errorMessage") or response["FunctionError"])
            return [_Message.read(message).failed(reason) for message in messages]
        items = (answer or {}).get("batchItemFailures", [])
        ids = {item["itemIdentifier"] for item in items}
        self._delete([message for message in messages if message["MessageId"] not in ids])
        reasons = _reasons(response.get("LogResult", ""))
        failed = [_Message.read(message) for message in messages if message["MessageId"] in ids]
        return [message.failed(message.reason(reasons, self.names.log_group)) for message in failed]

    def _event(self, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return messages as Lambda passes them: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": self.queue.arn,
            }
            for message in messages
        ]
        return {"Records": records}

    def _delete(self, messages: Sequence[Mapping[str, Any]]) -> None:
        if not messages:
            return
        entries: Any = [
            {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
            for index, message in enumerate(messages)
        ]
        self.calls.do_batch("sqs", "delete_message_batch", self.resource, self.queue.url, entries)
        for message in messages:
            self._hidden.pop(message["MessageId"], None)

    def show_again(self) -> None:
        """Make the messages that were not deleted visible again, so that they are counted as failed."""
        hidden = list(self._hidden.values())
        for start in range(0, len(hidden), BATCH):
            entries: Any = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                for index, message in enumerate(hidden[start : start + BATCH])
            ]
            operation = "change_message_visibility_batch"
            self.calls.do_batch("sqs", operation, self.resource, self.queue.url, entries)


@dataclass(frozen=True)
class _Message:
    """What the function reads in a message: the keys, and what is no event of S3."""

    message_id: str
    keys: tuple[str, ...]
    problems: tuple[str, ...]

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> _Message:
        record = {"messageId": message["MessageId"], "eventSource": "aws:sqs", "body": message["Body"]}
        notification = events.parse({"Records": [record]})
        keys = dict.fromkeys(record.key for record in notification.records)
        problems = dict.fromkeys(str(part.error) for part in notification.malformed)
        return cls(message["MessageId"], tuple(keys), tuple(problems))

    def reason(self, reasons: Mapping[str, str], log_group: str) -> str:
        """Return why the message failed: the errors in the log of each key, or where to search for them."""
        found = dict.fromkeys([*(reasons[key] for key in self.keys if key in reasons), *self.problems])
        if found:
            return "; ".join(found)
        # Lambda returns only the last 4 KB of the log.
        names = " or ".join(f'"{posixpath.basename(key)}"' for key in self.keys)
        return f"search the log group {log_group} for {names or self.message_id}"

    def failed(self, error: str) -> FailedEvent:
        return FailedEvent(self.message_id, self.keys, error)


def _reasons(log_result: str) -> dict[str, str]:
    """Return the error of each key in the last lines of an invocation's log, which Lambda returns encoded."""
    try:
        lines = base64.b64decode(log_result).decode(errors="replace").splitlines()
    except binascii.Error:
        return {}
    found = {}
    for line in lines:
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict) and document.get("action") == "failed":
            found[str(document.get("key"))] = str(document.get("error", ""))
    return found
