"""Change a bucket and handle its events in several processes at the same time, for ``test_races``.

The processes of every race are forks of one that has imported everything: importing takes longer than a race.
It reads a race as a line of JSON, and answers with the number of processes that have failed.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import posixpath
import sys
import time
from dataclasses import dataclass
from random import Random
from typing import Any

import boto3

from pypicloud_s3sync import compat, handler
from pypicloud_s3sync.exceptions import SyncError

#: The time limit of a race in seconds.
TIME_LIMIT = 120
#: What the functions of all caches import for their first event.
IMPORTED = ("pypicloud.cache", "psycopg2", "pymysql", "redis.cluster")
#: An event that fails more often has met an error, not a race.
MAX_RETRIES = 10


@dataclass(frozen=True)
class Race:
    """A race in a bucket.

    Parameters
    ----------
    bucket : str
    environment : dict
        The function's environment variables.
    keys : list of str
    processes : int
    rounds : int
        How many changes each process makes.
    """

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


def run_race(race: Race) -> int:
    """Run the processes of a race; return how many have failed, with their tracebacks on stderr."""
    fork = multiprocessing.get_context("fork")
    racers = [fork.Process(target=take_part, args=(race, seed)) for seed in range(race.processes)]
    for racer in racers:
        racer.start()
    deadline = time.monotonic() + TIME_LIMIT
    for racer in racers:
        racer.join(max(0, deadline - time.monotonic()))
        # One that hangs must not go on beside the next race.
        racer.kill()
        racer.join()
    codes = [racer.exitcode for racer in racers]
    print("exit codes:", *codes, file=sys.stderr, flush=True)
    return sum(code != 0 for code in codes)


def take_part(race: Race, seed: int) -> None:
    """Change random keys and handle every event, late and in any order; retry those that fail."""
    # The function's log is not the answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.environ.update(race.environment)
    s3 = boto3.client("s3")
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
        print(run_race(Race(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
