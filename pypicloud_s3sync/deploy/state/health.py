"""Decide from counts whether the function fails; an error that a retry corrected is no failure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...config.options import Delivery
from ...config.runtimes import UPDATES_BLOCKED, updates_blocked
from ...sync.counts import count_of
from ...sync.environment import reference_in
from ...sync.secret_store import service_of
from ..models import Plan, Queue
from ..problems import ADD_MISSED, FAILING, PAUSED, SETTINGS, Problem
from .metrics import HOUR, Interval

#: Failures without any success since: the first one may still be waiting for its retry.
FAILURES = 2
#: Failures among successes matter from this number and this share of the events on.
FAILURES_OF_MANY, SHARE_OF_MANY = 10, 0.01
#: Failures of the whole day still matter from this number and share on, for some hours after the last one.
FAILURES_OF_DAY, SHARE_OF_DAY, RECENT = 100, 0.05, 3 * HOUR


@dataclass(frozen=True)
class Failing:
    """The failures of the last day, if they matter.

    Parameters
    ----------
    events, failed : int
        The numbers of a day.
    since : int
        When the failures began, in seconds since 1970.
    """

    events: int
    failed: int
    since: int

    @property
    def document(self) -> dict[str, Any]:
        """The failures as JSON."""
        return {**vars(self), "since": iso_time(self.since)}


def iso_time(seconds: float) -> str:
    """Return a time in UTC, for example ``2026-03-01T12:00:00Z``."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def failing(intervals: Sequence[Interval], now: datetime.datetime) -> Failing | None:
    """Return the failures of the last day, or None if every event was handled in the end.

    Parameters
    ----------
    intervals : sequence of Interval
        Those in which something happened, the oldest first.
    now : datetime.datetime
    """
    total = sum(intervals, Interval(0))
    since = _since(intervals, total, now)
    return None if since is None else Failing(total.events, total.failed, since)


def _since(intervals: Sequence[Interval], total: Interval, now: datetime.datetime) -> int | None:
    dropped = [interval.time for interval in intervals if interval.dropped]
    if dropped:
        return dropped[0]
    unrecovered: list[Interval] = []
    for interval in reversed(intervals):
        if interval.events and not interval.failed:
            break
        unrecovered.insert(0, interval)
    recent = sum(unrecovered, Interval(0))
    if _matters(recent, FAILURES_OF_MANY, SHARE_OF_MANY) or (
        recent.failed >= FAILURES and recent.failed == recent.events
    ):
        return next(interval.time for interval in unrecovered if interval.failed)
    failed = [interval.time for interval in intervals if interval.failed]
    if _matters(total, FAILURES_OF_DAY, SHARE_OF_DAY) and failed[-1] >= now.timestamp() - RECENT:
        return failed[0]
    return None


def _matters(interval: Interval, failures: int, share: float) -> bool:
    return interval.failed >= failures and interval.failed >= share * interval.events


def failing_problem(failures: Failing, log_group: str) -> Problem:
    """Return the problem that events fail."""
    counts = (
        f"{failures.failed:,} of {count_of(failures.events, 'event')} failed in the last 24 hours"
        if failures.failed
        else "Lambda lost events in the last 24 hours: it could not send them to the queue"
    )
    return Problem(
        FAILING,
        f"{counts}, beginning at {iso_time(failures.since)}",
        f"read the errors in the log group {log_group} and remove their cause, then {ADD_MISSED}",
    )


def queue_problem(queue: Queue | None) -> Problem | None:
    """Return the problem that events wait in the queue of failed events, or None if there are none."""
    if queue is None or not queue.messages:
        return None
    waiting = count_of(queue.messages, "failed event waits", "failed events wait")
    return Problem(
        FAILING,
        f"{waiting} in the queue {queue.name}",
        "remove the cause of the failures, then process them again with `ppc-s3sync replay` or on this page",
    )


def paused_problems(plan: Plan) -> list[Problem]:
    """Return what keeps events from being handled although every resource exists."""
    desired, observed = plan.desired, plan.observed
    names, resources = desired.names, observed.delivery_resources
    found = []
    if observed.function is not None and observed.function.reserved_concurrency == 0:
        command = f"aws lambda delete-function-concurrency --function-name {names.function}"
        message = f"the reserved concurrency of the function {names.function} is 0, so Lambda never runs it"
        remedy = f"remove it with `{command} --region {desired.region}`, then {ADD_MISSED}"
        found.append(Problem(PAUSED, message, remedy))
    mapping = None if desired.delivery_resources.mapping is None else resources.mapping
    if mapping is not None and not mapping.configuration.get("Enabled", True):
        message = f"the event source mapping of the queue {names.queue} is disabled"
        found.append(Problem(PAUSED, message, "run enable, which turns it on again"))
    if mapping is not None and mapping.has_filter:
        # https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
        message = (
            f"the event source mapping of the queue {names.queue} has a filter: Lambda deletes the events"
            " that do not match it"
        )
        command = f"aws lambda update-event-source-mapping --uuid {mapping.uuid} --filter-criteria '{{}}'"
        remedy = f"remove it with `{command} --region {desired.region}`, then {ADD_MISSED}"
        found.append(Problem(PAUSED, message, remedy))
    if mapping is not None and mapping.other_readers:
        readers = " and ".join(mapping.other_readers)
        message = f"Lambda passes events of the queue {names.queue} to {readers} as well, where they are lost"
        found.append(Problem(PAUSED, message, f"remove that event source mapping, then {ADD_MISSED}"))
    queue = resources.queue
    key = "" if queue is None else str(queue.attributes.get("KmsMasterKeyId", ""))
    if desired.delivery is not Delivery.DIRECT and key.endswith("alias/aws/sqs"):
        # Nobody can change the policy of that key, which does not name services:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
        sender = "S3" if desired.delivery is Delivery.SQS else "EventBridge"
        message = (
            f"{sender} cannot send to the queue {names.queue}, because the key alias/aws/sqs encrypts it"
        )
        remedy = f"set a key of your own on the queue, and let {sender} use it, then {ADD_MISSED}"
        found.append(Problem(PAUSED, message, remedy))
    wants_rule = desired.delivery_resources.rule is not None
    if wants_rule and resources.rule and resources.rule.state == "DISABLED":
        message = f"the EventBridge rule {names.rule} is disabled"
        found.append(Problem(PAUSED, message, f"run enable, which turns it on again, then {ADD_MISSED}"))
    return found


def runtime_problems(plan: Plan) -> list[Problem]:
    """Return the problem that Lambda refuses updates of a function with the runtime of the settings."""
    runtime = plan.desired.function.configuration["Runtime"]
    if not updates_blocked(runtime):
        return []
    since = UPDATES_BLOCKED[runtime]
    message = f"Lambda refuses updates of functions with the runtime {runtime} since {since}"
    return [Problem(SETTINGS, message, "set s3sync.runtime to a newer one, then run enable")]


def secrets_warning(plan: Plan) -> str | None:
    """Return a warning if a plan puts a function into a VPC that must let it reach its secrets."""
    configuration = plan.desired.function.configuration
    reference = reference_in(configuration["Environment"])
    changed = {
        change.field for action in plan.actions if action.resource == "function" for change in action.changes
    }
    if reference is None or not configuration["VpcConfig"]["SubnetIds"]:
        return None
    if changed.isdisjoint({"VpcConfig", "Environment"}):
        return None
    service = service_of(reference)
    return (
        f"The function reads its secrets from {service}: its subnets need an interface endpoint for"
        f" {service}, or a NAT gateway. If they have neither, set s3sync.secrets = environment"
    )
