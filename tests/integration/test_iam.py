"""The least rights, of the function and of who provisions it: all that is given is needed, and enough.

The emulator enforces IAM for every call, also for those of the functions. Where it checks another resource
than AWS does, or nothing, it says so here.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.deploy.bundle import BundleSpec, build, host_target
from pypicloud_s3sync.deploy.desired import desire
from pypicloud_s3sync.deploy.models import Identity
from pypicloud_s3sync.deploy.policy import RECEIVE, RECEIVE_ACTIONS
from pypicloud_s3sync.devtools.processes import wait_until
from pypicloud_s3sync.exceptions import AwsError
from support.sites import NOTHING, Site, zip_of

OPERATOR_POLICY = Path(__file__).parents[1] / "policies" / "operator_policy.json"
EVENT = Path(__file__).parents[1] / "events" / "created_put.json"
ROWS, SUMMARIES = "DynamoPackage", "PackageSummary"

#: What the function does that needs each action of each statement.
SITUATIONS = {
    ("ReadPackages", "s3:GetObject"): "save",
    ("SeeMissingPackages", "s3:ListBucket"): "clear",
    ("WriteLog", "logs:CreateLogStream"): "log",
    ("WriteLog", "logs:PutLogEvents"): "log",
    ("FindTables", "dynamodb:ListTables"): "start",
    ("WriteRows", "dynamodb:BatchGetItem"): "save",
    ("WriteRows", "dynamodb:ConditionCheckItem"): "clear the newer",
    ("WriteRows", "dynamodb:DeleteItem"): "clear",
    ("WriteRows", "dynamodb:PutItem"): "save",
    ("FindRowsOfName", "dynamodb:Query"): "clear the newer",
    ("WriteSummaries", "dynamodb:BatchGetItem"): "save",
    ("WriteSummaries", "dynamodb:DeleteItem"): "clear",
    ("WriteSummaries", "dynamodb:PutItem"): "save",
}
HEAD = ("ReadPackages", "SeeMissingPackages")
SOON = {"Delay": 0.1, "MaxAttempts": 300}
#: Writes to the function's log group as Lambda's runtime does, or reads a queue as Lambda's poller does; the
#: emulator does so without asking IAM.
PROBE = """
import boto3, os, time
def poll(url):
    sqs = boto3.client("sqs")
    sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return "polled"
def handle_s3_event(event, context):
    if "queue" in event:
        return poll(event["queue"])
    logs = boto3.client("logs")
    of_stream = {"logGroupName": event["group"], "logStreamName": event["stream"]}
    logs.create_log_stream(**of_stream)
    message = {"timestamp": int(time.time() * 1000), "message": "probed"}
    logs.put_log_events(**of_stream, logEvents=[message])
    return "logged"
