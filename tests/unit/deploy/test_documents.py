"""The plan and status documents: values in, JSON out."""

import json
from dataclasses import replace

import pytest

from pypicloud_s3sync.deploy.documents import PARTS as PARTS_OF
from pypicloud_s3sync.deploy.documents import plan_document, status_document
from pypicloud_s3sync.deploy.models import Role
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from support.fakes import ACCOUNT, BUCKET, FINGERPRINT, NOTHING, REGION, deployed, make_desired, make_settings

PARTS = PARTS_OF["direct"]
DESIRED = make_desired()
DEPLOYED = deployed(DESIRED)
GIVEN_ARN = f"arn:aws:iam::{ACCOUNT}:role/teams/given"
WITH_GIVEN = make_desired(s3sync__role_arn=GIVEN_ARN)
GIVEN = Role("given", "/teams/", GIVEN_ARN, DESIRED.role.trust, policy=None, boundary=None, tags={})
OTHER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other"


def status(observed, desired=DESIRED, code=None, **more):
    return status_document(plan_enable(desired, observed, code), make_settings(**more))


def parts(document):
    return {part["resource"]: part["state"] for part in document["resources"]}


def configured(**changes):
    configuration = {**DEPLOYED.function.configuration, **changes}
    return replace(DEPLOYED, function=replace(DEPLOYED.function, configuration=configuration))


def test_with_nothing_there_it_is_off_and_everything_missing():
    document = status(NOTHING)
    assert document["state"] == "off"
    assert document["in_sync"] is False
    assert parts(document) == dict.fromkeys(PARTS, "missing")


def test_with_all_as_wanted_it_is_on():
    document = status(DEPLOYED)
    assert document["state"] == "on"
    assert document["in_sync"] is True
    assert parts(document) == dict.fromkeys(PARTS, "ok")
    assert document["actions"] == []


MISSING = {
    "role": {"role": None},
    "log group": {"log_group": None},
    "function": {"function": None},
    "permission": {"statements": ()},
    "notification": {"notifications": {}},
}


@pytest.mark.parametrize("part", PARTS)
def test_one_missing_part_makes_it_partial_and_is_named(part):
    document = status(replace(DEPLOYED, **MISSING[part]))
    assert document["state"] == "partial"
    assert parts(document) == {**dict.fromkeys(PARTS, "ok"), part: "missing"}


DIFFERENT = {
    "role": replace(DEPLOYED, role=replace(DEPLOYED.role, policy=None)),
    "log group": replace(DEPLOYED, log_group=replace(DEPLOYED.log_group, retention_days=None)),
    "function": configured(Timeout=3),
    "permission": replace(DEPLOYED, statements=({**DEPLOYED.statements[0], "Principal": "*"},)),
    "notification": replace(
        DEPLOYED,
        notifications={
            "LambdaFunctionConfigurations": [{**DESIRED.subscription.entry, "Events": ["s3:Replication:*"]}]
        },
    ),
}


@pytest.mark.parametrize("part", PARTS)
def test_one_part_that_differs_is_named(part):
    document = status(DIFFERENT[part])
    assert document["state"] == "differs"
    assert parts(document) == {**dict.fromkeys(PARTS, "ok"), part: "differs"}
    assert document["in_sync"] is False


def test_other_code_is_a_difference_of_the_function():
    document = status(DEPLOYED, code="another")
    assert document["state"] == "differs"
    assert parts(document)["function"] == "differs"
    assert [action["resource"] for action in document["actions"]] == ["code"]


def test_what_is_missing_counts_for_more_than_what_differs():
    assert status(replace(DIFFERENT["function"], notifications={}))["state"] == "partial"


def test_a_log_group_that_somebody_left_does_not_make_it_partial():
    """A function that once ran leaves one, and so does whoever looked for it in the console."""
    document = status(replace(NOTHING, log_group=DESIRED.log_group))
    assert document["state"] == "off"
    assert parts(document)["log group"] == "ok"
    left = replace(DESIRED.log_group, retention_days=None, tags={})
    assert status(replace(NOTHING, log_group=left))["state"] == "off"


def test_any_other_part_alone_makes_it_partial():
    for part, gone in MISSING.items():
        if part in ("log group", "function"):
            continue
        (field,) = gone
        document = status(replace(NOTHING, **{field: getattr(DEPLOYED, field)}))
        assert document["state"] == "partial", part


