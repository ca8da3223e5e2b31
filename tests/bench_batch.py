"""Seconds for a batch of 1,000 records over 1,000 keys, against an S3 that answers in 20 ms.

``python tests/bench_batch.py``: the databases are in this process, so it is the handler's own time and S3's.
"""

from __future__ import annotations

import datetime
import threading
import time
from random import Random
from typing import Any

from histories import BUCKET, Backend, Dynamo, Redis, Sql
from pypicloud_s3sync.sync import Syncer

RECORDS, ANSWER = 1000, 0.02


class SlowBucket:
    """Answers each HeadObject after a while, as S3 does."""

    def __init__(self) -> None:
        self.calls = 0
        self.lock = threading.Lock()

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        with self.lock:
            self.calls += 1
        time.sleep(ANSWER)
        name, version = Key.rpartition("/")[2].removesuffix(".tar.gz").rsplit("-", 1)
        modified = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(
            seconds=int(version.partition(".")[0])
        )
        return {"ETag": "e", "LastModified": modified, "Metadata": {"name": name, "version": version}}


def measure(backend: type[Backend], names: int) -> float:
    """Seconds for one batch of new packages."""
    bucket = SlowBucket()
    rng = Random(0)
    made = Dynamo(rng, lag=0) if backend is Dynamo else backend(rng)  # type: ignore[call-arg]
    syncer = Syncer(bucket, made.index(), BUCKET)
    keys = [f"x/pkg{number % names}-{number}.0.tar.gz" for number in range(RECORDS)]
    started = time.perf_counter()
    outcomes = syncer.converge(BUCKET, keys)
    took = time.perf_counter() - started
    failed = [outcome for outcome in outcomes.values() if isinstance(outcome, Exception)]
    assert not failed, failed[0]
    assert bucket.calls == 2 * RECORDS
    return took


if __name__ == "__main__":
    for backend in (Dynamo, Redis, Sql):
        for names in (1, 50, RECORDS):
            print(f"{backend.__name__:7} {names:5} names  {measure(backend, names):6.2f} s")
