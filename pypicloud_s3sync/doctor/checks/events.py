"""Check for events that failed, that wait, and that are late."""

from __future__ import annotations

from collections.abc import Iterator

from ...deploy.state.health import failing, failing_problem, queue_problem
from ...sync.counts import count_of
from ..models import Facts, Finding, combined, failed, ok, skipped, warning
from ..unread import unread
from .function import ENABLE, owned_function

#: Seconds after which an event that waits has probably failed several times.
LONG = 900
#: The mean lag in milliseconds from which on something slows the events down.
SLOW = 60_000


def failed_events(facts: Facts) -> Finding:
    """Check that no event has failed for good, and that none fails now."""
    owned_function(facts)
    return combined([*_in_queues(facts), *_in_metrics(facts)])


def _in_queues(facts: Facts) -> Iterator[Finding]:
    resources, ages, names = facts.delivery.get(), facts.ages.known or {}, facts.desired.get().names
    if resources.dead_letters is None:
        yield failed(f"the queue {names.dead_letters} for failed events does not exist", ENABLE)
    problem = queue_problem(resources.dead_letters)
    if problem is not None:
        age = _age(ages.get("failed"))
        remedy = "remove the cause of the failures, then run `ppc-s3sync replay`"
        yield failed(f"{problem.message}{age}", remedy)
    waiting = resources.queue.messages if resources.queue else 0
    evidence = f"{count_of(waiting, 'event')} waiting{_age(ages.get('waiting'))}"
    if waiting and ages.get("waiting", 0) >= LONG:
        log = f"read the errors in the log group {names.log_group}"
        yield warning(evidence, f"{log}; the events are attempted again for hours")
    elif problem is None:
        yield ok(f"none failed, {evidence}")


def _age(seconds: int | None) -> str:
    return "" if seconds is None else f", the oldest for {seconds:,} s"


def _in_metrics(facts: Facts) -> Iterator[Finding]:
    if facts.intervals.error is not None:
        yield unread(facts.intervals.error)
        return
    failures = failing(facts.intervals.get(), facts.now)
    if failures is not None:
        problem = failing_problem(failures, facts.desired.get().names.log_group)
        yield failed(problem.message, problem.remedy)


def lag(facts: Facts) -> Finding:
    """Check how long an event takes until the cache is up to date."""
    owned_function(facts)
    statistics = facts.statistics.get()
    if statistics.mean_lag is None:
        return skipped("no event in the last 24 hours")
    longest = statistics.longest_lag or statistics.mean_lag
    evidence = (
        f"events of the last 24 hours took {statistics.mean_lag / 1000:,.1f} s on average,"
        f" at most {longest / 1000:,.1f} s"
    )
    if statistics.mean_lag < SLOW:
        return ok(evidence)
    remedy = "see the checks function, cache, capacity and failed_events; more maximum_concurrency may help"
    return warning(evidence, remedy)
