"""Answer the requests of handlers as S3 and a model of the database do, and tell what follows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from support.handler_steps import Handlers
from support.models import Model, Request
from support.outcome_tables import Table
from support.silent_steps import Bucket, Outcome
from support.state_space import Array, Numbers


@dataclass
class Answers:
    """The answers to handlers, and the steps, databases and events that follow.

    Parameters
    ----------
    model : Model
    keys : tuple of str
    code : Handlers
    drifts : bool
        Whether a handler may query an index that lags behind.
    times : bool
        Whether it makes a difference how long a handler pauses.
    reduced : bool
        Whether a handler may give up after every conflict.
    is_last : bool
        Whether the bucket does not change any more.
    """

    model: Model
    keys: tuple[str, ...]
    code: Handlers
    drifts: bool
    times: bool
    reduced: bool
    is_last: bool = False
    databases: Numbers = field(default_factory=Numbers)
    known: dict[Any, Any] = field(default_factory=dict)
    revised_parts: Numbers = field(default_factory=Numbers)
    #: The number of the part of each database that has a revision.
    revised: Array = field(default_factory=lambda: np.zeros(0, np.uint64))

    def __post_init__(self) -> None:
        self.outdated = Table(lambda number: [(self.code.after_writing_by_others(number),)], 1)

    def outcomes(self, bucket: Bucket, number: int, database: int) -> list[Outcome]:
        """Return what may follow a step."""
        request = self.code.steps[number].request
        assert request is not None
        refused = self.model.refused(request) if self.code.steps[number].is_outdated else None
        if refused is not None:
            answers = [(refused, database)]
        elif request[0] == "head":
            answers = [(self._found(bucket, request), database)]
        else:
            answers = self.effect(("asks", request), database, partial(self._answers, request))
        return [
            outcome for answer, after in answers for outcome in self._after(bucket, number, answer, after)
        ]

    def after_writing(self, numbers: Array, before: Array, after: Array) -> Array:
        """Return the steps at which handlers are after others have changed the database."""
        if len(self.revised) < len(self.databases.values):
            new = self.databases.values[len(self.revised) :]
            numbers_of_new = [self.revised_parts.of(self.model.revised(database)) for database in new]
            self.revised = np.append(self.revised, np.array(numbers_of_new, np.uint64))
        is_written = self.revised[before] != self.revised[after]
        if not is_written.any():
            return numbers
        _, (outdated,) = self.outdated.expand(numbers[is_written])
        numbers = numbers.copy()
        numbers[is_written] = outdated
        return numbers

    def settled(self, database: int) -> int:
        """Return the database after some seconds."""
        ((_, settled),) = self.effect(
            ("settles",), database, lambda value: [(None, self.model.settled(value))]
        )
        return settled

    def events(self, keys: tuple[str, ...]) -> int:
        """Return the set of the events of some keys."""
        return sum(1 << self.keys.index(key) for key in keys)

    def effect(
        self, cause: Hashable, database: int, effect: Callable[[Any], Iterable[tuple[Hashable, Hashable]]]
    ) -> list[tuple[Any, int]]:
        """Return the answers of the model, each with the number of the database after it."""
        if (cause, database) not in self.known:
            answers = effect(self.databases.values[database])
            self.known[cause, database] = [(answer, self.databases.of(after)) for answer, after in answers]
        found: list[tuple[Any, int]] = self.known[cause, database]
        return found

    def _found(self, bucket: Bucket, request: Request) -> int | None:
        return bucket[self.keys.index(str(request[1]))]

    def _answers(self, request: Request, database: Hashable) -> Iterator[tuple[Hashable, Hashable]]:
        if request[0] != "query":
            yield self.model.answer(request, database)
        elif not self.drifts:
            # The server's own index lags behind, but an event takes longer than that to be delivered.
            yield self.model.answer(request, self.model.settled(database))
        else:
            for drifted in (database, *self.model.drift(database)):
                yield self.model.answer(request, drifted)

    def _after(self, bucket: Bucket, number: int, answer: Hashable, database: int) -> Iterator[Outcome]:
        """Yield what may follow an answer; the code that does not count its attempts may always give up.

        If the bucket does not change any more, a read of S3 has the same answer whenever it comes. It is made
        immediately.
        """
        step, following = self.code.steps[number], self.code.after(number, answer)
        if not self.times and step.wrote and step.request is not None and step.request[0] == "query":
            # The attempts are left out in which the index is not trusted yet. It may give up after each.
            yield 0, database, self.events(step.batch)
        while (request := self.code.steps[following].request) is not None and request[0] == "pause":
            if self.reduced:
                yield 0, database, self.events(self.code.steps[following].conflicts)
            # Nobody sees a pause, only that time passes.
            database = self.settled(database) if self.times and request[1] == 1 else database
            following = self.code.after(following, None)
        end = self.code.steps[following]
        if end.request is None:
            yield 0, database, self.events(end.failed)
        elif end.request[0] == "head" and self.is_last and self.reduced:
            yield from self._after(bucket, following, self._found(bucket, end.request), database)
        else:
            yield following, database, 0
