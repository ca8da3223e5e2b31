"""The role of the function: its policy allows all that the handler needs, and nothing else.

The emulator enforces IAM for every call, including those of functions. Comments say where it checks another
resource than AWS does, or none. Unlike Lambda, it ends the process of a function that raises an error, and
the next one takes seconds to start, so most functions here return their errors instead.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.bundle import host_target
from pypicloud_s3sync.deploy.desired.policy import QUEUE_ACTIONS
from pypicloud_s3sync.devtools.processes import wait_until
from pypicloud_s3sync.embedded import EmbeddedAws
from support.deployed import CATCHING_HANDLER, PROBE, WAITER, Deployed, catching, create_site
from support.distribution import Installed
from support.policies import actions_of, without
from support.sites import zip_of

pytestmark = pytest.mark.untraced

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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
