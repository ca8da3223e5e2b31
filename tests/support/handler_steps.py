"""Run a handler's real code against answers from a list, and build a graph of the steps of all handlers.

A handler is deterministic, so its next request follows from the answers that it has had. The code is run once
for each such list of answers. Lists that leave the code in the same state are one step: at the beginning of
an attempt, all that a handler knows are its files, so earlier answers do not matter any more.

Four more things do not matter, so steps that differ in nothing else are one step, too:

- the number of an attempt, once its pause is a long one, and of a round in which Redis's lists are corrected.
  The code only counts them to give up some time. Instead, a handler may give up after every conflict;
- how often the same row was read, once the code trusts the index;
- the attempts in which the code does not trust the index yet, if it is up to date whenever it is queried.
  The last of them reads everything again, and does what the first one would have done at that time;
- what was read of an object that is read again, or not any more, because its row was not written.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from unittest.mock import patch

from botocore.exceptions import ClientError

from pypicloud_s3sync.caches import summaries
from pypicloud_s3sync.caches.base import Result
from pypicloud_s3sync.caches.summaries import PATIENCE
from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.sync import converge
from pypicloud_s3sync.sync.converge import PAUSES, Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from pypicloud_s3sync.sync.packages import StoredObject
from pypicloud_s3sync.sync.pending import PendingFile
from support.histories import BUCKET, SequentialPool
from support.models import WRITES, Model, Request
from support.states import row_of

#: From this attempt on, the pauses have the same length.
LONG_PAUSE = PAUSES.index(PAUSES[-1]) + 1

#: Further pauses of the code if nothing counts its attempts.
MORE_PAUSES = PAUSES[-1:] * 50


class Asked(BaseException):
    """Interrupts a handler that makes a request for which there is no answer yet."""

    def __init__(self, request: Request) -> None:
        self.request = request


class Tape:
    """Answers the requests of a handler from a list, and interrupts it after the last one."""

    def __init__(self) -> None:
        self.answers: tuple[Hashable, ...] = ()
        self.position = 0
        #: What a write of the cache knew at its last mark, and how many answers there had been.
        self.known: tuple[Hashable, int] | None = None
        #: Whether a row has been written, so that its object is compared with what is read later.
        self.wrote = True

    def mark(self, known: Hashable, wrote: bool) -> None:
        """Mark all that the rest of a write depends on, apart from what was known before the write."""
        self.known, self.wrote = (known, self.position), wrote

    def __call__(self, *request: Hashable) -> Any:
        if self.position == len(self.answers):
            raise Asked(request)
        self.position += 1
        return self.answers[self.position - 1]


@dataclass
class Step:
    """A handler after some answers: its next request, or its end.

    Parameters
    ----------
    batch : tuple of str
        The keys whose events it has taken.
    answers : tuple
        A list of answers that leads to this step.
    request : tuple or None
        None if the handler has ended.
    failed : tuple of str
        The keys that failed.
    wrote : bool
        Whether it has sent a request that writes.
    conflicts : tuple of str
        The keys whose events are taken again if it gives up before its next attempt.
    attempts : tuple of Attempt
        The attempts that have ended.
    is_outdated : bool
        Whether what it has read with a revision in this attempt has been replaced.
    next : dict
        The number of the step that follows an answer, of those that were asked for.
    """

    batch: tuple[str, ...]
    answers: tuple[Hashable, ...]
    request: Request | None
    failed: tuple[str, ...] = ()
    wrote: bool = False
    conflicts: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    is_outdated: bool = False
    next: dict[Hashable, int] = field(default_factory=dict)


class Handlers:
    """Every handler that there can be, as a graph of steps.

    Parameters
    ----------
    model : Model
    objects : callable
        Returns the object that an operation has uploaded, by its key and the operation's number.
    syncer : type of Syncer
    fold : bool
        Whether lists of answers that leave the code in the same state are one step.
    times : bool
        Whether it makes a difference how long a handler pauses.
    """

    def __init__(
        self,
        model: Model,
        objects: Callable[[str, int], StoredObject],
        syncer: type[Syncer],
        fold: bool = True,
        times: bool = True,
    ) -> None:
        self.tape = Tape()
        self.model = model
        self.objects = objects
        reader = ObjectReader(self)
        reader.pool = SequentialPool()
        adapter = model.adapter(self.tape)
        self.syncer = _marking(syncer, self)(
            reader, adapter, BUCKET, pause=lambda seconds: self.tape("pause", seconds)
        )
        self.fold = fold
        self.pauses = (*PAUSES, *MORE_PAUSES) if fold else PAUSES
        #: Step 0 is that of a handler that does not run.
        self.steps = [Step((), (), None)]
        self.numbers: dict[Hashable, int] = {}
        self.started: dict[tuple[str, ...], int] = {}
        #: The original of each outdated step, and the outdated step of each original.
        self.originals: dict[int, int] = {}
        self.outdated: dict[int, int] = {}
        self.counts_repeats = model.counts_repeats and times
        self.patience = PATIENCE if times else 0
        #: What the code knew at the last mark, and how many answers it had had.
        self.known: tuple[Hashable, int] = ((), 0)
        #: What of it outlives the write of the cache.
        self.lasting: Hashable = ()
        #: The same if no row was written.
        self.lasting_unwritten: Hashable = ()
        self.failed: list[str] = []
        self.attempts: list[Attempt] = []

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        """Answer as boto3's client does."""
        number = self.tape("head", Key)
        if number is None:
            answer: Any = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(answer, "HeadObject")
        stored = self.objects(Key, number)
        return {
            "ETag": stored.etag,
            "VersionId": stored.version_id,
            "LastModified": stored.last_modified,
            "Metadata": dict(stored.metadata),
        }

    def start(self, batch: tuple[str, ...]) -> int:
        """Return the first step of a handler of some keys."""
        if batch not in self.started:
            self.started[batch] = self._run(Step(batch, (), None), (), False)
        return self.started[batch]

    def after(self, number: int, answer: Hashable) -> int:
        """Return the step that follows an answer."""
        step = self.steps[number]
        if answer not in step.next and step.is_outdated:
            step.next[answer] = self.after_writing_by_others(self.after(self.originals[number], answer))
        if answer not in step.next:
            wrote = step.wrote or (step.request is not None and step.request[0] in WRITES)
            step.next[answer] = self._run(step, (*step.answers, answer), wrote)
        return step.next[answer]

    def after_writing_by_others(self, number: int) -> int:
        """Return the step that a handler is at after others have written what has a revision."""
        if number not in self.outdated:
            step = self.steps[number]
            start = step.attempts[-1].position if step.attempts else 0
            self.outdated[number] = number
            if not step.is_outdated and any(map(self.model.has_revision, step.answers[start:])):
                self.outdated[number] = len(self.steps)
                self.originals[len(self.steps)] = number
                self.steps.append(replace(step, is_outdated=True, next={}))
        return self.outdated[number]

    def _run(self, before: Step, answers: tuple[Hashable, ...], wrote: bool) -> int:
        self.tape.answers, self.tape.position = answers, 0
        self.known, self.failed, self.attempts = ((), 0), [], list(before.attempts if self.fold else ())
        self.tape.known = None
        batch, request = before.batch, None
        try:
            with (
                patch.object(converge, "PAUSES", self.pauses),
                patch.object(summaries, "PATIENCE", self.patience),
            ):
                self.syncer.converge(BUCKET, batch, self._report)
        except Asked as asked:
            request = asked.request
        failed, (known, position) = tuple(self.failed), self._known() if self.fold else ((), 0)
        same = (batch, wrote, failed, request and (known, answers[position:]))
        if same not in self.numbers:
            self.numbers[same] = len(self.steps)
            conflicts = self.attempts[-1].conflicts if self.attempts else ()
            step = Step(batch, answers, request, failed, wrote, conflicts, tuple(self.attempts))
            self.steps.append(step)
            # The answers of one step are those of a path that may be longer than others that lead to it.
            assert not (self.fold and failed), f"the code gives up after {len(answers)} answers"
        return self.numbers[same]

    def _known(self) -> tuple[Hashable, int]:
        """Return what the code knew at the last mark, and how many answers it had had."""
        if self.tape.known is None:
            return self.known
        within, position = self.tape.known
        return (self.lasting if self.tape.wrote else self.lasting_unwritten, within), position

    def _report(self, bucket: str, key: str, outcome: object) -> None:
        if isinstance(outcome, Exception):
            # The only failure of a handler whose database never fails: it has tried often enough.
            assert isinstance(outcome, S3SyncError), repr(outcome)
            self.failed.append(key)