"""


def without(policy: dict[str, Any], action: str, sid: str | None = None) -> dict[str, Any]:
    """A policy that lacks an action, in one statement or in all."""
    policy = copy.deepcopy(policy)
    for statement in policy["Statement"]:
        if sid in (None, statement["Sid"]):
            statement["Action"] = [given for given in actions_of(statement) if given != action]
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
    return policy


def actions_of(statement: dict[str, Any]) -> list[str]:
    return as_list(statement["Action"])


class Deployed:
    """A site that is enabled, with the code that is really sent to Lambda."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.s3, self.dynamo = site.client("s3"), site.client("dynamodb")
        self.iam, self.functions = site.client("iam"), site.client("lambda")
        site.deployment().enable()
        (self.role_name,) = site.role_names()
        self.policy = self.of_role()

    def of_role(self) -> dict[str, Any]:
        return self.iam.get_role_policy(RoleName=self.role_name, PolicyName="sync")["PolicyDocument"]

    def allow(self, policy: dict[str, Any]) -> None:
        document = json.dumps(policy)
        self.iam.put_role_policy(RoleName=self.role_name, PolicyName="sync", PolicyDocument=document)

    def put(self, name: str, version: str = "1.0") -> str:
        key = f"{name}/{name}-{version}.tar.gz"
        metadata = {"name": name, "version": version}
        self.s3.put_object(Bucket=self.site.bucket, Key=key, Body=b"x", Metadata=metadata)
        return key

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.site.bucket, Key=key)

    def row(self, key: str) -> dict[str, Any] | None:
        identity = {"filename": {"S": key.rsplit("/")[-1]}}
        return self.dynamo.get_item(TableName=ROWS, Key=identity, ConsistentRead=True).get("Item")

    def invoke(self, payload: dict[str, Any], function: str = "") -> tuple[bool, str]:
        """Whether the function worked, and what it said."""
        of_function = {"FunctionName": function or self.site.function, "Payload": json.dumps(payload)}
        answer = self.functions.invoke(**of_function)
        return "FunctionError" not in answer, answer["Payload"].read().decode()

    def notify(self, key: str) -> tuple[bool, str]:
        event = json.loads(EVENT.read_text())
        event["Records"][0]["s3"]["bucket"]["name"] = self.site.bucket
        event["Records"][0]["s3"]["object"]["key"] = key
        return self.invoke(event)

    def synced(self, key: str) -> dict[str, Any]:
        """The row of an object, now that its event has been handled."""
        worked, said = self.notify(key)
        row = self.row(key)
        assert worked, said
        assert row
        return row

    def start_afresh(self) -> None:
        """Another timeout: Lambda then drops its warm workers."""
        of_function = {"FunctionName": self.site.function}
        timeout = self.functions.get_function_configuration(**of_function)["Timeout"]
        self.functions.update_function_configuration(**of_function, Timeout=timeout + 1)
        waiter = self.functions.get_waiter("function_updated_v2")
        waiter.wait(**of_function, WaiterConfig=SOON)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("real") / "bundle.zip"
    path.write_bytes(build(BundleSpec(host_target(), "dynamo")).data)
    return path


@pytest.fixture(scope="module")
def notified(aws: Any, bundle: Path) -> Deployed:
    return Deployed(real_site(aws, bundle, "iam-notified"))


@pytest.fixture(scope="module")
def quiet(aws: Any, bundle: Path) -> Deployed:
    """S3 says nothing here: only a test's own events arrive, and no retry of one when it is over."""
    deployed = Deployed(real_site(aws, bundle, "iam-quiet"))
    deployed.s3.put_bucket_notification_configuration(
        Bucket=deployed.site.bucket, NotificationConfiguration={}
    )
    return deployed


def real_site(aws: Any, bundle: Path, name: str) -> Site:
    site = Site(aws, bundle, "us-east-1", name, f"sync-{name}")
    target = host_target()
    site.given |= {"s3sync.runtime": target.runtime, "s3sync.architecture": target.architecture}
    return site


@pytest.fixture
def function(quiet: Deployed) -> Iterator[Deployed]:
    quiet.allow(quiet.policy)
    yield quiet
    quiet.allow(quiet.policy)


