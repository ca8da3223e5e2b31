"""If a policy lacks a permission, the error names it; the documented policies are sufficient.

The tests enforce the policies as AWS would: see :mod:`support.iam`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.cli.main import main
from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.exceptions import AwsError
from support.iam.operators import BecomeOperator, CommandLine, become_operator
from support.policies import actions_of, without
from support.sites import NOTHING, Site

__all__ = ["become_operator"]

pytestmark = pytest.mark.untraced

OPERATOR_POLICY = Path(__file__).parents[1] / "policies" / "operator_policy.json"
#: The actions that enable needs, with the resource that a message names: that of the call, or AWS's own if
#: the call needs a further right.
NEEDED_TO_ENABLE = {
    "s3:ListBucket": "the bucket {bucket}",
    "dynamodb:DescribeTable": "the table DynamoPackage",
    "iam:GetRole": "the role {role}",
    "logs:DescribeLogGroups": "the log group /aws/lambda/{function}",
    "lambda:GetFunction": "the function {function}",
    "lambda:GetPolicy": "the function {function}",
    "s3:GetBucketNotification": "the bucket {bucket}",
    "iam:CreateRole": "the role {role}",
    "iam:TagRole": "{arn}:role/pypicloud-s3sync/{role}",
    "iam:PutRolePolicy": "the role {role}",
    "logs:CreateLogGroup": "the log group /aws/lambda/{function}",
    "logs:TagResource": "the log group /aws/lambda/{function}",
    "logs:PutRetentionPolicy": "the log group /aws/lambda/{function}",
    "lambda:CreateFunction": "the function {function}",
    "lambda:TagResource": "{arn}:function:{function}",
    "iam:PassRole": "{arn}:role/pypicloud-s3sync/{role}",
    "lambda:AddPermission": "the function {function}",
    "s3:PutBucketNotification": "the bucket {bucket}",
}
#: The actions on queues and their mapping that are needed to enable, update and disable.
NEEDED_FOR_QUEUES = [
    *("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListQueueTags", "lambda:ListEventSourceMappings"),
    *("sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:DeleteQueue"),
    *(f"lambda:{verb}EventSourceMapping" for verb in ("Create", "Delete", "Update")),
]
#: The actions on messages, which only replay and reconcile need.
ON_MESSAGES = {
    f"sqs:{verb}" for verb in ("ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage", "SendMessage")
}
#: The further actions that delivery through EventBridge needs.
NEEDED_FOR_EVENTBRIDGE = [
    *("events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"),
    *("events:PutRule", "events:PutTargets", "events:TagResource"),
    *("events:ListRules", "events:RemoveTargets", "events:DeleteRule"),
]
#: Statements that only doctor needs, with the check that names what is missing.
EXAMINING = {
    # The first check invokes the function only while CloudWatch counts no invocation.
    "InvokeFunction": "cache",
    "ReadEncryption": "encryption",
    "ReadRegions": "versioning",
    "ReadRows": "cache",
    "FindTables": "cache",
}
UPDATES = [
    "role.update",
    "log_group.update",
    *("queue.update", "queue.update"),
    "function.update_configuration",
    "function.tag",
    "notification.put",
]


def operator_policy(site: Site, delivery: Delivery = Delivery.DIRECT) -> dict[str, Any]:
    """Return the documented policy for a site and a delivery."""
    policy = json.loads(OPERATOR_POLICY.read_text())
    if delivery is Delivery.EVENTBRIDGE:
        further = OPERATOR_POLICY.with_stem("operator_policy_eventbridge")
        policy["Statement"] += json.loads(further.read_text())
    text = json.dumps(policy)
    values = {
        "ACCOUNT": site.aws.account_id,
        "REGION": site.region,
        "BUCKET": site.bucket,
        "FUNCTION": site.function,
    }
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    filled: dict[str, Any] = json.loads(text)
    return filled


def test_the_policy_of_status_is_sufficient_for_it_and_allows_no_change(
    site: Site, become_operator: BecomeOperator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.deployment().enable()
    enabled = site.remains()
    run = CommandLine(site, tmp_path / "production.ini", capsys, {})
    _, policy = run("policy", "--for", "status", "--account", site.aws.account_id)
    operator = become_operator(site, policy)
    status, document = run("status")
    assert (status, document["state"], document["problems"]) == (0, "on", [])
    assert run("plan")[1]["in_sync"]
    assert not operator.denied
    assert run("disable")[0] == 1
    assert site.remains() == enabled


def test_the_policy_of_status_is_sufficient_for_an_examination_and_doctor_names_what_is_missing(
    site: Site, become_operator: BecomeOperator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.deployment().enable()
    run = CommandLine(site, tmp_path / "production.ini", capsys, {})
    _, policy = run("policy", "--for", "status", "--account", site.aws.account_id)
    operator = become_operator(site, policy)

    def denied() -> dict[str, str]:
        """Return the remedy of each check in which AWS denied something."""
        status, document = run("doctor")
        assert status == 0, document
        return {
            check["check"]: check["remedy"]
            for check in document["checks"]
            if "AccessDenied" in check["evidence"]
        }

    for sid, check in EXAMINING.items():
        (statement,) = [found for found in policy["Statement"] if found["Sid"] == sid]
        others = [found for found in policy["Statement"] if found["Sid"] != sid]
        operator.policy = {**policy, "Statement": others}
        remedies = denied()
        assert any(action in remedies.get(check, "") for action in actions_of(statement)), (sid, remedies)
    operator.policy = policy
    assert not denied()


def test_the_policy_is_sufficient_to_enable_update_and_disable(
    site: Site, become_operator: BecomeOperator
) -> None:
    boundary = site.client("iam").create_policy(
        PolicyName=f"boundary-of-{site.bucket}", PolicyDocument=json.dumps(operator_policy(site))
    )["Policy"]["Arn"]
    changes = {
        "s3sync__memory_size": "1024",
        "s3sync__log_retention_days": "7",
        "s3sync__tags": "team = packages",
        "s3sync__permissions_boundary": boundary,
        "storage__prefix": "simple/",
    }
    become_operator(site, operator_policy(site))
    planned = site.deployment().plan()
    assert site.deployment().enable().actions == planned.actions
    assert not site.deployment().plan().actions
    for settings in (changes, {}):
        performed = [action.call for action in site.deployment(**settings).enable().actions]
        # Obsolete tags are not removed, and a retention stays without the setting.
        kept = () if settings else ("queue.update", "log_group.update", "function.tag")
        assert performed == [call for call in UPDATES if call not in kept]
        assert not site.deployment(**settings).plan().actions
    site.deployment().enable(force=True)
    assert "AccessDenied" not in str(site.deployment().activity())
    assert site.deployment().plan_disable().actions
    site.deployment().disable()
    assert site.remains() == NOTHING


def test_the_reading_statements_are_sufficient_to_plan_and_allow_no_changes(
    site: Site, become_operator: BecomeOperator
) -> None:
    policy = operator_policy(site)
    reading = [statement for statement in policy["Statement"] if statement["Sid"].startswith("Read")]
    site.deployment().enable()
    enabled = site.remains()
    become_operator(site, {**policy, "Statement": reading})
    assert not site.deployment().plan().actions
    assert site.deployment().plan_disable().actions
    with pytest.raises(AwsError, match="AccessDenied for s3:PutBucketNotification"):
        site.deployment().disable()
    assert site.remains() == enabled


@pytest.mark.parametrize("action", NEEDED_TO_ENABLE)
def test_a_missing_action_is_named_with_its_resource(
    site: Site, become_operator: BecomeOperator, action: str
) -> None:
    become_operator(site, without(operator_policy(site), action))
    role = rf"{site.function}-{site.region}-{site.bucket}-\w{{8}}"
    resource = NEEDED_TO_ENABLE[action].format(
        bucket=site.bucket, function=site.function, role=role, arn=r"arn:aws:\w+:[\w-]*:\d{12}"
    )
    with pytest.raises(AwsError, match=rf"^AccessDenied for {action} on {resource}: allow it") as raised:
        site.deployment().enable()
    assert raised.value.action == action
    assert site.notifications() == {}


@pytest.mark.parametrize("delivery", [Delivery.SQS, Delivery.EVENTBRIDGE])
def test_the_policy_of_a_delivery_is_sufficient_for_it_and_to_move_away(
    site: Site, become_operator: BecomeOperator, delivery: Delivery
) -> None:
    become_operator(site, operator_policy(site, delivery))
    settings: dict[str, str] = {"s3sync__delivery": delivery}
    site.deployment(**settings).enable()
    changed = {**settings, "s3sync__timeout": "30", "s3sync__tags": "a = b", "storage__prefix": "x/"}
    site.deployment(**changed).enable()
    assert site.deployment(**changed).plan().in_sync
    site.deployment(**settings).disable()
    site.deployment(**settings).enable()
    site.deployment().enable()
    assert site.deployment().plan().in_sync


@pytest.mark.parametrize(
    ("delivery", "action"),
    [
        *((Delivery.DIRECT, action) for action in NEEDED_FOR_QUEUES),
        *((Delivery.EVENTBRIDGE, action) for action in NEEDED_FOR_EVENTBRIDGE),
    ],
)
def test_a_missing_action_of_a_delivery_is_named(
    site: Site, become_operator: BecomeOperator, delivery: Delivery, action: str
) -> None:
    become_operator(site, without(operator_policy(site, delivery), action))
    settings: dict[str, str] = {"s3sync__delivery": delivery}
    changed = {**settings, "s3sync__timeout": "30", "storage__prefix": "x/", "s3sync__tags": "a = b"}
    changed["s3sync__maximum_concurrency"] = "7"

    def enable_update_disable() -> None:
        site.deployment(**settings).enable()
        site.deployment(**changed).enable()
        site.deployment(**settings).disable()

    with pytest.raises(AwsError, match=rf"^AccessDenied for {action} on ") as raised:
        enable_update_disable()
    assert raised.value.action == action


def test_these_tests_cover_every_action_of_each_delivery(site: Site) -> None:
    def actions(delivery: Delivery) -> set[str]:
        statements = operator_policy(site, delivery)["Statement"]
        return {action for statement in statements for action in actions_of(statement)}

    assert actions(Delivery.EVENTBRIDGE) - actions(Delivery.DIRECT) == set(NEEDED_FOR_EVENTBRIDGE)
    of_queues = {
        action
        for action in actions(Delivery.DIRECT)
        if action.startswith("sqs:") or "EventSourceMapping" in action
    }
    assert of_queues - ON_MESSAGES == set(NEEDED_FOR_QUEUES)


def test_the_policy_for_comparing_is_enough_for_compare_and_wait(
    make_site: Any, become_operator: BecomeOperator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inis = []
    for region in ("us-east-1", "eu-west-1"):
        site = make_site(region)
        site.client("s3").put_object(Bucket=site.bucket, Key="pkg/pkg-1.0.zip", Body=b"x")
        run = CommandLine(site, tmp_path / f"{region}.ini", capsys, {})
        _, policy = run("policy", "--for", "compare", "--account", site.aws.account_id)
        operator = become_operator(site, policy)
        run.write()
        inis.append(str(run.path))
    assert main(["compare", *inis, "--json"]) == 1
    kinds = {it["kind"] for it in json.loads(capsys.readouterr().out)["differences"]}
    assert "missing_row" in kinds
    assert main(["wait", inis[0], "pkg-1.0.zip", "--timeout", "0", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "not_in_cache"
    for action, message in (("s3:ListBucket", "s3:ListBucket"), ("dynamodb:Scan", "dynamodb:Scan")):
        operator.policy = without(policy, action)
        assert main(["compare", *inis]) == 1
        assert message in capsys.readouterr().err
