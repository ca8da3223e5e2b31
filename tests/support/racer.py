"""Change a bucket and handle its events in several processes at the same time, for ``test_races``.

The processes of every race are forks of one that has imported everything: that takes longer than a race. It
reads a race as a line of JSON, and answers with the number of processes that have failed.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import posixpath
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import boto3

from pypicloud_s3sync import compat, handler
from pypicloud_s3sync.exceptions import SyncError

#: What a function imports for its first event, with any cache.
IMPORTED = ("pypicloud.cache", "psycopg2", "pymysql", "redis.cluster")
#: An event that fails more often has met an error, not a race.
MAX_RETRIES = 10


@dataclass(frozen=True)
class Race:
    """A race in a bucket: the function's environment, the keys, and the changes that each process makes."""

    bucket: str
    environment: dict[str, str]
    keys: list[str]
    processes: int
    rounds: int


@dataclass(frozen=True)
class Event:
    """An event that has to be handled, and how often that has failed."""

    key: str
    failures: int = 0


def run(race: Race) -> int:
    """Run the processes of a race; return how many of them failed, with their tracebacks on stderr."""
    os.environ.update(race.environment)
    fork = multiprocessing.get_context("fork")
    # It has no connection yet, so each process opens its own.
    s3 = boto3.session.Session().client("s3")
    racers = [fork.Process(target=take_part, args=(s3, race, seed)) for seed in range(race.processes)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    return sum(racer.exitcode != 0 for racer in racers)


def take_part(s3: Any, race: Race, seed: int) -> None:
    """Change random keys and handle every event, late and in any order; retry those that fail."""
    # The function's log is not the answer.
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends
    rng = Random(seed)
    pending: list[Event] = []
    for number in range(race.rounds):
        key = rng.choice(race.keys)
        if rng.random() < 0.6:
            name, version = posixpath.basename(key).removesuffix(".tar.gz").split("-")
            metadata = {"name": name, "version": version, "summary": f"{seed} {number}"}
            s3.put_object(Bucket=race.bucket, Key=key, Body=b"x", Metadata=metadata)
        else:
            s3.delete_object(Bucket=race.bucket, Key=key)
        pending.append(Event(key))
        while pending and rng.random() < 0.6:
            handle(race.bucket, pending, rng)
    while pending:
        handle(race.bucket, pending, rng)


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


def main() -> None:
    """Run the races that stdin names, one after the other."""
    compat.apply()
    for module in IMPORTED:
        importlib.import_module(module)
    for line in sys.stdin:
        print(run(Race(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