def test_a_given_role_is_called_given_and_by_its_name():
    observed = replace(deployed(WITH_GIVEN), given_role=GIVEN)
    document = status(observed, WITH_GIVEN, s3sync__role_arn=GIVEN_ARN)
    assert document["state"] == "on"
    assert document["role_arn"] == GIVEN_ARN
    assert document["resources"][0] == {"resource": "role", "name": "given", "state": "given"}


def test_with_a_given_role_and_nothing_else_it_is_off():
    assert status(replace(NOTHING, given_role=GIVEN), WITH_GIVEN)["state"] == "off"


def test_our_role_beside_a_given_one_differs():
    observed = replace(deployed(WITH_GIVEN), given_role=GIVEN, role=DESIRED.role)
    document = status(observed, WITH_GIVEN)
    assert document["state"] == "differs"
    assert parts(document)["role"] == "differs"


def test_the_status_says_where_everything_is():
    document = status(NOTHING, make_desired(storage__prefix="pkgs/"), storage__prefix="pkgs/")
    expected = {
        "function": "sync",
        "function_arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sync",
        "role_arn": DESIRED.role.arn,
        "bucket": BUCKET,
        "prefix": "pkgs/",
        "region": REGION,
        "cache": "dynamo",
        "runtime": "python3.12",
        "architecture": "x86_64",
        "foreign_notifications": 0,
    }
    assert {key: document[key] for key in expected} == expected
    assert [part["name"] for part in document["resources"]] == [
        DESIRED.names.role,
        "/aws/lambda/sync",
        "sync",
        DESIRED.names.statement,
        DESIRED.names.notification,
    ]


def test_notifications_of_others_are_counted_and_ours_is_not():
    theirs = {"Id": "x", "LambdaFunctionArn": OTHER, "Events": ["s3:Replication:*"]}
    observed = {
        "LambdaFunctionConfigurations": [theirs, DESIRED.subscription.entry],
        "EventBridgeConfiguration": {},
    }
    plan = plan_enable(DESIRED, replace(DEPLOYED, notifications=observed))
    assert status_document(plan, make_settings())["foreign_notifications"] == 2
    document = plan_document(plan, "enable")
    assert document["foreign_notifications"] == 2
    assert document["foreign"] == [{"id": "x", "events": ["s3:Replication:*"], "to": OTHER}]


def test_the_bundle_that_is_deployed_is_told_beside_the_servers():
    assert status(DEPLOYED)["bundle"] == {"deployed": FINGERPRINT, "server": FINGERPRINT}
    assert status(NOTHING)["bundle"] == {"deployed": None, "server": FINGERPRINT}


def test_the_plan_document_tells_what_would_be_done():
    plan = plan_enable(DESIRED, configured(Timeout=3))
    assert plan_document(plan, "enable") == {
        "command": "enable",
        "function": "sync",
        "region": REGION,
        "bucket": BUCKET,
        "in_sync": False,
        "foreign_notifications": 0,
        "foreign": [],
        "actions": [
            {
                "verb": "update",
                "resource": "function",
                "name": "sync",
                "changes": [{"field": "Timeout", "before": 3, "after": 60}],
            }
        ],
    }


def test_a_plan_without_actions_is_in_sync():
    document = plan_document(plan_disable(DESIRED, NOTHING), "disable")
    assert document["command"] == "disable"
    assert document["in_sync"] is True
    assert document["actions"] == []


@pytest.mark.parametrize(
    "observed", [NOTHING, DEPLOYED, *DIFFERENT.values()], ids=["nothing", "all", *DIFFERENT]
)
def test_documents_are_json_as_they_are(observed):
    plan = plan_enable(DESIRED, observed, "code")
    for document in (
        plan_document(plan, "enable"),
        plan_document(plan_disable(DESIRED, observed), "disable"),
        status_document(plan, make_settings()),
    ):
        assert json.loads(json.dumps(document)) == document


def test_documents_show_the_changes_and_never_the_arguments():
    """Arguments hold the environment as it is sent."""
    for action in plan_document(plan_enable(DESIRED, NOTHING), "enable")["actions"]:
        assert set(action) == {"verb", "resource", "name", "changes"}
