"""The role of the function: its policy allows all that the handler needs, and nothing else.

The emulator enforces IAM for every call, including those of functions. Comments say where it checks another
resource than AWS does, or none. Unlike Lambda, it ends the process of a function that raises an error, and
the next one takes seconds to start, so most functions here return their errors instead.
"""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.bundle import host_target
from pypicloud_s3sync.deploy.desired.policy import QUEUE_ACTIONS
from pypicloud_s3sync.devtools.processes import wait_until
from pypicloud_s3sync.embedded import EmbeddedAws
from support.distribution import Installed
from support.fakes import not_none
from support.policies import actions_of, without
from support.shared import worker_name
from support.sites import Site, make_tables, zip_of

pytestmark = pytest.mark.untraced

EVENT = Path(__file__).parents[1] / "events" / "created_put.json"
#: For each action of each statement, the situation in which the function needs it.
SITUATIONS = {
    ("ReadPackages", "s3:GetObject"): "save",
    ("SeeMissingPackages", "s3:ListBucket"): "clear",
    ("WriteLog", "logs:CreateLogStream"): "log",
    ("WriteLog", "logs:PutLogEvents"): "log",
    **{("RetryEvents", action): "queue" for action in QUEUE_ACTIONS},
    ("FindTables", "dynamodb:ListTables"): "start",
    ("WriteRows", "dynamodb:BatchGetItem"): "save",
    ("WriteRows", "dynamodb:ConditionCheckItem"): "clear the newer",
    ("WriteRows", "dynamodb:DeleteItem"): "clear",
    ("WriteRows", "dynamodb:PutItem"): "save",
    ("FindRowsOfName", "dynamodb:Query"): "clear the newer",
    ("WriteSummaries", "dynamodb:BatchGetItem"): "save",
    ("WriteSummaries", "dynamodb:ConditionCheckItem"): "clear without a summary",
    ("WriteSummaries", "dynamodb:DeleteItem"): "clear",
    ("WriteSummaries", "dynamodb:PutItem"): "save",
}
#: The statements for HEAD requests, whose response has no body: S3 reports a denial as 403 only.
HEAD = ("ReadPackages", "SeeMissingPackages")
WAITER = {"Delay": 0.1, "MaxAttempts": 300}
#: A handler beside the real one, which returns what that raises.
CATCHING_HANDLER = "catching.handle"
CATCHING = """
from pypicloud_s3sync import handler
def handle(event, context):
    try:
        return {"returned": handler.handle_s3_event(event, context)}
    except Exception as error:
        return {"raised": f"{type(error).__name__}: {error}"}
"""
#: Writes to the function's log group as Lambda's runtime does, or uses a queue as Lambda itself does. The
#: emulator does both without asking IAM.
PROBE = """
import boto3, os, time
def use(url):
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return "used"
def handle_s3_event(event, context):
    if "queue" in event:
        return use(event["queue"])
    logs = boto3.client("logs")
    stream = {"logGroupName": event["group"], "logStreamName": event["stream"]}
    logs.create_log_stream(**stream)
    message = {"timestamp": int(time.time() * 1000), "message": "probed"}
    logs.put_log_events(**stream, logEvents=[message])
    return "logged"
"""


