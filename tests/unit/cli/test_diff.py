"""What people see of each change of a plan: what differs, and no hashes."""

from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.cli.diff import diff
from pypicloud_s3sync.deploy.desired.tags import BUNDLE_TAG, bundle_tag
from pypicloud_s3sync.deploy.plan.planner import plan_enable
from pypicloud_s3sync.deploy.state.plan_document import plan_document
from support.plans import DESIRED, FUNCTION, with_tags


def lines(*changes: tuple[str, Any, Any], verb: str = "update", **more: Any) -> list[str]:
    fields = [{"field": field, "before": before, "after": after} for field, before, after in changes]
    return [f"{sign} {line}".strip() for sign, line in diff({"verb": verb, "changes": fields, **more})]


def policy(**elements: Any) -> dict[str, Any]:
    statement = {
        "Sid": "Events",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "arn:q",
        "Condition": {"StringEquals": {"aws:SourceAccount": "1"}},
        **elements,
    }
    return {"Statement": [{name: value for name, value in statement.items() if value is not None}]}


SENDS = "sqs:SendMessage"
TO_S3 = "Principal Service s3.amazonaws.com"
IN_ACCOUNT = "Condition StringEquals aws:SourceAccount 1"
LINE = f"Allow {SENDS}  arn:q  {TO_S3}  {IN_ACCOUNT}"


@pytest.mark.parametrize(
    ("elements", "line"),
    [
        ({"Effect": "Deny"}, f"Deny {SENDS}  arn:q  {TO_S3}  {IN_ACCOUNT}"),
        ({"Principal": "*"}, f"Allow {SENDS}  arn:q  Principal *  {IN_ACCOUNT}"),
        (
            {"Principal": {"AWS": ["arn:a", "arn:b"]}},
            f"Allow {SENDS}  arn:q  Principal AWS arn:a, arn:b  {IN_ACCOUNT}",
        ),
        (
            {"Principal": None, "NotPrincipal": {"AWS": "arn:a"}},
            f"Allow {SENDS}  arn:q  {IN_ACCOUNT}  NotPrincipal AWS arn:a",
        ),
        ({"Condition": None}, f"Allow {SENDS}  arn:q  {TO_S3}"),
        (
            {"Condition": {"ArnLike": {"aws:SourceArn": "arn:*"}}},
            f"Allow {SENDS}  arn:q  {TO_S3}  Condition ArnLike aws:SourceArn arn:*",
        ),
        (
            {"Action": None, "NotAction": ["sqs:A", "sqs:B"]},
            f"Allow  arn:q  {TO_S3}  {IN_ACCOUNT}  NotAction sqs:A, sqs:B",
        ),
        (
            {"Resource": None, "NotResource": "arn:r"},
            f"Allow {SENDS}  {TO_S3}  {IN_ACCOUNT}  NotResource arn:r",
        ),
    ],
    ids=str,
)
def test_statements_that_differ_in_one_element_are_shown_as_lines_that_differ(
    elements: dict[str, Any], line: str
) -> None:
    shown = lines(("Policy", policy(**elements), policy()))
    assert shown == [f"- Policy: {line}", f"+ Policy: {LINE}"]


def test_statements_that_differ_in_their_ids_only_are_shown_with_them() -> None:
    shown = lines(("Policy", policy(Sid="Old"), policy(Sid="New")))
    assert [line for line in shown if line[0] in "+-"] == [
        '-         "Sid": "Old"',
        '+         "Sid": "New"',
    ]


def test_a_single_statement_is_read_as_a_list_of_one() -> None:
    (statement,) = policy()["Statement"]
    assert lines(("Policy", None, {"Statement": statement}), verb="create") == [f"+ Policy: {LINE}"]


# The code


@pytest.mark.parametrize(
    ("tag", "force", "before", "after"),
    [
        (bundle_tag("0" * 64, str(FUNCTION.code_sha256)), False, "older than the server's", "current"),
        (bundle_tag(DESIRED.fingerprint, "another"), False, "not deployed by this tool", "current"),
        ("", False, "not deployed by this tool", "current"),
        (FUNCTION.tags[BUNDLE_TAG], True, "current", "current, uploaded again"),
    ],
    ids=["older", "another upload", "without a tag", "force"],
)
def test_the_code_is_named_by_its_age_and_not_by_hashes(
    tag: str, force: bool, before: str, after: str
) -> None:
    observed = with_tags("function", {**FUNCTION.tags, BUNDLE_TAG: tag})
    document = plan_document(plan_enable(DESIRED, observed, force=force), "enable")
    (action,) = [action for action in document["actions"] if action["resource"] == "code"]
    assert {change["field"] for change in action["changes"]} <= {"fingerprint", "CodeSha256"}
    assert [f"{sign} {line}" for sign, line in diff(action)] == [f"- code: {before}", f"+ code: {after}"]


def test_another_architecture_is_shown_beside_the_code() -> None:
    change = ("Architectures", ["x86_64"], ["arm64"])
    assert lines(("CodeSha256", "a", "rebuilt"), change, code="older") == [
        "- code: older than the server's",
        "+ code: current",
        '- Architectures: ["x86_64"]',
        '+ Architectures: ["arm64"]',
    ]
