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

import numpy as np

from support.outcome_tables import Table
from support.state_space import DATABASE_BITS, Array, Object

#: A handler's next step, the database, and the events that failed.
Outcome = tuple[int, int, int]
Bucket = tuple[Object, ...]


class SilentSteps:
    """The silent steps of handlers.

    Parameters
    ----------
    outcomes : callable
        Returns what may follow a step, by the bucket, the step's number and that of the database.
    after_writing : callable
        Returns where steps are after a change by others, by their numbers and the databases before and after.
    reduced : bool
        Whether there are any silent steps: otherwise, others see all of them.
    """

    def __init__(
        self,
        outcomes: Callable[[Bucket, int, int], list[Outcome]],
        after_writing: Callable[[Array, Array, Array], Array],
        reduced: bool,
    ) -> None:
        self.outcomes_of, self.after_writing, self.reduced = outcomes, after_writing, reduced
        self.bucket: Bucket | None = None

    def enter(self, bucket: Bucket) -> None:
        """Forget what is known of another bucket, in which no handler runs any more."""
        self.bucket = bucket
        self.known: dict[Bucket, dict[tuple[int, int], tuple[list[int], list[Outcome]]]] = {}
        self.tables: dict[Bucket, Table] = {}
        #: What may follow a step and the silent ones after it. A key is a step and a database.
        self.outcomes = Table(self._outcomes, 3)
        #: The silent steps after a step. A key is a step and a database.
        self.edges = Table(self._edges, 2)

    def overtaken(self, bucket: Bucket, steps: Array, before: Array, after: Array) -> tuple[Array, Array]:
        """Return where handlers may be after a change, if the silent steps are made as late as possible.

        A step that would have the same answer after the change is left for later. This holds for handlers
        that the change makes outdated, too: the outdated step leads on to the outdated form of the same step.

        Parameters
        ----------
        bucket : tuple
            The bucket after the change.
        steps, before, after : array
            The step of each handler, and the databases before and after the change.

        Returns
        -------
        array, array
            The index of each outcome's handler, and its step.
        """
        running = np.flatnonzero(steps).astype(np.uint64)
        rows, (numbers, found) = self.edges.expand(
            steps[running] << np.uint64(DATABASE_BITS) | before[running]
        )
        rows = running[rows]
        others, (same,) = self._following(bucket).expand(numbers << np.uint64(DATABASE_BITS) | after[rows])
        is_different = np.ones(len(rows), bool)
        is_different[others[same == found[others]]] = False
        rows = np.append(np.arange(len(steps), dtype=np.uint64), rows[is_different])
        found = np.append(steps, found[is_different])
        return rows, self.after_writing(found, before[rows], after[rows])

    def _following(self, bucket: Bucket) -> Table:
        """Return the table of the steps that follow silently in a bucket. A key is a step and a database."""
        if bucket not in self.tables:
            self.tables[bucket] = Table(partial(self._silent, bucket), 1)
        return self.tables[bucket]

    def _silent(self, bucket: Bucket, key: int) -> list[tuple[int]]:
        return [(then,) for then in self._split(bucket, *divmod(key, 1 << DATABASE_BITS))[0]]

    def _edges(self, key: int) -> list[tuple[int, int]]:
        """Return the silent steps that a handler may make, each with the one that follows it."""
        assert self.bucket is not None
        step, database = divmod(key, 1 << DATABASE_BITS)
        return [
            (number, then)
            for number in self._reached(step, database)
            for then in self._split(self.bucket, number, database)[0]
        ]

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
