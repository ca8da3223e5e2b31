"""The documented policy of an operator: it allows all that provisioning needs, and nothing else.

The emulator enforces IAM for every call. Comments say where it checks another resource than AWS, or none.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.cli.main import main
from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.exceptions import AwsError
from support.fakes import not_none
from support.policies import actions_of, as_list, without
from support.sites import NOTHING, Site

# Other tests cover the code; tracing it takes longer than running it.
pytestmark = pytest.mark.no_cover

OPERATOR_POLICY = Path(__file__).parents[1] / "policies" / "operator_policy.json"
#: The actions that enable needs, with the resource that a message names. The emulator does not check
#: iam:PassRole, lambda:ListTags, or the tagging of created resources (iam:TagRole, lambda:TagResource,
#: logs:TagResource); AWS does.
NEEDED_TO_ENABLE = {
    "s3:ListBucket": "the bucket {bucket}",
    "dynamodb:DescribeTable": "the table DynamoPackage",
    "iam:GetRole": "the role {role}",
    "logs:DescribeLogGroups": "the log group /aws/lambda/{function}",
    "lambda:GetFunction": "the function {function}",
    "lambda:GetPolicy": "the function {function}",
    "s3:GetBucketNotification": "the bucket {bucket}",
    "iam:CreateRole": "the role {role}",
    "iam:PutRolePolicy": "the role {role}",
    "logs:CreateLogGroup": "the log group /aws/lambda/{function}",
    "logs:PutRetentionPolicy": "the log group /aws/lambda/{function}",
    "lambda:CreateFunction": "the function {function}",
    "lambda:AddPermission": "the function {function}",
    "s3:PutBucketNotification": "the bucket {bucket}",
}
#: The actions on queues and their mapping that are needed to enable, update and disable.
NEEDED_FOR_QUEUES = [
    *("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListQueueTags", "lambda:ListEventSourceMappings"),
    *("sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:DeleteQueue"),
    "lambda:CreateEventSourceMapping",
]
#: The further actions that delivery through EventBridge needs.
NEEDED_FOR_EVENTBRIDGE = [
    *("events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"),
    *("events:PutRule", "events:PutTargets", "events:TagResource"),
    *("events:ListRules", "events:RemoveTargets", "events:DeleteRule"),
]
#: Statements that doctor needs, with the check that names what is missing. It does not use SimulateRole and
#: ReadScaling in an emulator, and needs some more if there are replication rules.
EXAMINING = {
    # First, as long as CloudWatch knows of no invocation, which would tell as much.
    "InvokeFunction": "cache",
    "ReadEncryption": "encryption",
    "ReadRegions": "versioning",
    "ReadRows": "cache",
    "FindTables": "cache",
}
#: Statements of which the emulator checks no action (see above), or that are needed only for a large bundle,
#: a reconciliation or an examination.
NOT_SEEN = {
    *("ReconcileRows", "FanOut", "ReadObjects", "ReadRoles", "SimulateRole", "ReadScaling"),
    *("PassRoleToLambda", "UploadLargeBundle", "WriteMapping"),
    *(EXAMINING.keys() - {"InvokeFunction"}),
}
#: Those of direct delivery, which are removed one by one with direct delivery only.
COMMON = {
    *("ReadBucket", "ReadTables", "ReadFunction", "ReadLogGroups", "ReadLogGroupTags", "ReadMetrics"),
    *("ReadQueues", "ReadMappings", "WriteNotification", "WriteRole", "WriteFunction", "WriteLogGroup"),
    *("WriteQueues", "ReplayFailedEvents", "InvokeFunction"),
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


def for_emulator(policy: dict[str, Any]) -> dict[str, Any]:
    """Return a policy that means for the emulator what the given one means for AWS.

    In the emulator, the ARN of a role has no path and a mapping has no function; rules and two actions are
    checked on all resources.
    """
    changed: dict[str, Any] = json.loads(json.dumps(policy).replace(":role/pypicloud-s3sync/", ":role/"))
    for statement in changed["Statement"]:
        if statement["Sid"] == "WriteMapping":
            del statement["Condition"]
        if statement["Sid"] == "ReplayFailedEvents":
            # AWS checks the right to handle one message: sqs:DeleteMessage, not sqs:DeleteMessageBatch.
            statement["Action"] = [
                name for action in actions_of(statement) for name in (action, f"{action}Batch")
            ]
        if statement["Sid"] in ("ReadRule", "WriteRule"):
            statement["Resource"] = "*"
    changed["Statement"] += [
        {"Sid": action.replace(":", ""), "Effect": "Allow", "Action": action, "Resource": "*"}
        for action in ("lambda:CreateFunction", "logs:DescribeLogGroups")
        if any(action in actions_of(statement) for statement in changed["Statement"])
    ]
    return changed


def become_operator(site: Site, policy: dict[str, Any]) -> None:
    """Replace the credentials in the site's settings with those of a user who has only this policy."""
    iam, user = site.client("iam"), f"operator-of-{site.bucket}"
    iam.create_user(UserName=user)
    allow_only(site, policy)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    site.given |= {
        "storage.aws_access_key_id": key["AccessKeyId"],
        "storage.aws_secret_access_key": key["SecretAccessKey"],
    }