class TestFunction:
    def test_its_own_role_is_enough_from_upload_to_removal(self, notified: Deployed) -> None:
        key = notified.put("iam-travels")
        wait_until(lambda: notified.row(key), "the uploaded package has a row")
        notified.delete(key)
        wait_until(lambda: notified.row(key) is None, "the deleted package's row is gone")

    def test_no_statement_or_action_is_left_out_of_these_tests(self, notified: Deployed) -> None:
        statements = notified.policy["Statement"]
        given = [(statement["Sid"], action) for statement in statements for action in actions_of(statement)]
        assert sorted(given) == sorted(SITUATIONS)

    @pytest.mark.parametrize(
        ("sid", "action", "situation"),
        [
            pytest.param(sid, action, situation, id=f"{sid}-{action}")
            for (sid, action), situation in SITUATIONS.items()
            if situation != "log"
        ],
    )
    def test_it_fails_without_an_action_and_works_again_with_it(
        self, function: Deployed, sid: str, action: str, situation: str
    ) -> None:
        name = f"iam-{sid}-{action.split(':')[1]}".lower()
        if situation == "clear the newer":
            function.synced(function.put(name, "0.9"))
        key = function.put(name)
        before = None if situation == "save" else function.synced(key)
        if situation.startswith("clear"):
            function.delete(key)
        elif situation == "start":
            function.start_afresh()

        function.allow(without(function.policy, action, sid))
        worked, said = function.notify(key)
        assert not worked
        # The answer to HEAD has no body: S3 says 403, and no more.
        refusals = ["(403)"] if sid in HEAD else ["AccessDenied", f"not authorized to perform: {action} "]
        for refusal in refusals:
            assert refusal in said
        assert function.row(key) == before

        function.allow(function.policy)
        worked, said = function.notify(key)
        assert worked, said
        assert (function.row(key) is None) == situation.startswith("clear")

    def test_a_package_that_it_may_not_look_at_keeps_its_row(self, function: Deployed) -> None:
        key = function.put("iam-unseen")
        before = function.synced(key)
        function.delete(key)
        function.allow(without(function.policy, "s3:GetObject"))
        worked, said = function.notify(key)
        assert not worked
        assert "(403)" in said
        assert function.row(key) == before

    @pytest.mark.parametrize("lacking", [None, "logs:CreateLogStream", "logs:PutLogEvents"])
    def test_its_log_is_written_with_both_actions_of_write_log_only(
        self, function: Deployed, probe: str, lacking: str | None
    ) -> None:
        # AWS takes both actions on "log-group:NAME:*"; the emulator asks for them on "log-group:NAME".
        policy = copy.deepcopy(function.policy)
        (statement,) = [found for found in policy["Statement"] if found["Sid"] == "WriteLog"]
        group = f"/aws/lambda/{function.site.function}"
        assert statement["Resource"].endswith(f":log-group:{group}:*")
        statement["Resource"] = statement["Resource"].removesuffix(":*")
        function.allow(without(policy, lacking, "WriteLog") if lacking else policy)
        worked, said = function.invoke({"group": group, "stream": f"without-{lacking}"[-14:]}, probe)
        assert worked == (lacking is None), said
        if lacking:
            assert "AccessDenied" in said
            assert f"not authorized to perform: {lacking} on resource: " in said


class TestDeliveries:
    """The real bundle, behind a queue and behind a rule."""

    @pytest.mark.parametrize("delivery", ["sqs", "eventbridge"])
    def test_its_own_role_is_enough_from_upload_to_removal(
        self, aws: Any, bundle: Path, delivery: str
    ) -> None:
        site = real_site(aws, bundle, f"iam-{delivery}")
        site.given |= {"s3sync.delivery": delivery}
        deployed = Deployed(site)
        key = deployed.put(f"iam-by-{delivery}", "1.0+cu118")
        wait_until(lambda: deployed.row(key), f"the package uploaded has a row, by {delivery}")
        deployed.delete(key)
        wait_until(lambda: deployed.row(key) is None, f"the deleted package's row is gone, by {delivery}")
        site.deployment().disable()

    @pytest.mark.parametrize("lacking", [None, *RECEIVE_ACTIONS])
    def test_lambda_polls_with_all_of_the_rights_to_receive_and_not_with_one_less(
        self, function: Deployed, probe: str, lacking: str | None
    ) -> None:
        """By a function of that role: the emulator polls without asking IAM."""
        sqs, settings = function.site.client("sqs"), function.site.settings(s3sync__delivery="sqs")
        identity = Identity(function.site.aws.account_id, "aws")
        desired = desire(settings, identity, function.site.region, "")
        url = sqs.create_queue(QueueName=desired.names.queue)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="{}")
        policy = desired.role.policy
        function.allow(without(policy, lacking, RECEIVE) if lacking else policy)
        worked, said = function.invoke({"queue": url}, probe)
        sqs.delete_queue(QueueUrl=url)
        assert worked == (lacking is None), said
        if lacking:
            assert f"not authorized to perform: {lacking} " in said


@pytest.fixture(scope="module")
def probe(quiet: Deployed) -> str:
    name = "probe-of-iam-quiet"
    quiet.functions.create_function(
        FunctionName=name,
        Runtime=host_target().runtime,
        Handler="lambda_script.handle_s3_event",
        Role=quiet.iam.get_role(RoleName=quiet.role_name)["Role"]["Arn"],
        Code={"ZipFile": zip_of(PROBE)},
        Timeout=30,
    )
    quiet.functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)
    return name


def operator_policy(site: Site, delivery: str = "direct") -> dict[str, Any]:
    """The policy as it is documented, for a site and a delivery."""
    policy = json.loads(OPERATOR_POLICY.read_text())
    if delivery != "direct":
        policy["Statement"] += json.loads(
            OPERATOR_POLICY.with_stem(f"operator_policy_{delivery}").read_text()
        )
    text = json.dumps(policy)
    filled = {
        "ACCOUNT": site.aws.account_id,
        "REGION": site.region,
        "BUCKET": site.bucket,
        "FUNCTION": site.function,
    }
    for placeholder, value in filled.items():
        text = text.replace(placeholder, value)
    return json.loads(text)


