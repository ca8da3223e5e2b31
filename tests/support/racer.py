"""One of several processes that change a bucket and handle its events at the same time; see test_races."""

from __future__ import annotations

import json
import posixpath
import sys
from random import Random
from typing import Any

import boto3

from pypicloud_s3sync import handler
from pypicloud_s3sync.exceptions import SyncError

#: An event that fails so often has found an error, not a race.
TRIES = 10


def main(bucket: str, keys: list[str], seed: int, rounds: int) -> None:
    """Change keys and handle the events, late and in any order; each is handled in the end."""
    rng, s3 = Random(seed), boto3.client("s3")
    waiting: list[tuple[str, int]] = []
    for number in range(rounds):
        key = rng.choice(keys)
        if rng.random() < 0.6:
            name, version = posixpath.basename(key).removesuffix(".tar.gz").split("-")
            metadata = {"name": name, "version": version, "summary": f"{seed} {number}"}
            s3.put_object(Bucket=bucket, Key=key, Body=b"x", Metadata=metadata)
        else:
            s3.delete_object(Bucket=bucket, Key=key)
        waiting.append((key, 0))
        while waiting and rng.random() < 0.6:
            handle(bucket, waiting, rng)
    while waiting:
        handle(bucket, waiting, rng)


def handle(bucket: str, waiting: list[tuple[str, int]], rng: Random) -> None:
    """Handle one of the events that wait; as Lambda would, again where that fails."""
    key, tries = waiting.pop(rng.randrange(len(waiting)))
    record: dict[str, Any] = {"s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
    try:
        handler.handle_s3_event({"Records": [record]}, None)
    except SyncError:
        if tries == TRIES:
            raise
        waiting.append((key, tries + 1))


if __name__ == "__main__":
    main(**json.load(sys.stdin))
