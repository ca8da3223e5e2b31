"""Make the cache match the bucket, key by key.

S3 delivers events at least once, late and in any order, so :meth:`Syncer.converge` trusts none of them. It
reads the keys in S3, makes the cache match what it read, and reads the keys again. The second read makes it
safe to run several handlers of the same keys at the same time: the handler that writes the cache last has
read S3 after that write, and any later change in S3 sends an event of its own. S3 has been strongly
consistent since 2020:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel

The first read of the keys and the read of the rows may be in either order, and are made at the same time if
the filename alone tells which row that is. Both are later than the change that sent the event, a row is only
written if it has not changed since it was read, and the second read comes after the write in any case.

The cache has one row for a filename, but two keys can have the same filename. The row is then that of the
newest object, and its ``data`` lists the other keys. All of them are read together, so the order of the
events makes no difference: if the newest object is deleted, the next one takes its place.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..caches.base import CacheAdapter, Change, Result, Snapshot
from ..exceptions import S3SyncError
from .keys import filename_of
from .objects import Found, ObjectReader
from .pending import Outcome, PendingFile

#: Seconds to pause before each further attempt, if another handler has changed the row or the index lags
#: behind. After the last attempt, the event is left to Lambda's own retry.
PAUSES = (0.1, 0.3, 0.9, 1, 1, 1, 1, 1)

#: Takes the bucket, a key, and its outcome or error.
Report = Callable[[str, str, Outcome | Exception], None]
SecondLook = Callable[[str, list[PendingFile]], None]


class Syncer:
    """Makes a cache match a bucket.

    Parameters
    ----------
    reader : ObjectReader
    adapter : CacheAdapter
    bucket : str or None
        The only bucket whose keys are converged; None for any, as in a function that was built by hand.
    prefix : str
        ``storage.prefix``: other keys are ignored.
    pause : callable, optional
        Waits for a number of seconds between two attempts.
    second_look : callable, optional
        Takes the bucket and the files whose row has been written, reads their objects again, and sets which
        files are done. The default does it at once, by HeadObject.
    settled : callable, optional
        Takes each file that is done, with its objects and its row.

    Attributes
    ----------
    doing : str
        What the syncer is doing at the moment, for the error of an invocation whose time is over.
    """

    def __init__(
        self,
        reader: ObjectReader,
        adapter: CacheAdapter,
        bucket: str | None,
        prefix: str = "",
        pause: Callable[[float], None] | None = None,
        second_look: SecondLook | None = None,
        settled: Callable[[PendingFile], None] | None = None,
    ) -> None:
        self.reader = reader
        self.adapter = adapter
        self.bucket = bucket
        self.prefix = prefix
        self.pause = pause or _sleep
        self.second_look = second_look or self._read_again
        self.settled = settled
        self.doing = ""

    def variant(
        self,
        *,
        reader: ObjectReader | None = None,
        adapter: CacheAdapter | None = None,
        second_look: SecondLook | None = None,
        settled: Callable[[PendingFile], None] | None = None,
    ) -> Syncer:
        """Return a syncer of the same bucket and cache with some other parts."""
        return Syncer(
            reader or self.reader,
            adapter or self.adapter,
            self.bucket,
            self.prefix,
            self.pause,
            second_look,
            settled,
        )

    def converge(
        self, bucket: str, keys: Iterable[str], report: Report | None = None
    ) -> dict[str, Outcome | Exception]:
        """Make the cache match S3 under each of the keys; a failure does not stop the other keys.

        Parameters
        ----------
        bucket : str
        keys : iterable of str
        report : callable, optional
            Called for each key as soon as its outcome is known, before the other keys are done.

        Returns
        -------
        dict
            The outcome or the error, by key. The error is the one that S3 or the cache raised, or S3SyncError
            if the object or its row kept changing. Only a 404 from S3 means that an object does not exist.
        """
        outcomes: dict[str, Outcome | Exception] = {}

        def close(key: str, outcome: Outcome | Exception) -> None:
            outcomes[key] = outcome
            if report is not None:
                report(bucket, key, outcome)

        files: dict[str, PendingFile] = {}
        for key in keys:
            filename = filename_of(key, self.prefix) if self.bucket in (None, bucket) else None
            if filename is None:
                close(key, Outcome("ignored", key))
            else:
                files.setdefault(filename, PendingFile(filename)).requested.append(key)
        for file in self._converge_files(bucket, list(files.values())):
            for key in file.requested:
                close(key, file.error or file.outcome(key))
            if self.settled is not None and file.error is None:
                self.settled(file)
        return outcomes

    def _converge_files(self, bucket: str, files: list[PendingFile]) -> Iterator[PendingFile]:
        """Converge the files, and yield each when it is done or has failed."""
        self._read_first(bucket, files)
        for pause in (*PAUSES, None):
            results = self._attempt(bucket, files)
            written = [file for file in files if results.get(file.filename) is Result.WRITTEN]
            if written:
                for file in written:
                    file.written = True
                self.second_look(bucket, written)
                for file in written:
                    file.done = file.done and not file.announces
            yield from (file for file in files if not file.is_open)
            files = [file for file in files if file.is_open]
            if not files:
                return
            conflicts = [file for file in files if results.get(file.filename) is Result.CONFLICT]
            if conflicts and pause is not None:
                self.pause(pause)
                self._read_objects(bucket, [(file, key) for file in conflicts for key in file.objects])
        for file in files:
            file.error = S3SyncError(
                f"s3://{bucket}/{file.requested[0]} or its row kept changing during"
                f" {len(PAUSES) + 1} attempts: its event will be retried"
            )
            yield file

    def _read_first(self, bucket: str, files: list[PendingFile]) -> None:
        """Read the objects and, at the same time, the rows that can be read without knowing them."""
        wanted = [(file, key) for file in files for key in file.requested]
        objects = self.reader.submit(bucket, [key for _, key in wanted])
        self._read_rows([file for file in files if file.expect_row()])
        self.doing = "reading S3"
        self._set_objects(wanted, [future.result() for future in objects])

    def _attempt(self, bucket: str, files: list[PendingFile]) -> Mapping[str, Result]:
        """Read the rows and the other keys that they list, then write the wanted rows."""
        files = [file for file in files if file.is_open]
        self._build_packages(files)
        row_keys = {file.filename: file.row_key for file in files}
        self._read_rows([file for file in files if not file.take_expected_row()])
        others = [
            (file, key)
            for file in files
            for key in file.unread_keys
            if filename_of(key, self.prefix) == file.filename
        ]
        self._read_objects(bucket, others)
        self._build_packages(file for file, _ in others)
        for file in files:
            if file.is_open:
                file.choose_row()
        results: dict[str, Result] = {}
        self.doing = "writing the cache"

        def write(batch: list[PendingFile]) -> Mapping[str, Result | Exception]:
            return self.adapter.write(
                [
                    Change(
                        row_keys[file.filename],
                        file.snapshot or Snapshot(None),
                        file.announcement or file.wanted,
                        file.repeats,
                        file.wanted,
                    )
                    for file in batch
                ]
            )

        def set_result(file: PendingFile, result: Any) -> None:
            results[file.filename] = result
            file.done = result is Result.UNCHANGED

        self._for_all([file for file in files if file.is_open], write, set_result)
        return results

    def _for_all(
        self,
        files: list[PendingFile],
        call: Callable[[list[PendingFile]], Mapping[str, Any]],
        accept: Callable[[PendingFile, Any], None],
    ) -> None:
        """Call once for all files; if that fails, call for each file alone to find the cause."""
        if not files:
            return
        try:
            results = call(files)
        except Exception as error:
            if len(files) > 1 and not self.adapter.is_unreachable(error):
                for file in files:
                    self._for_all([file], call, accept)
                return
            results = {file.filename: error for file in files}
        for file in files:
            result = results[file.filename]
            if isinstance(result, Exception):
                file.error = result
            else:
                accept(file, result)

    def _build_packages(self, files: Iterable[PendingFile]) -> None:
        for file in files:
            file.build_packages(self.adapter.cache.new_package)

    def _read_rows(self, files: list[PendingFile]) -> None:
        self.doing = "reading the cache"
        row_keys = {file.filename: file.row_key for file in files}
        self._for_all(
            files,
            lambda batch: self.adapter.read([row_keys[file.filename] for file in batch]),
            PendingFile.set_snapshot,
        )

    def _read_again(self, bucket: str, written: list[PendingFile]) -> None:
        """Read the objects a second time: a file is done if none of them has changed."""
        before = {file.filename: dict(file.objects) for file in written}
        self._read_objects(bucket, [(file, key) for file in written for key in file.objects])
        for file in written:
            file.done = file.objects == before[file.filename]

    def _read_objects(self, bucket: str, wanted: list[tuple[PendingFile, str]]) -> None:
        self.doing = "reading S3"
        self._set_objects(wanted, self.reader.read(bucket, [key for _, key in wanted]))

    def _set_objects(self, wanted: list[tuple[PendingFile, str]], objects: Sequence[Found]) -> None:
        for (file, key), found in zip(wanted, objects, strict=True):
            if isinstance(found, Exception):
                file.error = found
            else:
                file.objects[key] = found


def _sleep(seconds: float) -> None:
    """Wait for a random part of the time, so that two handlers do not retry in step."""
    time.sleep(seconds * random.uniform(0.5, 1))  # noqa: S311 - jitter, not security
