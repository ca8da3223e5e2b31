"""Limit how many requests wait for AWS, so that the web server keeps workers for pypicloud's own pages.

On a host, one request reads AWS, and one more waits a moment for its answer or for its own turn. All others
are refused immediately.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..config.settings import SyncSettings
from ..deploy import Deployment, run_files
from ..deploy.aws.clients import Clients, Limits
from ..exceptions import BusyError, S3SyncError

#: Seconds that the one request which waits may wait.
PATIENCE = 3.0
INTERVAL = 0.05
#: The longest time in seconds for which an answer is kept.
KEPT = 300.0


@dataclass(frozen=True)
class _Answer:
    settings: SyncSettings
    ended: float
    document: dict[str, Any] | None
    error: S3SyncError | None

    def result(self) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return dict(self.document or {})


class Reads:
    """The reads of AWS in this process, and the last answer to each question."""

    def __init__(self) -> None:
        self._answers: dict[str, _Answer] = {}

    def answer(
        self,
        settings: SyncSettings,
        question: str,
        read: Callable[[Deployment], dict[str, Any]],
        *,
        max_age: float = 0,
        since: float = 0,
    ) -> dict[str, Any]:
        """Return what ``read`` returns, or what another request has just read.

        Parameters
        ----------
        settings : SyncSettings
        question : str
            A name for what is read: requests with the same settings and question share an answer.
        read : callable
            Takes a deployment whose clients do not wait for long.
        max_age : float, optional
            The age in seconds that an answer may have.
        since : float, optional
            The time of the last change, in seconds since 1970; older answers are not used.

        Raises
        ------
        BusyError
            If other requests read AWS at the moment.
        """
        asked = time.time()
        known = self._known(settings, question, max(asked - min(max_age, KEPT), since))
        if known is None or known.error is not None:
            with _turn(settings):
                # Another request may have read the answer while this one was waiting.
                known = self._known(settings, question, max(asked, since))
                known = known or self._read(settings, question, read)
        return known.result()

    def _known(self, settings: SyncSettings, question: str, oldest: float) -> _Answer | None:
        known = self._answers.get(question)
        return known if known is not None and known.ended > oldest and known.settings == settings else None

    def _read(
        self, settings: SyncSettings, question: str, read: Callable[[Deployment], dict[str, Any]]
    ) -> _Answer:
        clients = functools.partial(Clients, limits=Limits.for_web())
        document, problem = None, None
        try:
            document = read(Deployment(settings, clients=clients))
        except S3SyncError as error:
            problem = error
        answer = _Answer(settings, time.time(), document, problem)
        self._answers[question] = answer
        return answer


@contextlib.contextmanager
def _turn(settings: SyncSettings) -> Iterator[None]:
    """Wait until no other request of this host reads AWS."""
    lock = _lock(settings, ".reading") or _wait(settings)
    if lock is None:
        raise BusyError("the server is still waiting for AWS to answer other requests: try again in a moment")
    try:
        yield
    finally:
        os.close(lock)


def _wait(settings: SyncSettings) -> int | None:
    place = _lock(settings, ".waiting")
    if place is None:
        return None
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lock = _lock(settings, ".reading")
            if lock is not None:
                return lock
            time.sleep(INTERVAL)
        return None
    finally:
        os.close(place)


def _lock(settings: SyncSettings, suffix: str) -> int | None:
    return run_files.take_lock(settings, suffix, pauses=(0,))
