"""All checks together: their order, their document, and what waits for the credentials."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pypicloud_s3sync.doctor.examination import examine, report
from pypicloud_s3sync.doctor.models import (
    BucketFacts,
    Check,
    Fact,
    State,
    ok,
)
from pypicloud_s3sync.exceptions import AwsError, NotReadError
from support.examinations import CHECKS, facts


def test_everything_is_right() -> None:
    checks = examine(facts())
    assert [(check.check, check.finding.state) for check in checks] == [
        (name, State.OK) for name in CHECKS if name != "canary"
    ]
    assert not any(check.finding.remedy for check in checks)
    assert all(check.finding.evidence for check in checks)


def test_without_credentials_all_but_the_cache_wait_for_them() -> None:
    missing = NotReadError("not looked at: the credentials do not work")
    without = facts(identity=AwsError("no AWS credentials for x: y"))
    known = {"settings", "now", "destinations", "identity", "cache", "tables_account"}
    unknown: dict[str, Any] = {name: Fact(error=missing) for name in vars(without) if name not in known}
    checks = examine(replace(without, **unknown))
    states = {check.check: check.finding.state for check in checks}
    assert states.pop("credentials") == "failed"
    assert states.pop("cache") == "ok"
    assert set(states.values()) == {State.SKIPPED}


def test_the_document_has_every_check_in_order_and_no_secret() -> None:
    checks = [*examine(facts()), Check("canary", ok("sent with the password hunter2"))]
    document = report(checks, ["hunter2"]).document()
    assert [check["check"] for check in document["checks"]] == list(CHECKS)
    assert document["healthy"] is True
    assert set(document["checks"][0]) == {"check", "state", "evidence", "remedy"}
    assert "hunter2" not in json.dumps(document)


def test_warnings_leave_it_healthy_and_a_failure_does_not() -> None:
    assert report(examine(facts(versioning="", replication=None)), []).healthy
    assert not report(examine(facts(bucket=BucketFacts(None))), []).healthy
