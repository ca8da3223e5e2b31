"""Play random histories of a bucket and of the handlers of its events, interleaved at every call.

One random number generator makes all decisions: what changes in the bucket, which events arrive twice, late
or in another order, how they are batched, which handler runs next, and which handler dies. A history is
therefore reproducible by its seed. Handlers are greenlets that let others run before each call; no thread is
started, and nothing waits.
"""

from __future__ import annotations

import datetime
import posixpath
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from greenlet import GreenletExit, greenlet

from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from pypicloud_s3sync.sync.packages import StoredObject
from support.backends import Backend
from support.scheduling import let_others_run
from support.states import expected

BUCKET = "amzn-s3-demo-bucket"
KEYS = (
    *("a/pkg-1.0.tar.gz", "b/pkg-1.0.tar.gz", "a/pkg-2.0.tar.gz", "a/pkg-3.0.tar.gz"),
    *("a/other-1.0.tar.gz", "b/other-1.0.tar.gz"),
)
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
#: A history that has not ended after this many steps never will.
LIMIT = 20_000

T = TypeVar("T")


class Bucket:
    """A bucket with versioning, as HeadObject shows it; it is strongly consistent, as S3 is."""

    #: As that of a client.
    meta = SimpleNamespace(region_name="eu-west-1")
    #: The number of objects on each page of a listing.
    page_size = 2

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.seconds = 0
        self.puts = 0
        #: The versions of each key, the oldest first; None is a delete marker.
        self.versions: dict[str, list[StoredObject | None]] = {key: [] for key in KEYS}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        """Answer as boto3's client does."""
        let_others_run()
        stored = self.current(Key)
        if stored is None:
            answer: Any = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(answer, "HeadObject")
        return {
            "ETag": stored.etag,
            "VersionId": stored.version_id,
            "LastModified": stored.last_modified,
            "Metadata": dict(stored.metadata),
        }

    def get_paginator(self, operation: str) -> Bucket:
        """Return the paginator of ListObjectsV2."""
        assert operation == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str, **_: Any) -> Iterator[dict[str, Any]]:
        """Yield pages of a listing; others run before each page."""
        start = ""
        while True:
            let_others_run()
            live = sorted((stored for stored in self.live() if stored.key > start), key=lambda it: it.key)
            page = [stored for stored in live[: self.page_size] if stored.key.startswith(Prefix)]
            yield {
                "Contents": [
                    {"Key": it.key, "ETag": it.etag, "LastModified": it.last_modified} for it in page
                ]
            }
            if len(live) <= self.page_size:
                return
            start = live[self.page_size - 1].key

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int, StartAfter: str = "") -> dict[str, Any]:
        """Answer as boto3's client does."""
        let_others_run()
        live = sorted(self.live(), key=lambda it: it.key)
        rest = [it for it in live if it.key > StartAfter and it.key.startswith(Prefix)]
        page = rest[:MaxKeys]
        contents = [{"Key": it.key, "ETag": it.etag, "LastModified": it.last_modified} for it in page]
        return {"Contents": contents, "IsTruncated": len(rest) > len(page)}

    def current(self, key: str) -> StoredObject | None:
        """Return the object under a key, if there is one."""
        versions = self.versions.get(key)
        return versions[-1] if versions else None

    def live(self) -> list[StoredObject]:
        """Return the current objects."""
        return [stored for key in self.versions if (stored := self.current(key)) is not None]

    def change(self) -> str:
        """Change a random key and return it: S3 would send an event for it."""
        rng, key = self.rng, self.rng.choice(KEYS)
        versions = self.versions[key]
        action = rng.choice(("put", "put", "put", "delete", "undelete", "remove", "remove old"))
        # S3's times are whole seconds, so several changes may have the same time.
        self.seconds += rng.choice((0, 1, 1))
        if action == "put":
            versions.append(self._object(key))
        elif action == "delete":
            versions.append(None)
        elif versions and (action == "remove" or (action == "undelete" and versions[-1] is None)):
            versions.pop()
        elif action == "remove old" and len(versions) > 1:
            versions.pop(rng.randrange(len(versions) - 1))
        return key

    def _object(self, key: str) -> StoredObject:
        self.puts += 1
        name, version = posixpath.basename(key).removesuffix(".tar.gz").split("-")
        metadata = {"name": name, "version": version, "summary": f"summary {self.puts}"}
        if self.rng.random() < 0.3:
            metadata["requires-python"] = ">=3"
        modified = START + datetime.timedelta(seconds=self.seconds)
        return StoredObject(key, f"etag-{self.puts}", f"version-{self.puts}", modified, metadata)


