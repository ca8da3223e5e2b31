"""The checks of failed and late events, with a table of everything that can be wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.state.metrics import Statistics
from pypicloud_s3sync.doctor.models import (
    Facts,
)
from support.examinations import (
    DELIVERY,
    assert_right,
    assert_wrong,
    cases,
    denied,
    facts,
    interval,
    queues_with,
)
from support.fakes import make_desired

DESIRED = make_desired()


#: The check, what is wrong, its state, and parts of its evidence and its remedy.
WRONG: list[tuple[str, Facts, str, str, str]] = [
    (
        "failed_events",
        facts(delivery=queues_with(0, 2), ages={"failed": 7200}),
        *("failed", "2 failed events wait in the queue", "`ppc-s3sync replay`"),
    ),
    (
        "failed_events",
        facts(delivery=replace(DELIVERY, dead_letters=None)),
        *("failed", f"the queue {DESIRED.names.dead_letters} for failed events does not", "enable`"),
    ),
    (
        "failed_events",
        facts(delivery=queues_with(3), ages={"waiting": 1000}),
        *("warning", "3 events waiting, the oldest for 1,000 s", "log group /aws/lambda/sync"),
    ),
    (
        "failed_events",
        facts(intervals=[interval(events=20, failed=20, invocations=20)]),
        *("failed", "20 of 20 events failed", "/aws/lambda/sync"),
    ),
    (
        "failed_events",
        facts(intervals=denied("cloudwatch:GetMetricData")),
        *("warning", "AccessDenied", '"cloudwatch:GetMetricData"'),
    ),
    ("lag", facts(statistics=Statistics(0, 90_000.0, 200_000.0)), "warning", "took 90.0 s", "capacity"),
    ("lag", facts(statistics=Statistics()), "skipped", "no event in the last 24 hours", ""),
    ("lag", facts(function=None), "skipped", "there is no function", ""),
]
#: The check, what is right in another way, and a part of the evidence.
RIGHT: list[tuple[str, Facts, str]] = [
    (
        "failed_events",
        facts(delivery=queues_with(1), ages={"waiting": 2}),
        "none failed, 1 event waiting, the oldest",
    ),
    ("lag", facts(), "took 1.2 s on average, at most 3.4 s"),
]


@pytest.mark.parametrize("case", cases(WRONG))
def test_what_is_wrong_is_found_with_what_to_do(case: tuple[str, Facts, str, str, str]) -> None:
    assert_wrong(*case)


@pytest.mark.parametrize("case", cases(RIGHT))
def test_what_is_right_is_shown_with_its_evidence(case: tuple[str, Facts, str]) -> None:
    assert_right(*case)
