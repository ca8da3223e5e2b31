"""Planning the actions on the permission and the notification of a direct delivery."""

from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.models import Observed
from pypicloud_s3sync.deploy.plan.planner import plan_enable
from support.fakes import ACCOUNT, BUCKET, deployed, make_desired, not_none, permission_statement
from support.notifications import for_functions, with_filter
from support.plans import DESIRED, ENTRY, OTHER_ARN, calls, only_action

BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"


# The permission


def with_statement(**changes: Any) -> Observed:
    """Return AWS with another statement in the function's policy."""
    return deployed(DESIRED, statements=({**permission_statement(DESIRED), **changes},))


def condition(**operators: dict[str, str]) -> dict[str, Any]:
    return {"Condition": operators}


EQUIVALENT_STATEMENTS: dict[str, dict[str, Any]] = {
    "as Lambda spells it": {},
    "one operator": condition(
        StringEquals={"aws:SourceArn": BUCKET_ARN, "aws:SourceAccount": ACCOUNT},
    ),
    "lower case": condition(
        StringEquals={"aws:sourceaccount": ACCOUNT},
        ArnLike={"aws:sourcearn": BUCKET_ARN},
    ),
    "principal as a string": {"Principal": "s3.amazonaws.com"},
}
DIFFERENT_STATEMENTS: dict[str, dict[str, Any]] = {
    "no SourceAccount": condition(ArnLike={"AWS:SourceArn": BUCKET_ARN}),
    "no SourceArn": condition(StringEquals={"AWS:SourceAccount": ACCOUNT}),
    "no condition": {"Condition": {}},
    "another bucket": condition(
        StringEquals={"AWS:SourceAccount": ACCOUNT}, ArnLike={"AWS:SourceArn": f"{BUCKET_ARN}-2"}
    ),
    "another account": condition(
        StringEquals={"AWS:SourceAccount": "444455556666"}, ArnLike={"AWS:SourceArn": BUCKET_ARN}
    ),
    "an additional condition": condition(
        StringEquals={"AWS:SourceAccount": ACCOUNT, "aws:PrincipalOrgID": "o-1"},
        ArnLike={"AWS:SourceArn": BUCKET_ARN},
    ),
    "any action": {"Action": "lambda:*"},
    "another service": {"Principal": {"Service": "sns.amazonaws.com"}},
    "everyone": {"Principal": "*"},
    "denied": {"Effect": "Deny"},
}


@pytest.mark.parametrize("changes", EQUIVALENT_STATEMENTS.values(), ids=EQUIVALENT_STATEMENTS)
def test_a_permission_with_another_spelling_is_left_alone(changes: dict[str, Any]) -> None:
    assert plan_enable(DESIRED, with_statement(**changes)).in_sync


@pytest.mark.parametrize("changes", DIFFERENT_STATEMENTS.values(), ids=DIFFERENT_STATEMENTS)
def test_a_permission_that_differs_is_replaced(changes: dict[str, Any]) -> None:
    action = only_action(plan_enable(DESIRED, with_statement(**changes)))
    assert (action.verb, action.call) == ("update", "permission.replace")
    assert action.arguments == {"permission": DESIRED.permission}


def test_a_statement_with_another_id_is_enough_if_it_permits_the_same() -> None:
    """CloudFormation chooses the ids of its statements."""
    chosen = {**permission_statement(DESIRED), "Sid": "stack-Permission-1A2B3C"}
    assert plan_enable(DESIRED, deployed(DESIRED, statements=(chosen,))).in_sync


def test_foreign_statements_make_no_difference() -> None:
    foreign = {**permission_statement(DESIRED), "Sid": "foreign", "Action": "lambda:GetFunction"}
    own = permission_statement(DESIRED)
    assert plan_enable(DESIRED, deployed(DESIRED, statements=(foreign, own))).in_sync
    assert calls(plan_enable(DESIRED, deployed(DESIRED, statements=(foreign,)))) == ["permission.add"]


# The notification


@pytest.mark.parametrize(
    "change",
    [
        {"Filter": {}},
        {"Filter": {"Key": {"FilterRules": []}}},
        {"Events": list(reversed(ENTRY["Events"]))},
    ],
    ids=str,
)
def test_a_notification_with_another_spelling_is_left_alone(change: dict[str, Any]) -> None:
    observed = deployed(DESIRED, notifications=for_functions({**ENTRY, **change}))
    assert plan_enable(DESIRED, observed).in_sync


def test_a_capitalized_filter_rule_is_left_alone() -> None:
    desired = make_desired(storage__prefix="pkgs/")
    entry = {**not_none(desired.subscription.entry), **with_filter(Prefix="pkgs/")}
    assert plan_enable(desired, deployed(desired, notifications=for_functions(entry))).in_sync


@pytest.mark.parametrize(
    "change",
    [
        {"Events": ["s3:ObjectCreated:*"]},
        {"Events": [*ENTRY["Events"], "s3:ObjectTagging:*"]},
        with_filter(prefix="x/"),
    ],
    ids=["fewer events", "more events", "a prefix"],
)
def test_a_notification_that_differs_is_updated_and_shown(change: dict[str, Any]) -> None:
    before = {**ENTRY, **change}
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, notifications=for_functions(before))))
    assert (action.verb, action.call) == ("update", "notification.put")
    assert action.changes[0].before == [before]
    assert action.changes[0].after == ENTRY


def test_the_two_entries_of_pypicloud_are_replaced_and_shown() -> None:
    entries = [
        {"Id": "a", "LambdaFunctionArn": DESIRED.function.arn, "Events": ["s3:ObjectCreated:*"]},
        {"Id": "b", "LambdaFunctionArn": DESIRED.function.arn, "Events": ["s3:ObjectRemoved:*"]},
    ]
    action = only_action(plan_enable(DESIRED, deployed(DESIRED, notifications=for_functions(*entries))))
    assert (action.verb, action.call) == ("update", "notification.put")
    assert action.changes[0].before == entries


def test_foreign_notifications_make_no_difference() -> None:
    foreign = {"Id": "x", "LambdaFunctionArn": OTHER_ARN, "Events": ["s3:ObjectTagging:*"]}
    observed = {**for_functions(foreign, dict(ENTRY)), "EventBridgeConfiguration": {}}
    assert plan_enable(DESIRED, deployed(DESIRED, notifications=observed)).in_sync
