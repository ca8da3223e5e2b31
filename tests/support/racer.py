"""Change a bucket and handle its events in several processes at the same time, for ``test_races``.

The processes are forks of one that has imported everything and created the client: both take longer than the
race.
"""

from __future__ import annotations

import json
import multiprocessing
import posixpath
import sys
from dataclasses import dataclass
from random import Random
from typing import Any

import boto3

from pypicloud_s3sync import compat, handler
from pypicloud_s3sync.exceptions import SyncError

#: An event that fails more often has met an error, not a race.
MAX_RETRIES = 10


@dataclass(frozen=True)
class Event:
    """An event that has to be handled, and how often that has failed."""

    key: str
    failures: int = 0


def main(bucket: str, keys: list[str], seeds: int, rounds: int) -> int:
    """Run a process for each seed; return how many of them failed, with their tracebacks on stderr."""
    compat.apply()
    fork = multiprocessing.get_context("fork")
    # It has no connection yet, so each process opens its own.
    s3 = boto3.client("s3")
    racers = [fork.Process(target=race, args=(s3, bucket, keys, seed, rounds)) for seed in range(seeds)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    return sum(racer.exitcode != 0 for racer in racers)


def race(s3: Any, bucket: str, keys: list[str], seed: int, rounds: int) -> None:
    """Change random keys and handle every event, late and in any order; retry those that fail."""
    rng = Random(seed)
    pending: list[Event] = []
    for number in range(rounds):
        key = rng.choice(keys)
        if rng.random() < 0.6:
            name, version = posixpath.basename(key).removesuffix(".tar.gz").split("-")
            metadata = {"name": name, "version": version, "summary": f"{seed} {number}"}
            s3.put_object(Bucket=bucket, Key=key, Body=b"x", Metadata=metadata)
        else:
            s3.delete_object(Bucket=bucket, Key=key)
        pending.append(Event(key))
        while pending and rng.random() < 0.6:
            handle(bucket, pending, rng)
    while pending:
        handle(bucket, pending, rng)


def handle(bucket: str, pending: list[Event], rng: Random) -> None:
    """Handle one of the pending events; put it back if it fails, as Lambda would."""
    event = pending.pop(rng.randrange(len(pending)))
    record: dict[str, Any] = {"s3": {"bucket": {"name": bucket}, "object": {"key": event.key}}}
    try:
        handler.handle_s3_event({"Records": [record]}, None)
    except SyncError:
        if event.failures == MAX_RETRIES:
            raise
        pending.append(Event(event.key, event.failures + 1))


if __name__ == "__main__":
    sys.exit(main(**json.load(sys.stdin)))
