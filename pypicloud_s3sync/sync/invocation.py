"""Converge the records of one invocation, and stop in time to report what happened.

Lambda ends a function at its timeout: nothing more is logged, and SQS delivers the whole batch again. Any
call to S3 or to a database can hang, even in a driver's C code. The work is therefore done in a thread, and
the thread of the handler waits for it only until shortly before the timeout.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ..exceptions import OutOfTimeError, S3SyncError
from . import environment
from .converge import Syncer
from .counts import count_of
from .events import Record
from .logins import is_login_failure
from .pending import Outcome
from .startup import syncer

#: The part of the remaining time that is kept for the log and the answer, and the largest number of seconds.
RESERVE, MOST_RESERVE = 0.1, 3.0

#: The outcome or the error, by bucket and key.
Outcomes = Mapping[tuple[str, str], Outcome | Exception]


def seconds_left(context: Any) -> float | None:
    """Return the seconds for which an invocation may work; None if its context does not limit them.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if remaining is None:
        return None
    seconds = float(remaining()) / 1000
    return max(0.0, seconds - min(MOST_RESERVE, seconds * RESERVE))


def converge(records: Sequence[Record], seconds: float | None) -> Outcomes:
    """Converge each key once, even if several records name it; return what is known when the time is over.

    Parameters
    ----------
    records : sequence of Record
    seconds : float or None
        The time for all of them.

    Returns
    -------
    dict
        An outcome or an error for each bucket and key. A start of the cache that fails is an error of each.
    """
    if not records:
        return {}
    work = _Work(records)
    thread = threading.Thread(target=work.run, name="converge", daemon=True)
    thread.start()
    thread.join(seconds)
    return work.end(seconds)


class _Work:
    """Converges records in a thread, and can be ended by another one."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._keys: dict[str, dict[str, None]] = {}
        for record in records:
            self._keys.setdefault(record.bucket, {})[record.key] = None
        self._outcomes: dict[tuple[str, str], Outcome | Exception] = {}
        self._error: BaseException | None = None
        self._syncer: Syncer | None = None
        self._over = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Converge all keys; called in the thread.

        If the database refuses the login, its password may have been rotated since this process read it:
        it is read again, and what has failed is tried once more.
        """
        self._attempt()
        if any(map(is_login_failure, self._failures())) and self._has_new_secrets():
            syncer.cache_clear()
            self._attempt()

    def _attempt(self) -> None:
        """Converge the keys that have no outcome yet."""
        try:
            started = syncer()
            with self._lock:
                if self._over:
                    return
                self._syncer = started
            for bucket, keys in self._keys.items():
                pending = [key for key in keys if (bucket, key) not in self._outcomes]
                if pending:
                    started.converge(bucket, pending, report=self._report)
        except BaseException as error:
            self._error = error

    def _failures(self) -> list[BaseException]:
        failures: list[BaseException] = [
            outcome for outcome in self._outcomes.values() if isinstance(outcome, Exception)
        ]
        return failures if self._error is None else [*failures, self._error]

    def _has_new_secrets(self) -> bool:
        """Read the secrets again; return whether to try again with them."""
        cause: Exception | None = None
        try:
            if not environment.refresh_secrets():
                return False
        except S3SyncError as error:
            cause = error
        with self._lock:
            if self._over:
                return False
            self._outcomes = {
                place: outcome
                for place, outcome in self._outcomes.items()
                if not isinstance(outcome, Exception)
            }
            self._error, self._syncer = cause, None
        return cause is None

    def _report(self, bucket: str, key: str, outcome: Outcome | Exception) -> None:
        self._outcomes[bucket, key] = outcome

    def end(self, seconds: float | None) -> Outcomes:
        """Return the outcomes so far; if the thread has not finished, let it write nothing more."""
        with self._lock:
            self._over = True
            done = self._outcomes.copy()
        places = [(bucket, key) for bucket, keys in self._keys.items() for key in keys]
        missing = [place for place in places if place not in done]
        if not missing:
            return done
        failure = self._error or self._stop(seconds or 0)
        if not isinstance(failure, Exception):
            raise failure
        return done | dict.fromkeys(missing, failure)

    def _stop(self, seconds: float) -> Exception:
        """Give up the thread, and its connections, which may hang: the next invocation makes new ones."""
        syncer.cache_clear()
        doing = "connecting to the cache"
        if self._syncer is not None:
            doing = self._syncer.doing
            self._syncer.adapter.stop()
        passed = count_of(round(seconds), "second")
        return OutOfTimeError(
            f"Timed out after {passed} while {doing}: check that the function can reach it"
            " (VPC endpoints, security groups); the event will be retried"
        )
