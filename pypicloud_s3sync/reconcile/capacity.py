"""Limit the load of a reconciliation, so that the cache can still serve pypicloud.

A DynamoDB table with provisioned capacity is used up to a part of it, which leaves the rest to the server. If
DynamoDB throttles requests nevertheless, they are repeated later, without a limit: a small table makes a
reconciliation slow, but does not make it fail.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/provisioned-capacity-mode.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from ..caches.throttling import is_throttled

#: The part of a table's capacity that is used.
SHARE = 0.75
#: Seconds between two attempts of a throttled request: the first, and the longest.
PAUSE, LONGEST = 1.0, 30.0
#: Items that are read for each unit of capacity, if their size is not known yet, and the fewest of a page.
ITEMS, FEWEST = 8, 25
#: Rows that a batch may have for each unit of write capacity: each takes about six, in two seconds.
ROWS = 1 / 3
#: The operations of a reconciliation, and whether they read.
OPERATIONS = {"Scan": True, "Query": True, "BatchGetItem": True, "TransactWriteItems": False}


class Capacity:
    """The capacity of a cache; this one has no limit."""

    #: How often requests were throttled.
    throttled = 0
    #: Why the cache is slow, or None.
    note: str | None = None

    def batch(self, size: int) -> int:
        """Return how many rows to write at once, at most ``size``."""
        return size

    def rest(self) -> None:
        """Wait until the cache has recovered from what was asked of it."""

    def back_off(self) -> None:
        """Wait after a request was throttled, longer each time."""


class DynamoCapacity(Capacity):
    """The capacity of DynamoDB tables.

    Parameters
    ----------
    client : boto3 DynamoDB client
    tables : iterable of str
    pause : callable, optional
        Waits for a number of seconds.
    clock : callable, optional
        Returns the time in seconds.
    """

    def __init__(
        self,
        client: Any,
        tables: Iterable[str],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._pause, self._clock = client, pause, clock
        #: The number of items, read units and write units by table; no units if they are not limited.
        self.items: dict[str, int] = {}
        self._reads: dict[str, float] = {}
        self._writes: dict[str, float] = {}
        #: The time until which the tables have been used already.
        self._busy_until = 0.0
        self._wait = PAUSE
        for table in tables:
            self._describe(table)
        for operation, reads in OPERATIONS.items():
            name = f"dynamodb.{operation}"
            client.meta.events.register(f"provide-client-params.{name}", _ask)
            client.meta.events.register(f"after-call.{name}", self._reader if reads else self._writer)

    def _describe(self, table: str) -> None:
        try:
            found: Mapping[str, Any] = self._client.describe_table(TableName=table)["Table"]
        except ClientError:
            # Without the permission, the capacity is found by being throttled.
            return
        self.items[table] = found.get("ItemCount", 0)
        units = [found, *found.get("GlobalSecondaryIndexes", [])]
        for kind, limits in (("ReadCapacityUnits", self._reads), ("WriteCapacityUnits", self._writes)):
            limit = min(part.get("ProvisionedThroughput", {}).get(kind, 0) for part in units)
            if limit:
                limits[table] = limit

    def count(self, table: str) -> int | None:
        """Return the number of items that DynamoDB counted last, or None if it does not say."""
        self._describe(table)
        return self.items.get(table)

    def page(self, table: str) -> dict[str, int]:
        """Return the arguments that limit a page of a table to about a second of its capacity."""
        self.rest()
        units = self._reads.get(table)
        return {} if units is None else {"Limit": max(FEWEST, int(units * ITEMS))}

    def batch(self, size: int) -> int:
        """Return how many rows to write at once, at most ``size``."""
        units = min(self._writes.values(), default=None)
        return size if units is None else max(1, min(size, int(units * ROWS)))

    def rest(self) -> None:
        """Wait until the tables have earned what they have spent."""
        seconds = self._busy_until - self._clock()
        if seconds > 0:
            self.note = "the capacity of the DynamoDB tables sets the pace"
            self._pause(seconds)

    def patiently(self, call: Callable[..., Any], **arguments: Any) -> Any:
        """Call until DynamoDB does not throttle the request."""
        while True:
            try:
                answer = call(**arguments)
            except ClientError as error:
                if not is_throttled(error.response):
                    raise
                self.back_off()
            else:
                self._wait = PAUSE
                return answer

    def back_off(self) -> None:
        """Wait after a request was throttled, longer each time, until one succeeds."""
        self.note = "DynamoDB throttles the requests: more capacity, or on-demand mode, would be faster"
        self._pause(self._wait)
        self._wait = min(2 * self._wait, LONGEST)

    def _reader(self, parsed: Mapping[str, Any], **_: Any) -> None:
        self._spent(parsed, self._reads)

    def _writer(self, parsed: Mapping[str, Any], **_: Any) -> None:
        self._spent(parsed, self._writes)

    def _spent(self, answer: Mapping[str, Any], limits: Mapping[str, float]) -> None:
        if is_throttled(answer):
            self.throttled += 1
        for used in _consumed(answer):
            limit = limits.get(used["TableName"])
            if limit:
                start = max(self._busy_until, self._clock())
                self._busy_until = start + used.get("CapacityUnits", 0) / (SHARE * limit)


def _ask(params: dict[str, Any], **_: Any) -> None:
    """Let DynamoDB answer what a request has consumed."""
    params.setdefault("ReturnConsumedCapacity", "TOTAL")


def _consumed(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    consumed = answer.get("ConsumedCapacity") or []
    yield from [consumed] if isinstance(consumed, Mapping) else consumed
