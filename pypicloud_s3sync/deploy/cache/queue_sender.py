"""Send messages to the function's queue, many in parallel, and try again what SQS did not take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...exceptions import AwsError
from ..aws.clients import Clients
from ..aws.errors import is_throttled, translated
from ..models import Queue

#: The most messages that one call sends: botocore, sqs 2012-11-05.
BATCH = 10
#: Seconds to wait before each further attempt of messages that SQS did not take.
PAUSES = (0.2, 1, 5)


class QueueSender:
    """Sends messages to a queue.

    Parameters
    ----------
    clients : Clients
    queue : Queue
    workers : int
        The number of parallel calls.
    pause : callable, optional
        Waits for a number of seconds.
    """

    def __init__(
        self, clients: Clients, queue: Queue, workers: int, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._sqs = clients["sqs"]
        self._endpoint = clients.settings.endpoint_url
        self._queue = queue
        self._pool = ThreadPoolExecutor(workers)
        self._pause = pause

    def send(self, texts: Sequence[str]) -> Mapping[int, str]:
        """Send messages; return the errors of those that SQS did not take, by their index.

        Raises
        ------
        AwsError
            AWS refuses the calls, does not answer, or throttles each attempt of one.
        """
        batches = [range(start, min(start + BATCH, len(texts))) for start in range(0, len(texts), BATCH)]
        errors: dict[int, str] = {}
        for failed in self._pool.map(lambda indexes: self._send(list(indexes), texts), batches):
            errors |= failed
        return errors

    def _send(self, indexes: list[int], texts: Sequence[str]) -> dict[int, str]:
        refused: dict[int, str] = {}
        for pause in (*PAUSES, None):
            again: dict[int, str] = {}
            for failure in self._call(indexes, texts, is_last=pause is None):
                error = f"SQS did not take it ({failure.get('Code')}: {failure.get('Message')})"
                # What is the sender's fault fails again.
                (refused if failure.get("SenderFault") else again)[int(failure["Id"])] = error
            if not again or pause is None:
                return refused | again
            indexes = list(again)
            self._pause(pause)
        raise AssertionError("the last attempt returns")

    def _call(
        self, indexes: list[int], texts: Sequence[str], *, is_last: bool
    ) -> Sequence[Mapping[str, Any]]:
        entries: list[Any] = [{"Id": str(index), "MessageBody": texts[index]} for index in indexes]
        try:
            with translated("sqs:SendMessage", f"the queue {self._queue.name}", self._endpoint):
                answer = self._sqs.send_message_batch(QueueUrl=self._queue.url, Entries=entries)
        except AwsError as error:
            if is_last or not is_throttled(error):
                raise
            return entries
        failed: list[Mapping[str, Any]] = list(answer.get("Failed", []))
        return failed
