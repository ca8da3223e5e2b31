"""The checks of the notification, the function, its runtime and its code, with all that can be wrong."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.deploy.snap_start import ALIAS, Alias
from pypicloud_s3sync.deploy.state.metrics import Statistics
from pypicloud_s3sync.doctor.models import (
    Facts,
)
from pypicloud_s3sync.exceptions import NotReadError
from support.examinations import (
    DELIVERY,
    FUNCTION,
    assert_right,
    assert_wrong,
    cases,
    denied,
    facts,
    function_with,
)
from support.fakes import ACCOUNT, BUCKET, REGION, deployed, make_desired, not_none

DESIRED = make_desired()
DEPLOYED = deployed(DESIRED)
EVENTBRIDGE = make_desired(s3sync__delivery="eventbridge")
RULE_GONE = replace(deployed(EVENTBRIDGE).delivery_resources, rule=None)
QUEUE, MAPPING = not_none(DELIVERY.queue), not_none(DELIVERY.mapping)
#: The queue without the policy by which S3 and EventBridge may send to it.
CLOSED = replace(DELIVERY, queue=replace(QUEUE, attributes={**QUEUE.attributes, "Policy": None}))


def foreign(prefix: str = "") -> dict[str, Any]:
    """Return a notification of someone else."""
    rules = [{"Name": "prefix", "Value": prefix}] if prefix else []
    return {
        "Id": "thumbnails",
        "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:thumbnails",
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }


SNAP_START: dict[str, str | None] = {"s3sync__snap_start": "true"}
PUBLISHED = not_none(deployed(make_desired(**SNAP_START)).published)


def snap_start(**changes: Any) -> Facts:
    """Return the facts of an installation with SnapStart, with other versions or another alias."""
    return facts(SNAP_START, published=replace(PUBLISHED, **changes))


#: The check, what is wrong, its state, and parts of its evidence and its remedy.
WRONG: list[tuple[str, Facts, str, str, str]] = [
    (
        "function",
        snap_start(aliases=()),
        *("failed", "the alias sync:pypicloud-s3sync does not exist", "`ppc-s3sync enable`"),
    ),
    (
        "function",
        snap_start(aliases=(Alias(ALIAS, "7"),)),
        *("warning", "the alias sync:pypicloud-s3sync differs (version)", "`ppc-s3sync plan`"),
    ),
    (
        "function",
        snap_start(state="Failed", failure="no KMS key"),
        *("failed", "the version of the alias cannot run: no KMS key", "`ppc-s3sync enable`"),
    ),
    (
        "function",
        snap_start(state="Inactive"),
        *("warning", "was idle for two weeks, so Lambda deleted its snapshot", "nothing: the next event"),
    ),
    (
        "function",
        facts(SNAP_START, published=denied("lambda:ListAliases")),
        *("warning", "unknown: AccessDenied for lambda:ListAliases", '"lambda:ListAliases"'),
    ),
    (
        "notification",
        snap_start(statements=()),
        *("failed", "S3 may not invoke the function", "`ppc-s3sync enable`"),
    ),
    (
        "notification",
        facts(statements=denied("lambda:GetPolicy"), delivery=NotReadError("the function is unknown")),
        *("warning", "unknown: AccessDenied for lambda:GetPolicy", '"lambda:GetPolicy"'),
    ),
    (
        "notification",
        facts(notifications={}),
        *("failed", f"the bucket {BUCKET} has no notification for the function", "`ppc-s3sync enable`"),
    ),
    (
        "notification",
        facts(settings={"storage__prefix": "pypi/"}, notifications=DEPLOYED.notifications),
        *("failed", "differs from what it needs", "`ppc-s3sync enable`"),
    ),
    (
        "notification",
        facts(notifications={**DEPLOYED.notifications, "TopicConfigurations": [foreign()]}),
        *("failed", "takes the same events", "narrow or remove that notification"),
    ),
    ("notification", facts(statements=()), "failed", "S3 may not invoke the function", "`ppc-s3sync enable`"),
    (
        "notification",
        facts(settings={"s3sync__delivery": "eventbridge"}, delivery=RULE_GONE),
        *("failed", f"the rule {EVENTBRIDGE.names.rule} does not exist", "`ppc-s3sync plan`"),
    ),
    (
        "notification",
        facts(delivery=replace(DELIVERY, queue=None)),
        *("failed", f"the queue {DESIRED.names.queue} does not exist", "`ppc-s3sync plan`"),
    ),
    (
        "notification",
        facts(settings={"s3sync__delivery": "sqs"}, delivery=CLOSED),
        *("failed", f"the queue {DESIRED.names.queue} differs (Policy)", "`ppc-s3sync enable`"),
    ),
    (
        "notification",
        facts(delivery=CLOSED),
        *("warning", f"the queue {DESIRED.names.queue} differs (Policy)", "`ppc-s3sync enable`"),
    ),
    (
        "function",
        facts(
            delivery=replace(
                DELIVERY,
                mapping=replace(
                    MAPPING, configuration={**MAPPING.configuration, "FunctionResponseTypes": []}
                ),
            )
        ),
        *("failed", "so Lambda deletes events that failed", "`ppc-s3sync enable`"),
    ),
    (
        "function",
        facts(
            delivery=replace(
                DELIVERY, mapping=replace(MAPPING, configuration={**MAPPING.configuration, "BatchSize": 1})
            )
        ),
        *("warning", "differs from the settings (BatchSize)", "`ppc-s3sync plan`"),
    ),
    ("function", facts(function=None), "failed", "S3 sync is off", "`ppc-s3sync enable`"),
    (
        "function",
        facts(function=function_with(tags={})),
        "failed",
        "was not created by this tool",
        "enable -f",
    ),
    (
        "function",
        facts(function=function_with(tags={"pypicloud-s3sync:bucket": "other"})),
        *("failed", "serves the bucket other", "choose another name with -n"),
    ),
    (
        "function",
        facts(function=function_with(state="Failed", failure="the subnet is gone")),
        *("failed", "the function cannot run: the subnet is gone", "remove the cause"),
    ),
    ("function", facts(function=function_with(state="Inactive")), "warning", "made it inactive", "--canary"),
    (
        "function",
        facts(function=function_with(state="Pending")),
        "warning",
        "the function is pending",
        "a minute",
    ),
    (
        "function",
        facts(function=function_with(reserved_concurrency=0)),
        *("failed", "is 0, so Lambda never runs it", "delete-function-concurrency"),
    ),
    (
        "function",
        facts(delivery=replace(DELIVERY, mapping=None)),
        *("failed", "its event source mapping is missing", "`ppc-s3sync enable`"),
    ),
    (
        "function",
        facts(
            delivery=replace(
                DELIVERY,
                mapping=replace(not_none(DELIVERY.mapping), configuration={"Enabled": False}),
            )
        ),
        *("failed", "is disabled", "run enable"),
    ),
    (
        "function",
        facts(statistics=Statistics(throttles=1234)),
        *("warning", "throttled 1,234 invocations", "quota of concurrent executions"),
    ),
    (
        "function",
        facts(function=function_with(configuration={**FUNCTION.configuration, "Timeout": 3})),
        *("warning", "differs from the settings (timeout)", "`ppc-s3sync plan`"),
    ),
    ("function", facts(function=denied("lambda:GetFunction")), "warning", "unknown:", '"lambda:GetFunction"'),
    (
        "runtime",
        facts(function=function_with(configuration={**FUNCTION.configuration, "Runtime": "python3.8"})),
        *("failed", "has the runtime python3.8, on which this version does not run", "enable`"),
    ),
    (
        "runtime",
        replace(facts(), now=datetime.datetime(2028, 1, 1, tzinfo=datetime.UTC)),
        *("warning", "Lambda deprecates the runtime python3.12 on 2028-10-31", "set s3sync.runtime"),
    ),
    (
        "runtime",
        replace(facts(), now=datetime.datetime(2029, 2, 1, tzinfo=datetime.UTC)),
        *("failed", "has deprecated the runtime python3.12", "set s3sync.runtime to a newer one, then run"),
    ),
    ("runtime", facts(function=None), "skipped", "there is no function sync", ""),
    ("bundle", facts(fingerprint="others"), "warning", "other versions than", "`ppc-s3sync enable`"),
    (
        "bundle",
        facts(function=function_with(code_sha256="by hand")),
        *("warning", "was not deployed by this tool", "replaces it"),
    ),
]
#: The check, what is right in another way, and a part of the evidence.
RIGHT: list[tuple[str, Facts, str]] = [
    ("function", facts(SNAP_START), "its alias points to version 1, active"),
    (
        "notification",
        facts(
            notifications={
                **DEPLOYED.notifications,
                "TopicConfigurations": [{**foreign(), "Events": ["s3:ObjectTagging:*"]}],
            }
        ),
        "; 1 other notification",
    ),
    ("notification", facts(settings={"s3sync__delivery": "eventbridge"}), "sends its events to EventBridge"),
    ("notification", facts(settings={"s3sync__delivery": "sqs"}), ":sqs:"),
    ("function", facts(role=denied("iam:GetRole")), "active, 512 MB, 60 s"),
    ("runtime", facts(), "python3.12, which Lambda deprecates on 2028-10-31"),
]


@pytest.mark.parametrize("case", cases(WRONG))
def test_what_is_wrong_is_found_with_what_to_do(case: tuple[str, Facts, str, str, str]) -> None:
    assert_wrong(*case)


@pytest.mark.parametrize("case", cases(RIGHT))
def test_what_is_right_is_shown_with_its_evidence(case: tuple[str, Facts, str]) -> None:
    assert_right(*case)
