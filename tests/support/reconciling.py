"""Play reconciliations of a damaged cache beside events and uploads, interleaved at every call."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from random import Random

from greenlet import GreenletExit, greenlet

from pypicloud_s3sync.reconcile.models import Options, Report
from pypicloud_s3sync.reconcile.run import reconcile
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from support.backends import Backend
from support.damage import damage
from support.histories import BUCKET, KEYS, LIMIT, Bucket, SequentialPool
from support.scheduling import let_others_run
from support.states import expected

EVERYTHING = Options(max_deletions=lambda rows: sys.maxsize)


@dataclass
class Past:
    """A bucket and a cache that has been damaged, or never heard of some objects.

    Parameters
    ----------
    rng : random.Random
        Makes every decision.
    backend : Backend
    log : list of str
        What happened, for the message of a failed test.
    events : bool
        Whether changes have events.
    """

    rng: Random
    backend: Backend
    log: list[str] = field(default_factory=list)
    events: bool = False

    def __post_init__(self) -> None:
        self.bucket = Bucket(self.rng)
        self._change(self.rng.randrange(12))
        self.syncer().converge(BUCKET, KEYS)
        self.backend.advance(100)
        for _ in range(self.rng.randrange(5)):
            self.log.append(damage(self.rng, self.backend))
        self._change(self.rng.randrange(4))
        self.bucket.seconds += 1
        self.backend.advance(100)

    def _change(self, times: int) -> None:
        for _ in range(times):
            # An object that is overwritten within a second looks the same in a listing.
            self.bucket.seconds += not self.events
            key = self.bucket.change()
            self.log.append(f"{key}: {self.bucket.current(key)}")

    def syncer(self) -> Syncer:
        """Return a syncer of its own, as each process has one."""
        reader = ObjectReader(self.bucket)
        reader.pool = SequentialPool()
        return Syncer(reader, self.backend.adapter(), BUCKET, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        self.backend.advance(5)
        let_others_run()

    def reconcile(self, options: Options = EVERYTHING) -> Report:
        """Reconcile the cache with the bucket."""
        return reconcile(self.syncer(), self.bucket, options)

    def check(self) -> None:
        """Raise AssertionError if the cache does not match the bucket."""
        self.backend.advance(100)
        actual, wanted = self.backend.state(), expected(self.bucket.live())
        assert actual == wanted, "\n".join(["the cache does not match the bucket:", *self.log])

    def play(self) -> None:
        """Reconcile beside uploads and the handlers of their events, some of which die; watch the rows."""
        self.events = True
        pending: list[str] = []
        changes, deaths = self.rng.randrange(8), self.rng.randrange(2)
        tasks = [self._task(None)]
        watched = {
            filename: path
            for filename, row in self.backend.rows().items()
            if (path := row.data.get("path", "")).endswith(f"/{filename}")
        }
        for _ in range(LIMIT):
            moves = ["change"] * (changes > 0) + ["deliver"] * bool(pending and len(tasks) < 4)
            moves += ["step"] * (4 * bool(tasks)) + ["die"] * bool(deaths and tasks)
            if not moves:
                return
            move = self.rng.choice(moves)
            self.backend.advance()
            if move == "change":
                changes -= 1
                self._change(1)
                pending.append(self.log[-1].partition(":")[0])
            elif move == "deliver":
                tasks.append(self._task(pending.pop(self.rng.randrange(len(pending)))))
            else:
                task = self.rng.choice(tasks)
                if move == "die":
                    deaths -= 1
                    task.greenlet.throw(GreenletExit)
                    self.log.append(f"{task.key or 'reconcile'} dies")
                failed = (move == "die") or bool(task.greenlet.switch())
                if task.greenlet.dead:
                    tasks.remove(task)
                    if failed and task.key is None:
                        # Whoever started it starts it again.
                        tasks.append(self._task(None))
                    elif failed and task.key is not None:
                        pending.append(task.key)
            # From a row that says nothing true, no handler could know that there is another object.
            live = {stored.key for stored in self.bucket.live()}
            watched = {filename: key for filename, key in watched.items() if key in live}
            missing = watched.keys() - self.backend.filenames()
            assert not missing, "\n".join([f"live, but missing: {missing}", *self.log])
        raise AssertionError("\n".join(["the reconciliation does not end:", *self.log[:40]]))

    def _task(self, key: str | None) -> _Task:
        """Return a handler of a key's event, or a reconciliation; it returns whether anything failed."""

        def handle() -> bool:
            outcomes = self.syncer().converge(BUCKET, [str(key)])
            return any(isinstance(outcome, Exception) for outcome in outcomes.values())

        def run() -> bool:
            failed = self.reconcile().failed
            self.log.append(f"reconcile ends: {failed}")
            return bool(failed)

        return _Task(greenlet(run if key is None else handle), key)


@dataclass(eq=False)
class _Task:
    """A greenlet, and the key of the event that it handles; None for a reconciliation."""

    greenlet: greenlet
    key: str | None
