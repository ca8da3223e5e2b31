"""Run the checks on the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..exceptions import S3SyncError
from ..sync.masking import mask
from .checks import access, cache, events, function, replication, role
from .models import Check, Examination, Facts, Finding
from .unread import unread

#: The function of each check, in the order of the report. The canary is no judgment of what was read.
FUNCTIONS: Mapping[str, Callable[[Facts], Finding]] = {
    "credentials": access.credentials,
    "bucket": access.bucket,
    "versioning": replication.versioning,
    "replication": replication.replication,
    "delete_markers": replication.delete_markers,
    "encryption": replication.encryption,
    "notification": function.notification,
    "function": function.function,
    "runtime": function.runtime,
    "bundle": function.bundle,
    "role": role.role,
    "cache": cache.cache,
    "capacity": cache.capacity,
    "failed_events": events.failed_events,
    "lag": events.lag,
}


def examine(facts: Facts) -> tuple[Check, ...]:
    """Return all checks but the canary, in order."""
    return tuple(Check(name, _find(function, facts)) for name, function in FUNCTIONS.items())


def _find(function: Callable[[Facts], Finding], facts: Facts) -> Finding:
    try:
        return function(facts)
    except S3SyncError as error:
        return unread(error)


def report(checks: Iterable[Check], secrets: Iterable[str]) -> Examination:
    """Return the examination, without the secrets that a database or AWS may have quoted."""
    known = list(secrets)
    return Examination(tuple(Check(check.check, _masked(check.finding, known)) for check in checks))


def _masked(finding: Finding, secrets: list[str]) -> Finding:
    return Finding(finding.state, mask(finding.evidence, secrets), mask(finding.remedy, secrets))
