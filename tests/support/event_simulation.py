"""Simulate S3's events on their way through Lambda and SQS to a cache, for hours in milliseconds.

The model follows AWS's documents; an emulator is kinder and as slow as a clock:

- Lambda tries an asynchronous event again after one minute and two more, then sends it to the dead-letter
  target: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
- A queue hides a received message for its visibility timeout, and moves one that was received too often:
  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
- DynamoDB saves up to five minutes of unused capacity:
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.models import Desired
from support.fakes import not_none

#: Seconds after which Lambda tries an asynchronous event again.
ASYNC_RETRIES = (60, 120)
#: The write units of an event: a transaction on a row and a summary costs two units an item.
UNITS = 4
#: How long an invocation takes, in seconds.
DURATION = 1
BURST = 300


@dataclass
class Table:
    """A table with provisioned capacity, which is down for some time.

    Parameters
    ----------
    units : int
        Write units a second.
    down_until : int
        The end of an outage that begins at 0, in seconds.
    """

    units: int
    down_until: int = 0
    _saved: float = field(init=False)
    _time: float = 0

    def __post_init__(self) -> None:
        self._saved = self.units * BURST

    def write(self, now: float) -> bool:
        """Return whether the table takes one event at this time."""
        self._saved = min(self._saved + (now - self._time) * self.units, self.units * BURST)
        self._time = now
        if now < self.down_until or self._saved < UNITS:
            return False
        self._saved -= UNITS
        return True


@dataclass
class Message:
    event: int
    receives: int = 0


class Simulation:
    """The way of events from S3 to a table, with the resources of a deployment.

    Parameters
    ----------
    desired : Desired
        Its queue, mapping and function decide what happens.
    table : Table
    """

    def __init__(self, desired: Desired, table: Table) -> None:
        self.table = table
        self.delivery = desired.delivery
        self.has_net = bool(desired.function.configuration.get("DeadLetterConfig"))
        attributes = not_none(desired.delivery_resources.queue).attributes
        self.visibility = int(attributes["VisibilityTimeout"])
        self.max_receives = int(attributes["RedrivePolicy"]["maxReceiveCount"])
        mapping = not_none(desired.delivery_resources.mapping)
        configuration: dict[str, Any] = {**mapping.initial, **mapping.configuration}
        self.batch = int(configuration["BatchSize"])
        self.concurrency = int(configuration["ScalingConfig"]["MaximumConcurrency"])
        self.saved: dict[int, float] = {}
        self.lost: list[int] = []
        self.failed: list[int] = []
        self._queue: deque[Message] = deque()
        self._running = 0
        self._order = itertools.count()
        self._agenda: list[tuple[float, int, Callable[[float], None]]] = []

    def run(self, events: Iterable[int]) -> Simulation:
        """Deliver events at once, and let hours pass until nothing is left to do."""
        for event in events:
            if self.delivery is Delivery.DIRECT:
                self._at(0, lambda now, event=event: self._invoke(event, 0, now))  # type: ignore[misc]
            else:
                self._queue.append(Message(event))
        self._at(0, self._poll)
        while self._agenda:
            now, _, action = heapq.heappop(self._agenda)
            action(now)
        return self

    def _at(self, time: float, action: Callable[[float], None]) -> None:
        heapq.heappush(self._agenda, (time, next(self._order), action))

    def _invoke(self, event: int, attempt: int, now: float) -> None:
        """Invoke the function asynchronously with one event."""
        if self.table.write(now):
            self.saved[event] = now
        elif attempt < len(ASYNC_RETRIES):
            later = now + ASYNC_RETRIES[attempt]
            self._at(later, lambda time: self._invoke(event, attempt + 1, time))
        elif self.has_net:
            self._queue.append(Message(event))
            self._at(now, self._poll)
        else:
            self.lost.append(event)

    def _poll(self, now: float) -> None:
        """Invoke the function with batches of the queue, as far as the concurrency allows."""
        while self._queue and self._running < self.concurrency:
            batch = [self._queue.popleft() for _ in range(min(self.batch, len(self._queue)))]
            self._running += 1
            self._at(now + DURATION, lambda time, batch=batch: self._finish(batch, time))  # type: ignore[misc]

    def _finish(self, batch: list[Message], now: float) -> None:
        self._running -= 1
        for message in batch:
            if self.table.write(now):
                self.saved[message.event] = now
            else:
                self._at(now - DURATION + self.visibility, lambda time, m=message: self._show(m, time))  # type: ignore[misc]
        self._poll(now)

    def _show(self, message: Message, now: float) -> None:
        """Make a message visible again, or move it to the dead-letter queue."""
        message.receives += 1
        if message.receives >= self.max_receives:
            self.failed.append(message.event)
        else:
            self._queue.append(message)
            self._poll(now)
