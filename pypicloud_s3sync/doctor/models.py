"""Define the data classes of an examination: the facts that were read, and the findings."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from ..config.settings import SyncSettings
from ..deploy.models import CacheTables, DeliveryResources, Desired, Function, Identity, Parameter, Role
from ..deploy.replication.models import Encryption
from ..deploy.snap_start import Published
from ..deploy.state.metrics import Interval, Statistics
from ..exceptions import S3SyncError
from .replication import Replication

#: The further regions whose buckets are read at most.
MOST_DESTINATIONS = 8

T = TypeVar("T")


class State(enum.StrEnum):
    """The result of a check."""

    OK = "ok"
    #: It works, but needs attention, or it could not be looked at.
    WARNING = "warning"
    FAILED = "failed"
    #: It does not concern these settings, or something else has to be repaired first.
    SKIPPED = "skipped"


#: The states, the worst one last.
_ORDER = (State.SKIPPED, State.OK, State.WARNING, State.FAILED)


@dataclass(frozen=True)
class Finding:
    """A state, what it follows from, and what to do about it; ``remedy`` is empty if nothing is."""

    state: State
    evidence: str
    remedy: str = ""


def ok(evidence: str) -> Finding:
    """Return the finding that a precondition holds."""
    return Finding(State.OK, evidence)


def warning(evidence: str, remedy: str) -> Finding:
    """Return the finding that something works, but needs attention."""
    return Finding(State.WARNING, evidence, remedy)


def failed(evidence: str, remedy: str) -> Finding:
    """Return the finding that a precondition does not hold."""
    return Finding(State.FAILED, evidence, remedy)


def skipped(evidence: str, remedy: str = "") -> Finding:
    """Return the finding that there was nothing to look at."""
    return Finding(State.SKIPPED, evidence, remedy)


def combined(findings: Iterable[Finding]) -> Finding:
    """Return one finding for several: the worst state, with the evidence and the remedies of all.

    Parameters
    ----------
    findings : iterable of Finding
        At least one.
    """
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding.state), reverse=True)
    evidence = dict.fromkeys(finding.evidence for finding in ordered if finding.evidence)
    remedies = dict.fromkeys(finding.remedy for finding in ordered if finding.remedy)
    return Finding(ordered[0].state, "; ".join(evidence), "; ".join(remedies))


@dataclass(frozen=True)
class Check:
    """A finding with the name of its check."""

    check: str
    finding: Finding

    @property
    def document(self) -> dict[str, Any]:
        """The check as JSON."""
        found = self.finding
        return {
            "check": self.check,
            "state": found.state.value,
            "evidence": found.evidence,
            "remedy": found.remedy,
        }


@dataclass(frozen=True)
class Examination:
    """All checks, in order."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether no check failed; warnings do not count."""
        return all(check.finding.state is not State.FAILED for check in self.checks)

    def document(self) -> dict[str, Any]:
        """Return the examination as JSON."""
        return {"healthy": self.healthy, "checks": [check.document for check in self.checks]}


@dataclass(frozen=True)
class Fact(Generic[T]):
    """A value that was read, or the error of reading it."""

    value: T | None = None
    error: S3SyncError | None = None

    def get(self) -> T:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast(T, self.value)  # T itself may be optional

    @property
    def known(self) -> T | None:
        """The value, or None if it could not be read."""
        return self.value if self.error is None else None


@dataclass(frozen=True)
class BucketFacts:
    """The bucket: its region, None if it does not exist, and whether it belongs to another account."""

    region: str | None
    is_foreign: bool = False


@dataclass(frozen=True)
class Destination:
    """The bucket to which a rule replicates, as far as it may be read.

    ``replication`` is None if it replicates nowhere.
    """

    exists: bool
    versioning: str = ""
    replication: Replication | None = None


@dataclass(frozen=True)
class Sample:
    """A package file whose replication was looked at; ``status`` is empty if S3 reports none."""

    key: str
    modified: datetime.datetime
    status: str
    encryption: str = ""


@dataclass(frozen=True)
class Decision:
    """Whether the function's role may perform an action on a resource, as IAM simulates it."""

    action: str
    resource: str
    decision: str

    @property
    def is_allowed(self) -> bool:
        """Whether IAM allows it."""
        return self.decision == "allowed"


@dataclass(frozen=True)
class Probe:
    """The time of an event for a file that does not exist; ``error`` is empty if it was handled."""

    milliseconds: int
    error: str = ""


@dataclass(frozen=True)
class Facts:
    """All that was read. What depends on something that could not be read has that as its error."""

    settings: SyncSettings
    now: datetime.datetime
    identity: Fact[Identity]
    tables_account: Fact[str | None]
    bucket: Fact[BucketFacts]
    region: Fact[str]
    versioning: Fact[str]
    replication: Fact[Replication | None]
    has_replication_role: Fact[bool]
    destinations: Mapping[str, Fact[Destination]]
    encryption: Fact[Encryption | None]
    samples: Fact[Sequence[Sample]]
    fingerprint: Fact[str]
    desired: Fact[Desired]
    function: Fact[Function | None]
    role: Fact[Role | None]
    statements: Fact[tuple[Mapping[str, Any], ...]]
    notifications: Fact[Mapping[str, Any]]
    delivery: Fact[DeliveryResources]
    decisions: Fact[Sequence[Decision]]
    tables: Fact[CacheTables]
    scaled: Fact[frozenset[str]]
    cache: Fact[float]
    probe: Fact[Probe | None]
    intervals: Fact[Sequence[Interval]]
    statistics: Fact[Statistics]
    #: Whether each bucket has Object Lock: this one, and if it has it, those to which it replicates.
    object_locks: Mapping[str, Fact[bool]] = field(default_factory=dict)
    ages: Fact[Mapping[str, int]] = field(default_factory=lambda: Fact({}))
    published: Fact[Published | None] = field(default_factory=lambda: Fact(None))
    parameter: Fact[Parameter | None] = field(default_factory=lambda: Fact(None))
    secret_key: Fact[str | None] = field(default_factory=lambda: Fact(None))