def allow_only(site: Site, policy: dict[str, Any]) -> None:
    """Replace the policy of the site's operator."""
    document = json.dumps(for_emulator(policy))
    user = f"operator-of-{site.bucket}"
    site.client("iam").put_user_policy(UserName=user, PolicyName="operator", PolicyDocument=document)


def fail_an_event(site: Site) -> None:
    """Put a message into the dead-letter queue, if there is one."""
    sqs = site.client("sqs")
    urls = sqs.list_queues(QueueNamePrefix=f"failed-{site.function}").get("QueueUrls", [])
    for url in urls:
        sqs.send_message(QueueUrl=url, MessageBody="{}")


def write_ini(site: Site, path: Path, **changes: str) -> str:
    """Write the settings of a site to an ini, with changes such as ``s3sync__delivery``."""
    settings = {**site.given, **{name.replace("__", "."): value for name, value in changes.items()}}
    lines = [f"{name} = {value}" for name, value in settings.items()]
    path.write_text("\n".join(["[app:main]", "use = egg:pypicloud", *lines, ""]))
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a command, and return its exit status and its document."""
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.fixture
def given_role(site: Site) -> str:
    """The ARN of a role that another owner created for the function."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    arn: str = site.client("iam").create_role(
        RoleName=f"given-{site.bucket}", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    return arn


