"""Leave out orders of the steps that nobody else sees.

A step of a handler is silent if it changes neither the database nor the events, and the handler goes on: a
read, or a write that fails or changes nothing. Nobody else sees when it is made. So it is made immediately
before the handler's next step that is not silent, or immediately before a change by others after which
its answer would be another one. Every order is equal to one of these: each silent step can be moved behind
the steps of others that do not change its answer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from support.state_space import DATABASE_BITS, Object, Table

#: A handler's next step, the database, and the events that failed.
Outcome = tuple[int, int, int]
Bucket = tuple[Object, ...]


class SilentSteps:
    """The silent steps of handlers.

    Parameters
    ----------
    outcomes : callable
        Returns what may follow a step, by the bucket, the step's number and that of the database.
    reduced : bool
        Whether there are any silent steps: otherwise, others see all of them.
    """

    def __init__(self, outcomes: Callable[[Bucket, int, int], list[Outcome]], reduced: bool) -> None:
        self.outcomes_of, self.reduced = outcomes, reduced
        self.bucket: Bucket | None = None

    def enter(self, bucket: Bucket) -> None:
        """Forget what is known of another bucket, in which no handler runs any more."""
        self.bucket = bucket
        self.known: dict[Bucket, dict[tuple[int, int], tuple[list[int], list[Outcome]]]] = {}
        self.tables: dict[Bucket, Table] = {}
        #: What may follow a step and the silent ones after it. A key is a step and a database.
        self.outcomes = Table(self._outcomes, 3)

    def before(self, bucket: Bucket) -> Table:
        """Return the table of the steps that a handler may have reached before a change.

        Parameters
        ----------
        bucket : tuple
            The bucket after the change. A key is a step, and the databases before and after the change.
        """
        if bucket not in self.tables:
            self.tables[bucket] = Table(partial(self._before, bucket), 1)
        return self.tables[bucket]

    def _split(self, bucket: Bucket, step: int, database: int) -> tuple[list[int], list[Outcome]]:
        """Return the steps that follow silently, and what else may follow a step."""
        known = self.known.setdefault(bucket, {})
        if (step, database) not in known:
            outcomes = self.outcomes_of(bucket, step, database) if step else []
            silent = [it for it in outcomes if self.reduced and it[0] and it[1:] == (database, 0)]
            steps = dict.fromkeys(following for following, _, _ in silent)
            known[step, database] = list(steps), [it for it in outcomes if it not in silent]
        return known[step, database]

    def _reached(self, step: int, database: int) -> list[int]:
        """Return the steps that a handler reaches silently, beginning with the one where it is."""
        assert self.bucket is not None
        reached = [step]
        for number in reached:
            reached += [then for then in self._split(self.bucket, number, database)[0] if then not in reached]
        return reached

    def _outcomes(self, key: int) -> list[Outcome]:
        assert self.bucket is not None
        step, database = divmod(key, 1 << DATABASE_BITS)
        reached = self._reached(step, database)
        found = [outcome for number in reached for outcome in self._split(self.bucket, number, database)[1]]
        return list(dict.fromkeys(found))

    def _before(self, bucket: Bucket, key: int) -> list[tuple[int]]:
        """Return where a handler may be after a change, if the silent steps are made as late as possible."""
        assert self.bucket is not None
        rest, after = divmod(key, 1 << DATABASE_BITS)
        step, database = divmod(rest, 1 << DATABASE_BITS)
        found = [step]
        for number in self._reached(step, database):
            same = self._split(bucket, number, after)[0]
            following = self._split(self.bucket, number, database)[0]
            found += [then for then in following if then not in same and then not in found]
        return [(number,) for number in found]