class Deployed:
    """An enabled site whose function has the real bundle."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.s3, self.dynamo = site.client("s3"), site.client("dynamodb")
        self.iam, self.functions = site.client("iam"), site.client("lambda")
        site.deployment().enable()
        (self.role_name,) = site.role_names()
        inline = self.iam.get_role_policy(RoleName=self.role_name, PolicyName="sync")
        self.policy: dict[str, Any] = inline["PolicyDocument"]

    def allow(self, policy: dict[str, Any]) -> None:
        """Replace the policy of the role."""
        document = json.dumps(policy)
        self.iam.put_role_policy(RoleName=self.role_name, PolicyName="sync", PolicyDocument=document)

    def put(self, name: str, version: str = "1.0") -> str:
        """Upload a package and return its key."""
        key = f"{name}/{name}-{version}.tar.gz"
        metadata = {"name": name, "version": version}
        self.s3.put_object(Bucket=self.site.bucket, Key=key, Body=b"x", Metadata=metadata)
        return key

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.site.bucket, Key=key)

    def table(self, name: str) -> str:
        """Return the name of a table of pypicloud's."""
        return f"{self.site.given['db.namespace']}{name}"

    def row(self, key: str) -> dict[str, Any] | None:
        """Return the row of an object, or None."""
        identity = {"filename": {"S": key.rsplit("/")[-1]}}
        table = self.table("DynamoPackage")
        response = self.dynamo.get_item(TableName=table, Key=identity, ConsistentRead=True)
        row: dict[str, Any] | None = response.get("Item")
        return row

    def invoke(self, payload: dict[str, Any], function: str = "") -> tuple[bool, str]:
        """Invoke a function; return whether it succeeded, and its response."""
        name = function or self.site.function
        response = self.functions.invoke(FunctionName=name, Payload=json.dumps(payload))
        text: str = response["Payload"].read().decode()
        assert "FunctionError" not in response, text
        answer = json.loads(text)
        return "raised" not in answer, answer.get("raised") or json.dumps(answer["returned"])

    def notify(self, key: str) -> tuple[bool, str]:
        """Invoke the function with an event for an object."""
        event = json.loads(EVENT.read_text())
        event["Records"][0]["s3"]["bucket"]["name"] = self.site.bucket
        event["Records"][0]["s3"]["object"]["key"] = key
        return self.invoke(event)

    def synced(self, key: str) -> dict[str, Any]:
        """Let the function handle an event for an object, and return the object's row."""
        succeeded, response = self.notify(key)
        assert succeeded, response
        return not_none(self.row(key))

    def stop_polling(self) -> None:
        """Delete the event source mapping, so that messages stay in the queue."""
        mappings = self.functions.list_event_source_mappings(FunctionName=self.site.function)
        for mapping in mappings["EventSourceMappings"]:
            self.functions.delete_event_source_mapping(UUID=mapping["UUID"])

    def catch_errors(self) -> None:
        """Let the function return its errors."""
        name = self.site.function
        code = catching(Path(self.site.given["s3sync.bundle"]).read_bytes())
        self.functions.update_function_code(FunctionName=name, ZipFile=code)
        self.wait()
        self.functions.update_function_configuration(FunctionName=name, Handler=CATCHING_HANDLER)
        self.wait()

    def restart(self) -> None:
        """Change the timeout, for which Lambda stops its running workers."""
        name = self.site.function
        timeout = self.functions.get_function_configuration(FunctionName=name)["Timeout"]
        self.functions.update_function_configuration(FunctionName=name, Timeout=timeout + 1)
        self.wait()

    def wait(self) -> None:
        """Wait until the function is updated."""
        waiter = self.functions.get_waiter("function_updated_v2")
        waiter.wait(FunctionName=self.site.function, WaiterConfig=WAITER)


def catching(code: bytes) -> bytes:
    """Return a zip with the handler that returns errors."""
    data = io.BytesIO(code)
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("catching.py", CATCHING)
    return data.getvalue()


def create_site(aws: EmbeddedAws, bundle: Path, name: str) -> Site:
    """Create a site for the bundle of this host's Python, with names that no other worker uses."""
    name = f"iam-{name}-{worker_name()}"
    site = Site(aws, bundle, "us-east-1", name, f"sync-{name}")
    target = host_target()
    # A reconciliation of another test deletes the rows of shared tables.
    tables = {"db.namespace": f"{name}-"}
    make_tables(aws, site.region, **tables)
    site.given |= {"s3sync.runtime": target.runtime, "s3sync.architecture": target.architecture, **tables}
    return site


@pytest.fixture(scope="module")
def bundle(installed: Installed) -> Path:
    """The bundle that the installed wheel builds."""
    return installed.bundle


@pytest.fixture(scope="module")
def notified(aws: EmbeddedAws, bundle: Path) -> Deployed:
    return Deployed(create_site(aws, bundle, "notified"))


@pytest.fixture(scope="module")
def quiet(aws: EmbeddedAws, bundle: Path) -> Deployed:
    """A deployment without notifications, whose function handles the events of tests only and no retries."""
    deployed = Deployed(create_site(aws, bundle, "quiet"))
    deployed.s3.put_bucket_notification_configuration(
        Bucket=deployed.site.bucket, NotificationConfiguration={}
    )
    deployed.catch_errors()
    return deployed


@pytest.fixture
def function(quiet: Deployed) -> Iterator[Deployed]:
    """The quiet deployment, whose role has its own policy before and after the test."""
    quiet.allow(quiet.policy)
    yield quiet
    quiet.allow(quiet.policy)


@pytest.fixture(scope="module")
def probe(quiet: Deployed) -> str:
    """The name of a function that runs PROBE with the role of the quiet deployment."""
    name = f"probe-of-{quiet.site.bucket}"
    quiet.functions.create_function(
        FunctionName=name,
        Runtime=host_target().runtime,
        Handler=CATCHING_HANDLER,
        Role=quiet.iam.get_role(RoleName=quiet.role_name)["Role"]["Arn"],
        Code={"ZipFile": catching(zip_of(PROBE))},
        Timeout=30,
    )
    quiet.functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=WAITER)
    return name


