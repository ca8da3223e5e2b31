"""What an examination reads of an installation in which everything is right, and changes of it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.desired.tags import ROLE_TAG
from pypicloud_s3sync.deploy.models import CacheTables, DeliveryResources, Identity
from pypicloud_s3sync.deploy.replication.models import Encryption
from pypicloud_s3sync.deploy.state.metrics import Interval, Statistics
from pypicloud_s3sync.doctor.examination import FUNCTIONS
from pypicloud_s3sync.doctor.models import (
    BucketFacts,
    Decision,
    Destination,
    Fact,
    Facts,
    Finding,
    Probe,
    Sample,
)
from pypicloud_s3sync.doctor.replication import Replication, parse
from pypicloud_s3sync.doctor.unread import unread
from pypicloud_s3sync.exceptions import AwsError, S3SyncError
from support.fakes import ACCOUNT, BUCKET, REGION, deployed, make_desired, make_settings, not_none

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
OTHER = "packages-eu"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/replication"
ENABLED = {"Status": "Enabled"}
DELIVERY = deployed(make_desired()).delivery_resources
#: The names of the checks as users know them, in the order in which they are reported.
CHECKS = (
    *("credentials", "bucket", "versioning", "replication", "delete_markers", "encryption"),
    *("notification", "function", "runtime", "bundle", "role", "cache", "capacity"),
    *("failed_events", "lag", "canary"),
)


def rule(destination: str = OTHER, **changes: Any) -> dict[str, Any]:
    """Return a rule as S3 returns it; a change to None removes a field."""
    whole = {
        "ID": f"to-{destination}",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": ENABLED,
        "SourceSelectionCriteria": {"ReplicaModifications": ENABLED},
        "Destination": {"Bucket": f"arn:aws:s3:::{destination}"},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def rules(*given: dict[str, Any]) -> Fact[Replication | None]:
    """Return the replication of a bucket with these rules."""
    return Fact(parse({"Role": ROLE, "Rules": list(given)}))


def back(**changes: Any) -> dict[str, Fact[Destination]]:
    """Return the other bucket, which replicates back."""
    replication = parse({"Role": ROLE, "Rules": [rule(BUCKET, **changes)]})
    return {OTHER: Fact(Destination(True, "Enabled", replication))}


def sample(status: str = "COMPLETED", age: float = 0, **changes: Any) -> Sample:
    """Return a file that was uploaded some hours ago."""
    return Sample("a/b-1.0.tar.gz", NOW - datetime.timedelta(hours=age), status, **changes)


def facts(settings: dict[str, str | None] | None = None, **changes: Any) -> Facts:
    """Return the facts of an installation in which everything is right, with some changes.

    Parameters
    ----------
    settings : dict, optional
        Changes of the settings.
    **changes : object
        Facts: a value stands for a fact of this value, an error for one that could not be read.
    """
    given = settings or {}
    desired = make_desired(**given)
    seen = deployed(desired)
    function = not_none(seen.function)
    role = None if desired.role is None else replace(desired.role, unique_id="AROA1")
    values: dict[str, Any] = {
        "identity": Identity(ACCOUNT, "aws", f"arn:aws:iam::{ACCOUNT}:user/operator"),
        "tables_account": None,
        "bucket": BucketFacts(REGION),
        "region": REGION,
        "versioning": "Enabled",
        "replication": rules(rule()),
        "has_replication_role": True,
        "encryption": Encryption("AES256"),
        "samples": (sample(), sample("REPLICA")),
        "fingerprint": desired.fingerprint,
        "desired": desired,
        "function": replace(function, tags={**function.tags, ROLE_TAG: "AROA1"}),
        "role": role,
        "statements": seen.statements,
        "notifications": seen.notifications,
        "delivery": seen.delivery_resources,
        "decisions": (Decision("s3:GetObject", f"arn:aws:s3:::{BUCKET}/x", "allowed"),),
        "tables": CacheTables(on_demand=True),
        "scaled": frozenset(),
        "cache": 0.012,
        "probe": Probe(200),
        "intervals": (),
        "statistics": Statistics(0, 1200.0, 3400.0),
        "ages": {},
        "published": seen.published,
    }
    by_bucket: dict[str, Any] = {"destinations": back(), "object_locks": {}}
    known: dict[str, Any] = {
        name: _fact(value) for name, value in (values | changes).items() if name not in by_bucket
    }
    return Facts(
        settings=make_settings(**given),
        now=NOW,
        **{name: changes.get(name, value) for name, value in by_bucket.items()},
        **known,
    )


def queues_with(messages: int, failed: int = 0) -> DeliveryResources:
    """Return the resources of the delivery with messages in the queues."""
    return replace(
        DELIVERY,
        queue=replace(not_none(DELIVERY.queue), messages=messages),
        dead_letters=replace(not_none(DELIVERY.dead_letters), messages=failed),
    )


def interval(**changes: int) -> Interval:
    """Return the events of some minutes ago."""
    return Interval(int(NOW.timestamp()) - 600, **changes)


def _fact(value: Any) -> Fact[Any]:
    if isinstance(value, Fact):
        return value
    return Fact(error=value) if isinstance(value, S3SyncError) else Fact(value)


#: The function of facts().
FUNCTION = not_none(facts().function.value)


def function_with(**changes: Any) -> Any:
    """Return the function with some changes."""
    return replace(FUNCTION, **changes)


def finding(check: str, given: Facts) -> Finding:
    """Return the finding of one check."""
    try:
        return FUNCTIONS[check](given)
    except S3SyncError as error:
        return unread(error)


def denied(action: str) -> AwsError:
    """Return the error of a call that AWS denied."""
    return AwsError(
        f"AccessDenied for {action} on it: allow it for the caller in IAM", "AccessDenied", action
    )


def cases(table: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return the cases of a table, each named by its check and its evidence, the last text but the remedy."""
    return [pytest.param(case, id=f"{case[0]}-{case[3 if len(case) > 3 else 2][:50]}") for case in table]


def assert_wrong(check: str, given: Facts, state: str, evidence: str, remedy: str) -> None:
    """Assert that a check finds what is wrong, and says what to do."""
    found = finding(check, given)
    assert (found.state, evidence in found.evidence, remedy in found.remedy) == (state, True, True), found
    assert bool(found.remedy) or state == "skipped"


def assert_right(check: str, given: Facts, evidence: str) -> None:
    """Assert that a check finds nothing wrong, and shows its evidence."""
    found = finding(check, given)
    assert (found.state, evidence in found.evidence) == ("ok", True), found