class Attempt(NamedTuple):
    """An attempt that has ended, so that it need not be made again for a longer list of answers.

    Parameters
    ----------
    position : int
        How many answers the handler had had at the end.
    results : mapping
    files : list of dict
        The attributes of each file.
    conflicts : tuple of str
        The requested keys of the files whose row had changed.
    """

    position: int
    results: Any
    files: list[dict[str, Any]]
    conflicts: tuple[str, ...]


def _marking(syncer: type[Syncer], code: Handlers) -> type[Syncer]:
    """Return a class of syncers that marks what it knows around each attempt, and before the first write."""

    def mark(
        moment: Hashable,
        files: Sequence[PendingFile],
        attempts: int,
        results: Mapping[str, Any] | None = None,
    ) -> None:
        count = min(attempts, LONG_PAUSE) if code.counts_repeats else 0
        known = [_state_of(file, code.counts_repeats, results) for file in files]
        code.lasting = count, tuple(known)
        code.lasting_unwritten = count, tuple(_state_of(file, code.counts_repeats, {}) for file in files)
        code.known = (moment, code.lasting), code.tape.position
        code.tape.known = None

    class Marking(syncer):  # type: ignore[misc, valid-type]
        def converge(self, *arguments: Any) -> Any:
            self.count = 0
            self.files: list[PendingFile] | None = None
            return super().converge(*arguments)

        def _attempt(self, bucket: str, files: list[PendingFile]) -> Any:
            self.count += 1
            if self.count <= len(code.attempts):
                attempt = code.attempts[self.count - 1]
                code.tape.position = attempt.position
                for file, attributes in zip(files, attempt.files, strict=True):
                    vars(file).update(attributes, objects=dict(attributes["objects"]))
            else:
                self.files = files
                mark("reads", files, self.count)
                results = super()._attempt(bucket, files)
                states = [{**vars(file), "objects": dict(file.objects)} for file in files]
                conflicts = [file for file in files if results.get(file.filename) is Result.CONFLICT]
                keys = tuple(key for file in conflicts for key in file.requested)
                attempt = Attempt(code.tape.position, results, states, keys)
                code.attempts.append(attempt)
            results = attempt.results
            mark(tuple(sorted(results.items(), key=str)), files, self.count, results)
            return attempt.results

        def _for_all(self, files: list[PendingFile], call: Any, accept: Any) -> None:
            if self.doing == "reading the cache" and self.files is not None:
                self.row_keys = repr([file.row_key for file in self.files])
            elif self.files is not None:
                # A write depends on the rows that were read, and the next one on the first one's result.
                rows = repr([(_row_of(file), file.snapshot and file.snapshot.raw) for file in self.files])
                mark(("writes", self.row_keys, rows), self.files, self.count)
                self.files = None
            super()._for_all(files, call, accept)

    return Marking


def _row_of(file: PendingFile) -> Any:
    row = None if file.snapshot is None else file.snapshot.row
    return None if row is None else (row.filename, row_of(row))


def _state_of(file: PendingFile, counts_repeats: bool, results: Mapping[str, Any] | None) -> str:
    """Return all of a file that outlives an attempt; the attempt sets everything else before it is used.

    After an attempt, its results are known: only the objects of a row that was written are compared with what
    is read again.
    """
    raw = None if file.snapshot is None else file.snapshot.raw
    expected = file.expected and (file.expected, raw or _row_of(file))
    repeats = (raw, min(file.repeats, PATIENCE)) if counts_repeats else None
    counts = results is None or results.get(file.filename) is Result.WRITTEN
    objects = file.objects if counts else sorted(file.objects)
    announces = counts and file.announces
    known = file.filename, file.requested, objects, repeats, expected, announces, file.done, file.error
    text = repr(known)
    assert " at 0x" not in text, text
    return text