@pytest.mark.parametrize("variant", [*Delivery, "role_arn", "password"])
def test_the_printed_policy_is_sufficient_and_each_statement_is_needed(
    site: Site,
    given_role: str,
    variant: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = (
        {"s3sync__role_arn": given_role} if variant == "role_arn" else {"s3sync__delivery": str(variant)}
    )
    if variant == "password":
        changes = {"pypi__db": "redis", "db__url": "redis://:p-word@cache.example"}
    before = site.remains()
    ini = write_ini(site, tmp_path / "administrator.ini", **changes)
    status, policy = run(capsys, "policy", ini, "--account", site.aws.account_id)
    assert status == 0
    become_operator(site, policy)
    ini = write_ini(site, tmp_path / "operator.ini", **changes)

    def denied() -> str:
        """Enable, check and disable; return what is denied, if anything."""
        for command in ("enable", "status", "replay", "disable"):
            if command == "replay":
                fail_an_event(site)
            # The sites share their tables, so a reconciliation would remove the rows of others.
            options = ["--no-reconcile"] if command == "enable" else []
            _, document = run(capsys, command, ini, *options)
            for problem in [document, *document.get("problems", [])]:
                if "AccessDenied" in problem.get("message", ""):
                    return str(problem["message"])
        return ""

    assert not denied()
    assert site.remains() == before
    for statement in policy["Statement"]:
        if statement["Sid"] in NOT_SEEN:
            continue
        if variant != "direct" and statement["Sid"] in COMMON:
            continue
        allow_only(site, {**policy, "Statement": [each for each in policy["Statement"] if each != statement]})
        message = denied()
        assert any(action in message for action in actions_of(statement)), f"{statement['Sid']}: {message!r}"
    allow_only(site, policy)
    assert not denied()
    assert site.remains() == before


def test_the_policy_of_status_is_sufficient_for_it_and_allows_no_change(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.deployment().enable()
    enabled = site.remains()
    ini = write_ini(site, tmp_path / "administrator.ini")
    _, policy = run(capsys, "policy", ini, "--for", "status", "--account", site.aws.account_id)
    become_operator(site, policy)
    ini = write_ini(site, tmp_path / "operator.ini")
    status, document = run(capsys, "status", ini)
    assert (status, document["state"], document["problems"]) == (0, "on", [])
    assert run(capsys, "plan", ini)[1]["in_sync"]
    assert run(capsys, "disable", ini)[0] == 1
    assert site.remains() == enabled


def test_the_policy_of_status_is_sufficient_for_an_examination_and_each_statement_is_needed(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.deployment().enable()
    ini = write_ini(site, tmp_path / "administrator.ini")
    _, policy = run(capsys, "policy", ini, "--for", "status", "--account", site.aws.account_id)
    become_operator(site, policy)
    ini = write_ini(site, tmp_path / "operator.ini")

    def denied() -> dict[str, str]:
        """Return the remedy of each check in which AWS denied something."""
        status, document = run(capsys, "doctor", ini)
        assert status == 0, document
        return {
            check["check"]: check["remedy"]
            for check in document["checks"]
            if "AccessDenied" in check["evidence"]
        }

    for sid, check in EXAMINING.items():
        (statement,) = [found for found in policy["Statement"] if found["Sid"] == sid]
        others = [found for found in policy["Statement"] if found["Sid"] != sid]
        allow_only(site, {**policy, "Statement": others})
        remedies = denied()
        assert any(action in remedies.get(check, "") for action in actions_of(statement)), (sid, remedies)
    allow_only(site, policy)
    assert not denied()


def test_the_policy_is_sufficient_to_enable_update_and_disable(site: Site) -> None:
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


def test_the_reading_statements_are_sufficient_to_plan_and_allow_no_changes(site: Site) -> None:
    policy = operator_policy(site)
    reading = [statement for statement in policy["Statement"] if statement["Sid"].startswith("Read")]
    site.deployment().enable()
    enabled = site.remains()
    site.watch = type(site.watch)()
    become_operator(site, {**policy, "Statement": reading})
    assert not site.deployment().plan().actions
    assert site.deployment().plan_disable().actions
    with pytest.raises(AwsError, match="AccessDenied for s3:PutBucketNotification"):
        site.deployment().disable()
    assert site.remains() == enabled


@pytest.mark.parametrize("action", NEEDED_TO_ENABLE)
def test_a_missing_action_is_named_with_its_resource(site: Site, action: str) -> None:
    become_operator(site, without(operator_policy(site), action))
    role = rf"{site.function}-{site.region}-{site.bucket}-\w{{8}}"
    resource = NEEDED_TO_ENABLE[action].format(bucket=site.bucket, function=site.function, role=role)
    with pytest.raises(AwsError, match=rf"^AccessDenied for {action} on {resource}: allow it") as raised:
        site.deployment().enable()
    assert raised.value.action == action
    assert site.notifications() == {}


@pytest.mark.parametrize("delivery", [Delivery.SQS, Delivery.EVENTBRIDGE])
def test_the_policy_of_a_delivery_is_sufficient_for_it_and_to_move_away(
    site: Site, delivery: Delivery
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
def test_a_missing_action_of_a_delivery_is_named(site: Site, delivery: Delivery, action: str) -> None:
    become_operator(site, without(operator_policy(site, delivery), action))
    settings: dict[str, str] = {"s3sync__delivery": delivery}
    changed = {**settings, "s3sync__timeout": "30", "storage__prefix": "x/", "s3sync__tags": "a = b"}

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
    assert set(NEEDED_FOR_QUEUES) <= actions(Delivery.DIRECT)


def test_the_policy_names_the_created_resources(site: Site) -> None:
    """The emulator does not check this: it ignores the path of a role and a function before its creation."""
    desired = site.deployment().plan().desired
    role_arn = not_none(desired.role).arn
    queues = desired.delivery_resources
    rules = site.deployment(s3sync__delivery="eventbridge").plan().desired.delivery_resources
    rule_arn = not_none(rules.rule).arn
    group = f"arn:aws:logs:{site.region}:{site.aws.account_id}:log-group:{desired.log_group.name}"
    arns = {
        "iam:CreateRole": role_arn,
        "iam:PassRole": role_arn,
        "iam:GetRole": role_arn,
        "lambda:CreateFunction": desired.function.arn,
        "lambda:ListTags": desired.function.arn,
        "logs:CreateLogGroup": group,
        "logs:DescribeLogGroups": group,
        "logs:ListTagsForResource": group,
        "sqs:CreateQueue": not_none(queues.queue).arn,
        "sqs:GetQueueUrl": not_none(queues.dead_letters).arn,
        "events:PutRule": rule_arn,
        "events:PutTargets": rule_arn,
        "events:ListTagsForResource": rule_arn,
    }
    statements = operator_policy(site, Delivery.EVENTBRIDGE)["Statement"]
    for action, arn in arns.items():
        resources = [
            resource
            for statement in statements
            if action in actions_of(statement)
            for resource in as_list(statement["Resource"])
        ]
        assert any(fnmatchcase(arn, resource) for resource in resources), action


def test_the_policy_for_comparing_is_enough_for_compare_and_wait(
    make_site: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inis = []
    for region in ("us-east-1", "eu-west-1"):
        site = make_site(region)
        site.client("s3").put_object(Bucket=site.bucket, Key="pkg/pkg-1.0.zip", Body=b"x")
        path = tmp_path / f"{region}.ini"

        def write(path: Path = path, site: Site = site) -> None:
            lines = [f"{name} = {value}" for name, value in site.given.items()]
            path.write_text("\n".join(["[app:main]", "use = egg:pypicloud", *lines, ""]))

        write()
        assert main(["policy", str(path), "--for", "compare", "--account", site.aws.account_id]) == 0
        policy = json.loads(capsys.readouterr().out)
        become_operator(site, policy)
        write()
        inis.append(str(path))
    assert main(["compare", *inis, "--json"]) == 1
    kinds = {it["kind"] for it in json.loads(capsys.readouterr().out)["differences"]}
    assert "missing_row" in kinds
    assert main(["wait", inis[0], "pkg-1.0.zip", "--timeout", "0", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "not_in_cache"
    for action, message in (("s3:ListBucket", "s3:ListBucket"), ("dynamodb:Scan", "dynamodb:Scan")):
        allow_only(site, without(policy, action))
        assert main(["compare", *inis]) == 1
        assert message in capsys.readouterr().err