def as_the_emulator_checks(policy: dict[str, Any]) -> dict[str, Any]:
    """A role's ARN has no path there, a mapping no function; these two actions and rules no resource."""
    policy = json.loads(json.dumps(policy).replace(":role/pypicloud-s3sync/", ":role/"))
    for statement in policy["Statement"]:
        if statement["Sid"] == "WriteMapping":
            del statement["Condition"]
        if statement["Sid"] in ("ReadRule", "WriteRule"):
            statement["Resource"] = "*"
    policy["Statement"] += [
        {"Sid": action.replace(":", ""), "Effect": "Allow", "Action": action, "Resource": "*"}
        for action in ("lambda:CreateFunction", "logs:DescribeLogGroups")
        if any(action in actions_of(statement) for statement in policy["Statement"])
    ]
    return policy


def as_operator(site: Site, policy: dict[str, Any]) -> None:
    """From now on the site's settings carry the access key of a user with this policy and no other."""
    iam, user = site.client("iam"), f"operator-of-{site.bucket}"
    iam.create_user(UserName=user)
    document = json.dumps(as_the_emulator_checks(policy))
    iam.put_user_policy(UserName=user, PolicyName="operator", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    site.given |= {
        "storage.aws_access_key_id": key["AccessKeyId"],
        "storage.aws_secret_access_key": key["SecretAccessKey"],
    }


#: What enable needs it for. The emulator does not ask for iam:PassRole, lambda:ListTags, nor for the tagging
#: of what is made (iam:TagRole, lambda:TagResource, logs:TagResource); AWS does.
NEEDED_TO_ENABLE = {
    "s3:ListBucket": "the bucket {bucket}",
    "dynamodb:DescribeTable": f"the table {ROWS}",
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


#: For each delivery, what enabling, changing or disabling it needs beside that.
NEEDED_FOR_DELIVERY = {
    "sqs": [
        *("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListQueueTags", "lambda:ListEventSourceMappings"),
        *("sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:DeleteQueue"),
        "lambda:CreateEventSourceMapping",
    ],
    "eventbridge": [
        *("events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"),
        *("events:PutRule", "events:PutTargets", "events:TagResource"),
        *("events:ListRules", "events:RemoveTargets", "events:DeleteRule"),
    ],
}
#: The emulator does not ask for these; AWS does.
NOT_ASKED_FOR = ["lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
UPDATES = [
    "role.update",
    "log_group.update",
    "function.update_configuration",
    "function.tag",
    "notification.put",
]


class TestOperator:
    def test_the_documented_policy_is_enough_to_enable_update_and_disable(self, site: Site) -> None:
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
        as_operator(site, operator_policy(site))
        planned = site.deployment().plan()
        assert site.deployment().enable().actions == planned.actions
        assert not site.deployment().plan().actions
        for more in (changes, {}):
            changed = [action.call for action in site.deployment(**more).enable().actions]
            # The function keeps tags that are no longer wanted.
            assert changed == [call for call in UPDATES if more or call != "function.tag"]
            assert not site.deployment(**more).plan().actions
        site.deployment().enable(force=True)
        assert "AccessDenied" not in str(site.deployment().activity())
        assert site.deployment().plan_disable().actions
        site.deployment().disable()
        assert site.remains() == NOTHING

    def test_its_reading_statements_are_enough_to_plan_and_allow_nothing_else(self, site: Site) -> None:
        policy = operator_policy(site)
        reading = [found for found in policy["Statement"] if found["Sid"].startswith("Read")]
        site.deployment().enable()
        enabled = site.remains()
        site.watch = type(site.watch)()
        as_operator(site, {**policy, "Statement": reading})
        assert not site.deployment().plan().actions
        assert site.deployment().plan_disable().actions
        with pytest.raises(AwsError, match="AccessDenied for s3:PutBucketNotification"):
            site.deployment().disable()
        assert site.remains() == enabled

    @pytest.mark.parametrize("action", NEEDED_TO_ENABLE)
    def test_whoever_lacks_an_action_is_told_which_and_on_what(self, site: Site, action: str) -> None:
        as_operator(site, without(operator_policy(site), action))
        role = rf"{site.function}-{site.region}-{site.bucket}-\w{{8}}"
        resource = NEEDED_TO_ENABLE[action].format(bucket=site.bucket, function=site.function, role=role)
        with pytest.raises(AwsError, match=rf"^AccessDenied for {action} on {resource}: allow it") as raised:
            site.deployment().enable()
        assert raised.value.action == action
        assert site.notifications() == {}

    @pytest.mark.parametrize("delivery", NEEDED_FOR_DELIVERY)
    def test_what_is_documented_for_a_delivery_is_enough_for_it_and_to_move_away(
        self, site: Site, delivery: str
    ) -> None:
        as_operator(site, operator_policy(site, delivery))
        by_it = {"s3sync__delivery": delivery}
        site.deployment(**by_it).enable()
        changes = {**by_it, "s3sync__timeout": "30", "s3sync__tags": "a = b", "storage__prefix": "x/"}
        site.deployment(**changes).enable()
        assert site.deployment(**changes).plan().in_sync
        site.deployment(**by_it).disable()
        site.deployment(**by_it).enable()
        site.deployment().enable()
        assert site.deployment().plan().in_sync

    @pytest.mark.parametrize(
        ("delivery", "action"),
        [(delivery, action) for delivery, actions in NEEDED_FOR_DELIVERY.items() for action in actions],
    )
    def test_whoever_lacks_an_action_for_a_delivery_is_told_which(
        self, site: Site, delivery: str, action: str
    ) -> None:
        by_it = {"s3sync__delivery": delivery}
        as_operator(site, without(operator_policy(site, delivery), action))
        changes = {**by_it, "s3sync__timeout": "30", "storage__prefix": "x/", "s3sync__tags": "a = b"}

        def enable_change_disable() -> None:
            site.deployment(**by_it).enable()
            site.deployment(**changes).enable()
            site.deployment(**by_it).disable()

        with pytest.raises(AwsError, match=rf"^AccessDenied for {action} on ") as raised:
            enable_change_disable()
        assert raised.value.action == action

    def test_no_action_for_a_delivery_is_left_out_of_these_tests(self, site: Site) -> None:
        def actions(delivery: str) -> set[str]:
            statements = operator_policy(site, delivery)["Statement"]
            return {action for statement in statements for action in actions_of(statement)}

        for delivery, needed in NEEDED_FOR_DELIVERY.items():
            given = actions(delivery) - actions("direct")
            assert given - set(NOT_ASKED_FOR) == set(needed)

    def test_the_documented_policy_names_the_resources_that_are_made(self, site: Site) -> None:
        """For AWS: the emulator does not see the path of a role, nor the function that is to be made."""
        desired = site.deployment().plan().desired
        by_queue = site.deployment(s3sync__delivery="sqs").plan().desired.delivery_resources
        by_rule = site.deployment(s3sync__delivery="eventbridge").plan().desired.delivery_resources
        account = site.aws.account_id
        group = f"arn:aws:logs:{site.region}:{account}:log-group:{desired.log_group.name}"
        made = {
            "iam:CreateRole": desired.role.arn,
            "iam:PassRole": desired.role.arn,
            "iam:GetRole": desired.role.arn,
            "lambda:CreateFunction": desired.function.arn,
            "lambda:ListTags": desired.function.arn,
            "logs:CreateLogGroup": group,
            "logs:DescribeLogGroups": group,
            "logs:ListTagsForResource": group,
            "sqs:CreateQueue": by_queue.queue.arn,
            "sqs:GetQueueUrl": by_queue.dead_letters.arn,
            "events:PutRule": by_rule.rule.arn,
            "events:PutTargets": by_rule.rule.arn,
            "events:ListTagsForResource": by_rule.rule.arn,
        }
        statements = operator_policy(site)["Statement"]
        for delivery in NEEDED_FOR_DELIVERY:
            statements += operator_policy(site, delivery)["Statement"]
        for action, arn in made.items():
            resources = [
                resource
                for statement in statements
                if action in actions_of(statement)
                for resource in as_list(statement["Resource"])
            ]
            assert any(fnmatchcase(arn, resource) for resource in resources), action


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