def test_the_role_is_sufficient_from_upload_to_deletion(notified: Deployed) -> None:
    key = notified.put("iam-direct")
    wait_until(lambda: notified.row(key), "the uploaded package has a row")
    notified.delete(key)
    wait_until(lambda: notified.row(key) is None, "the deleted package has no row")


def test_these_tests_cover_every_action_of_every_statement(notified: Deployed) -> None:
    statements = notified.policy["Statement"]
    allowed = [(statement["Sid"], action) for statement in statements for action in actions_of(statement)]
    assert sorted(allowed) == sorted(SITUATIONS)


@pytest.mark.parametrize(
    ("sid", "action", "situation"),
    [
        pytest.param(sid, action, situation, id=f"{sid}-{action}")
        for (sid, action), situation in SITUATIONS.items()
        if situation not in ("log", "queue")
    ],
)
def test_the_function_fails_without_an_action_and_succeeds_with_it(
    function: Deployed, sid: str, action: str, situation: str
) -> None:
    name = f"iam-{sid}-{action.split(':')[1]}".lower()
    if situation == "clear the newer":
        function.synced(function.put(name, "0.9"))
    key = function.put(name)
    before = None if situation == "save" else function.synced(key)
    if situation == "clear without a summary":
        function.dynamo.delete_item(TableName=function.table("PackageSummary"), Key={"name": {"S": name}})
    if situation.startswith("clear"):
        function.delete(key)
    elif situation == "start":
        function.restart()

    function.allow(without(function.policy, action, sid))
    succeeded, response = function.notify(key)
    assert not succeeded
    denials = ["(403)"] if sid in HEAD else ["AccessDenied", f"not authorized to perform: {action} "]
    for denial in denials:
        assert denial in response
    assert function.row(key) == before

    function.allow(function.policy)
    succeeded, response = function.notify(key)
    assert succeeded, response
    assert (function.row(key) is None) == situation.startswith("clear")


def test_a_package_that_cannot_be_read_keeps_its_row(function: Deployed) -> None:
    key = function.put("iam-unreadable")
    before = function.synced(key)
    function.delete(key)
    function.allow(without(function.policy, "s3:GetObject"))
    succeeded, response = function.notify(key)
    assert not succeeded
    assert "(403)" in response
    assert function.row(key) == before


@pytest.mark.parametrize("lacking", [None, "logs:CreateLogStream", "logs:PutLogEvents"])
def test_the_log_is_written_only_with_both_actions(
    function: Deployed, probe: str, lacking: str | None
) -> None:
    # AWS checks both actions on "log-group:NAME:*"; the emulator checks them on "log-group:NAME".
    policy = copy.deepcopy(function.policy)
    (statement,) = [found for found in policy["Statement"] if found["Sid"] == "WriteLog"]
    group = f"/aws/lambda/{function.site.function}"
    assert statement["Resource"].endswith(f":log-group:{group}:*")
    statement["Resource"] = statement["Resource"].removesuffix(":*")
    function.allow(without(policy, lacking, "WriteLog") if lacking else policy)
    succeeded, response = function.invoke({"group": group, "stream": f"without-{lacking}"[-14:]}, probe)
    assert succeeded == (lacking is None), response
    if lacking:
        assert "AccessDenied" in response
        assert f"not authorized to perform: {lacking} on resource: " in response


@pytest.mark.parametrize("delivery", [Delivery.SQS, Delivery.EVENTBRIDGE])
def test_the_role_is_sufficient_for_another_delivery(
    aws: EmbeddedAws, bundle: Path, delivery: Delivery
) -> None:
    site = create_site(aws, bundle, delivery)
    site.given |= {"s3sync.delivery": delivery}
    deployed = Deployed(site)
    key = deployed.put(f"iam-by-{delivery}", "1.0+cu118")
    wait_until(lambda: deployed.row(key), f"the uploaded package has a row, by {delivery}")
    deployed.delete(key)
    wait_until(lambda: deployed.row(key) is None, f"the deleted package has no row, by {delivery}")
    site.deployment().disable()


@pytest.mark.parametrize("lacking", [None, *QUEUE_ACTIONS])
def test_lambda_uses_the_queue_only_with_all_actions(
    function: Deployed, probe: str, lacking: str | None
) -> None:
    """The emulator sends and polls without asking IAM, so a function with the role does both here."""
    sqs = function.site.client("sqs")
    function.stop_polling()
    url = sqs.get_queue_url(QueueName=function.site.deployment().plan().desired.names.queue)["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    function.allow(without(function.policy, lacking, "RetryEvents") if lacking else function.policy)
    succeeded, response = function.invoke({"queue": url}, probe)
    assert succeeded == (lacking is None), response
    if lacking:
        assert f"not authorized to perform: {lacking} " in response