class SequentialPool(ThreadPoolExecutor):
    """A pool that makes its calls in order and in the calling thread."""

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """Call for each of the values, one after the other."""
        return map(fn, *iterables)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call at once."""
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class LatePool(SequentialPool):
    """A pool that makes a call only when its result is needed."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Return the call."""
        return LateCall(lambda: fn(*args, **kwargs))


class LateCall(Future[T]):
    """A call of a pool."""

    def __init__(self, call: Callable[[], T]) -> None:
        super().__init__()
        self.call = call

    def result(self, timeout: float | None = None) -> T:
        """Call now."""
        return self.call()


class RowsFirst(Syncer):
    """A syncer that reads rows before their objects, if it reads both at the same time."""

    def __init__(self, reader: ObjectReader, *arguments: Any, **options: Any) -> None:
        reader.pool = LatePool()
        super().__init__(reader, *arguments, **options)


@dataclass
class History:
    """One history, from the first change until every event has been handled.

    Parameters
    ----------
    rng : random.Random
        Makes every decision.
    backend : Backend
    syncer : type of Syncer
        Another class shows which errors the histories can find.
    handlers : int
        The largest number of handlers at the same time.
    log : list of str
        What happened, for the message of a failed test.
    """

    rng: Random
    backend: Backend
    syncer: type[Syncer] = Syncer
    handlers: int = 4
    log: list[str] = field(default_factory=list)

    def run(self) -> Bucket:
        """Play the history to its end; return the bucket as it is then."""
        bucket = Bucket(self.rng)
        changes, pending, running = self.rng.randrange(2, 14), list[str](), list[greenlet]()
        batches: dict[int, list[str]] = {}
        for _ in range(LIMIT):
            moves = ["change"] * (changes > 0) + ["deliver"] * bool(pending and len(running) < self.handlers)
            moves += ["step"] * (4 * bool(running)) + ["die"] * (bool(running) and self.rng.random() < 0.05)
            if not moves:
                return bucket
            move = self.rng.choice(moves)
            self.backend.advance()
            if move == "change":
                changes -= 1
                key = bucket.change()
                self.log.append(f"{key}: {bucket.current(key)}")
                # At least once, as S3 delivers. A batch takes events from any place in the list.
                pending += [key] * self.rng.choice((1, 1, 2))
            elif move == "deliver":
                batch = self._batch(pending)
                handler = greenlet(self._handler(bucket, batch))
                batches[id(handler)] = batch
                running.append(handler)
                self.log.append(f"handler {id(handler) % 1000} takes {batch}")
            else:
                handler = self.rng.choice(running)
                if move == "die":
                    handler.throw(GreenletExit)
                    failed = batches[id(handler)]
                    self.log.append(f"handler {id(handler) % 1000} dies")
                else:
                    failed = handler.switch() or []
                if handler.dead:
                    running.remove(handler)
                    # Lambda delivers failed events again.
                    pending += [key for key in failed if isinstance(key, str)]
        raise AssertionError("\n".join(["the history does not end:", *self.log[:40]]))

    def _batch(self, pending: list[str]) -> list[str]:
        count = min(len(pending), self.rng.choice((1, 1, 2, 3)))
        return [pending.pop(self.rng.randrange(len(pending))) for _ in range(count)]

    def _handler(self, bucket: Bucket, batch: Iterable[str]) -> Callable[[], list[str]]:
        """Return a handler that returns the keys of its batch that failed."""

        def run() -> list[str]:
            reader = ObjectReader(bucket)
            reader.pool = SequentialPool()
            syncer = self.syncer(reader, self.backend.adapter(), BUCKET, pause=self._pause)
            outcomes = syncer.converge(BUCKET, list(batch))
            failed = {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, Exception)}
            self.log += [f"{key} failed: {error!r}" for key, error in failed.items()]
            return list(failed)

        return run

    def _pause(self, seconds: float) -> None:
        self.backend.advance(5)
        let_others_run()


def check(seed: int, backend: type[Backend], syncer: type[Syncer] = Syncer) -> None:
    """Play the history of a seed; raise AssertionError if the cache does not match the bucket in the end."""
    check_with(Random(seed), backend, syncer)


def check_with(rng: Random, backend: type[Backend], syncer: type[Syncer] = Syncer) -> None:
    """Play the history of a random number generator; raise AssertionError as :func:`check` does."""
    history = History(rng, backend(rng), syncer)
    bucket = history.run()
    actual, wanted = history.backend.state(), expected(bucket.live())
    assert actual == wanted, "\n".join(["the cache does not match the bucket:", *history.log])


def diverging(backend: type[Backend], syncer: type[Syncer], seeds: Iterable[int]) -> Iterator[int]:
    """Yield the seeds whose histories end with a cache that does not match the bucket."""
    for seed in seeds:
        try:
            check(seed, backend, syncer)
        except AssertionError:
            yield seed
