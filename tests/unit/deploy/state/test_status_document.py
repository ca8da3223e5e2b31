"""The status document: the state of each part and of all, and what is wrong."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from typing import Any

import pytest

from pypicloud_s3sync.cli.console import make_console, show_status
from pypicloud_s3sync.config import runtimes
from pypicloud_s3sync.config.options import Delivery
from pypicloud_s3sync.deploy.desired.tags import BUNDLE_TAG, bundle_tag
from pypicloud_s3sync.deploy.models import Desired, Function, Observed, Role
from pypicloud_s3sync.deploy.plan.planner import compare, plan_disable, plan_enable
from pypicloud_s3sync.deploy.problems import Problem
from pypicloud_s3sync.deploy.state.plan_document import plan_document
from pypicloud_s3sync.deploy.state.status_document import RESOURCES, status_document
from support.fakes import (
    ACCOUNT,
    BUCKET,
    CODE,
    FINGERPRINT,
    NOTHING,
    REGION,
    deployed,
    make_desired,
    make_settings,
    not_none,
)

KINDS = RESOURCES[Delivery.DIRECT]
DESIRED = make_desired()
DEPLOYED = deployed(DESIRED)
ROLE, FUNCTION, GROUP = not_none(DEPLOYED.role), not_none(DEPLOYED.function), not_none(DEPLOYED.log_group)
ENTRY = not_none(DESIRED.subscription.entry)
GIVEN_ARN = f"arn:aws:iam::{ACCOUNT}:role/teams/given"
WITH_GIVEN = make_desired(s3sync__role_arn=GIVEN_ARN)
GIVEN = Role("given", "/teams/", GIVEN_ARN, ROLE.trust, policy=None, boundary=None, tags={})
OTHER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other"


def status(observed: Observed, desired: Desired = DESIRED, **changes: str) -> dict[str, Any]:
    return status_document(plan_enable(desired, observed), make_settings(**changes))


def states(document: dict[str, Any]) -> dict[str, str]:
    return {resource["resource"]: resource["state"] for resource in document["resources"]}


def with_configuration(**changes: Any) -> Observed:
    return replace(DEPLOYED, function=replace(FUNCTION, configuration={**FUNCTION.configuration, **changes}))


def test_sync_is_off_and_everything_missing_if_nothing_exists() -> None:
    document = status(NOTHING)
    assert document["state"] == "off"
    assert document["in_sync"] is False
    assert states(document) == dict.fromkeys(KINDS, "missing")


def test_sync_is_on_if_everything_is_as_desired() -> None:
    document = status(DEPLOYED)
    assert document["state"] == "on"
    assert document["in_sync"] is True
    assert states(document) == dict.fromkeys(KINDS, "ok")
    assert document["actions"] == []


RESOURCES_OF_DELIVERY = DEPLOYED.delivery_resources
QUEUE, DEAD_LETTERS = not_none(RESOURCES_OF_DELIVERY.queue), not_none(RESOURCES_OF_DELIVERY.dead_letters)
MAPPING = not_none(RESOURCES_OF_DELIVERY.mapping)


def with_resources(**changes: Any) -> dict[str, Any]:
    return {"delivery_resources": replace(RESOURCES_OF_DELIVERY, **changes)}


MISSING: dict[str, dict[str, Any]] = {
    "role": {"role": None},
    "log group": {"log_group": None},
    "dead-letter queue": with_resources(dead_letters=None),
    "queue": with_resources(queue=None),
    "function": {"function": None},
    "event source mapping": with_resources(mapping=None),
    "permission": {"statements": ()},
    "notification": {"notifications": {}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_sync_is_partial_if_one_resource_is_missing(kind: str) -> None:
    document = status(replace(DEPLOYED, **MISSING[kind]))
    assert document["state"] == "partial"
    # A new role must be given to the function.
    differs = {"function": "differs"} if kind == "role" else {}
    assert states(document) == {**dict.fromkeys(KINDS, "ok"), **differs, kind: "missing"}


DIFFERENT = {
    "role": replace(DEPLOYED, role=replace(ROLE, policy=None)),
    "log group": replace(DEPLOYED, log_group=replace(GROUP, retention_days=None)),
    "dead-letter queue": replace(
        DEPLOYED, **with_resources(dead_letters=replace(DEAD_LETTERS, attributes={}))
    ),
    "queue": replace(DEPLOYED, **with_resources(queue=replace(QUEUE, attributes={}))),
    "function": with_configuration(Timeout=3),
    "event source mapping": replace(DEPLOYED, **with_resources(mapping=replace(MAPPING, configuration={}))),
    "permission": replace(DEPLOYED, statements=({**DEPLOYED.statements[0], "Principal": "*"},)),
    "notification": replace(
        DEPLOYED,
        notifications={"LambdaFunctionConfigurations": [{**ENTRY, "Events": ["s3:Replication:*"]}]},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_sync_differs_if_one_resource_differs(kind: str) -> None:
    document = status(DIFFERENT[kind])
    assert document["state"] == "differs"
    assert states(document) == {**dict.fromkeys(KINDS, "ok"), kind: "differs"}
    assert document["in_sync"] is False


def test_the_function_differs_if_its_code_differs() -> None:
    document = status(replace(DEPLOYED, function=replace(FUNCTION, code_sha256="another")))
    assert document["state"] == "differs"
    assert states(document)["function"] == "differs"
    assert [action["resource"] for action in document["actions"]] == ["code"]


def test_a_missing_resource_outweighs_one_that_differs() -> None:
    assert status(replace(DIFFERENT["function"], notifications={}))["state"] == "partial"


def test_sync_is_off_if_only_the_log_group_exists() -> None:
    """An earlier function, or a visit to the console, may have created it."""
    document = status(replace(NOTHING, log_group=DEPLOYED.log_group))
    assert document["state"] == "off"
    assert states(document)["log group"] == "ok"
    foreign = replace(DESIRED.log_group, retention_days=None, tags={})
    assert status(replace(NOTHING, log_group=foreign))["state"] == "off"


@pytest.mark.parametrize("kind", ["role", "permission", "notification"])
def test_sync_is_partial_if_only_another_resource_exists(kind: str) -> None:
    (field,) = MISSING[kind]
    changes: dict[str, Any] = {field: getattr(DEPLOYED, field)}
    assert status(replace(NOTHING, **changes))["state"] == "partial"


def test_a_given_role_has_the_state_given_and_its_own_name() -> None:
    observed = replace(deployed(WITH_GIVEN), given_role=GIVEN)
    document = status(observed, WITH_GIVEN, s3sync__role_arn=GIVEN_ARN)
    assert document["state"] == "on"
    assert document["role_arn"] == GIVEN_ARN
    role = document["resources"][0]
    assert (role["resource"], role["name"], role["state"]) == ("role", "given", "given")


def test_sync_is_off_if_only_a_given_role_exists() -> None:
    assert status(replace(NOTHING, given_role=GIVEN), WITH_GIVEN)["state"] == "off"


def test_the_role_differs_if_an_obsolete_one_exists_besides_a_given_one() -> None:
    observed = replace(deployed(WITH_GIVEN), given_role=GIVEN, role=ROLE)
    document = status(observed, WITH_GIVEN)
    assert document["state"] == "differs"
    assert states(document)["role"] == "differs"


def test_the_status_names_settings_and_resources() -> None:
    document = status(NOTHING, make_desired(storage__prefix="pkgs/"), storage__prefix="pkgs/")
    expected = {
        "function": "sync",
        "function_arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sync",
        "role_arn": ROLE.arn,
        "bucket": BUCKET,
        "prefix": "pkgs/",
        "region": REGION,
        "cache": "dynamo",
        "runtime": "python3.12",
        "architecture": "x86_64",
        "foreign_notifications": 0,
    }
    assert {key: document[key] for key in expected} == expected
    assert [resource["name"] for resource in document["resources"]] == [
        DESIRED.names.role,
        "/aws/lambda/sync",
        DESIRED.names.dead_letters,
        DESIRED.names.queue,
        "sync",
        DESIRED.names.queue,
        DESIRED.names.statement,
        DESIRED.names.notification,
    ]


def test_only_foreign_notifications_are_counted_and_listed() -> None:
    foreign = {"Id": "x", "LambdaFunctionArn": OTHER, "Events": ["s3:Replication:*"]}
    observed = {"LambdaFunctionConfigurations": [foreign, ENTRY], "EventBridgeConfiguration": {}}
    plan = plan_enable(DESIRED, replace(DEPLOYED, notifications=observed))
    assert status_document(plan, make_settings())["foreign_notifications"] == 2
    document = plan_document(plan, "enable")
    assert document["foreign_notifications"] == 2
    assert document["foreign"] == [{"id": "x", "events": ["s3:Replication:*"], "to": OTHER}]


def test_the_status_has_the_fingerprints_of_the_deployed_bundle_and_of_the_server() -> None:
    assert status(DEPLOYED)["bundle"] == {"deployed": FINGERPRINT, "server": FINGERPRINT}
    assert status(NOTHING)["bundle"] == {"deployed": None, "server": FINGERPRINT}


@pytest.mark.parametrize(
    "observed", [NOTHING, DEPLOYED, *DIFFERENT.values()], ids=["nothing", "everything", *DIFFERENT]
)
def test_documents_survive_serialization(observed: Observed) -> None:
    plan = plan_enable(DESIRED, observed)
    for document in (
        plan_document(plan, "enable"),
        plan_document(plan_disable(DESIRED, observed), "disable"),
        status_document(plan, make_settings()),
    ):
        assert json.loads(json.dumps(document)) == document


# What is wrong


def problems(document: dict[str, Any]) -> list[str]:
    return [problem["problem"] for problem in document["problems"]]


def test_a_healthy_state_is_on_in_sync_and_without_problems() -> None:
    document = status(DEPLOYED)
    assert (document["state"], document["in_sync"], document["healthy"]) == ("on", True, True)
    assert document["problems"] == []
    assert document["installed"] is True


def test_failing_events_are_part_of_the_state() -> None:
    document = with_problems(DEPLOYED, Problem("failing", "m", "r"))
    assert (document["state"], document["in_sync"], document["healthy"]) == ("failing", True, False)
    assert document["problems"] == [{"problem": "failing", "message": "m", "remedy": "r"}]


@pytest.mark.parametrize("kind", ["denied", "unknown"])
def test_a_state_that_cannot_be_read_is_not_healthy(kind: str) -> None:
    document = with_problems(DEPLOYED, Problem(kind, "m", "r", {"Version": "2012-10-17"}))
    assert (document["state"], document["healthy"]) == ("on", False)
    assert document["problems"][0]["policy"] == {"Version": "2012-10-17"}


def test_a_function_without_concurrency_is_paused_although_it_equals_the_settings() -> None:
    document = status(replace(DEPLOYED, function=replace(FUNCTION, reserved_concurrency=0)))
    assert (document["state"], document["in_sync"], document["healthy"]) == ("paused", True, False)
    assert problems(document) == ["paused"]


@pytest.mark.parametrize("kind", ["conflict", "tables"])
@pytest.mark.parametrize("observed", [NOTHING, DEPLOYED], ids=["nothing", "everything"])
def test_a_conflict_is_shown_beside_the_parts(kind: str, observed: Observed) -> None:
    document = with_problems(observed, Problem(kind, "m", "r"))
    assert (document["state"], document["healthy"]) == ("conflict", False)
    assert set(states(document)) == set(KINDS)
    assert document["installed"] is (observed is DEPLOYED)


def test_a_foreign_function_is_no_installation() -> None:
    observed = replace(NOTHING, function=replace(FUNCTION, tags={}))
    document = with_problems(observed, Problem("conflict", "m", "r"))
    assert document["installed"] is False
    (function,) = [part for part in document["resources"] if part["resource"] == "function"]
    assert function["foreign"] is True


@pytest.mark.parametrize(
    ("problem", "observed", "state"),
    [
        ("failing", replace(DEPLOYED, statements=()), "partial"),
        ("failing", with_configuration(Timeout=3), "differs"),
        ("failing", replace(DEPLOYED, function=replace(FUNCTION, reserved_concurrency=0)), "paused"),
        ("conflict", replace(DEPLOYED, statements=()), "conflict"),
    ],
)
def test_the_state_is_the_worst_and_the_problems_are_listed_all_the_same(
    problem: str, observed: Observed, state: str
) -> None:
    document = with_problems(observed, Problem(problem, "m", "r"))
    assert document["state"] == state
    assert problem in problems(document)


def with_problems(observed: Observed, *found: Problem) -> dict[str, Any]:
    return status_document(compare(DESIRED, observed), make_settings(), found)


# The row of a part


def part(document: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [resource for resource in document["resources"] if resource["resource"] == kind]
    return dict(found)


def test_a_row_says_what_differs_with_its_unit() -> None:
    found = part(status(with_configuration(MemorySize=128)), "function")
    assert found["differences"] == [{"field": "memory", "before": 128, "after": 512, "unit": "MB"}]


def test_a_missing_part_has_no_differences() -> None:
    assert part(status(NOTHING), "function")["differences"] == []


def code(function: Function) -> tuple[Any, Any]:
    document = status(replace(DEPLOYED, function=function))
    found = part(document, "function")
    assert found["code"] == document["code"]
    return document["code"], found["differences"]


def test_the_code_is_current_older_or_different_and_no_hash_is_shown() -> None:
    assert code(FUNCTION) == ("current", [])
    older = replace(FUNCTION, tags={**FUNCTION.tags, BUNDLE_TAG: bundle_tag("earlier", CODE)})
    assert code(older) == ("older", [{"field": "code", "before": "older", "after": "current"}])
    different = replace(FUNCTION, code_sha256="by hand")
    assert code(different) == ("different", [{"field": "code", "before": "different", "after": "current"}])
    assert status(NOTHING)["code"] is None


def test_another_architecture_is_named_too() -> None:
    (difference,) = code(
        replace(FUNCTION, configuration={**FUNCTION.configuration, "Architectures": ["arm64"]})
    )[1]
    assert difference == {"field": "architecture", "before": "arm64", "after": "x86_64"}


def test_a_part_that_exists_has_a_link_to_the_console_unless_it_is_an_emulators() -> None:
    assert part(status(DEPLOYED), "function")["console_url"].endswith("#/functions/sync")
    assert "console_url" not in part(status(NOTHING), "function")
    emulated = status(DEPLOYED, s3sync__endpoint_url="http://127.0.0.1:4566")
    assert all("console_url" not in resource for resource in emulated["resources"])
    assert emulated["metrics_url"] is None


def test_only_what_is_off_is_explained() -> None:
    assert "about" not in status(DEPLOYED)
    assert "Lambda function" in status(NOTHING)["about"]


def test_the_events_that_wait_and_failed_are_counted() -> None:
    resources = with_resources(
        queue=replace(QUEUE, messages=3), dead_letters=replace(DEAD_LETTERS, messages=2)
    )
    plan = plan_enable(DESIRED, replace(DEPLOYED, **resources))
    events = status_document(plan, make_settings(), ages={"failed": 60})["events"]
    assert events == {
        "waiting": 3,
        "oldest_waiting_seconds": None,
        "failed": 2,
        "oldest_failed_seconds": 60,
        "dead_letter_target": QUEUE.arn,
    }


def test_a_dead_letter_target_that_someone_set_is_named() -> None:
    arn = "arn:aws:sns:eu-west-1:111122223333:failures"
    document = status(with_configuration(DeadLetterConfig={"TargetArn": arn}))
    assert document["events"]["dead_letter_target"] == arn
    assert document["state"] == "on"


def test_a_runtime_that_lambda_deprecates_soon_is_a_warning_of_plan_and_status_but_healthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert status(DEPLOYED)["warnings"] == []
    monkeypatch.setitem(runtimes.DEPRECATION, "python3.12", datetime.date(2020, 1, 1))
    document = status(DEPLOYED)
    assert document["healthy"]
    assert plan_document(plan_enable(DESIRED, DEPLOYED), "enable")["warnings"] == document["warnings"]
    (warning,) = document["warnings"]
    assert "has deprecated the runtime python3.12" in warning
    console = make_console(quiet=False)
    with console.capture() as captured:
        show_status(console, document)
    assert "python3.12 since 2020-01-01" in " ".join(captured.get().split())


def test_a_runtime_whose_functions_lambda_refuses_to_update_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(runtimes.DEPRECATION, "python3.12", datetime.date(2020, 1, 1))
    monkeypatch.setitem(runtimes.UPDATES_BLOCKED, "python3.12", datetime.date(2020, 3, 1))
    document = status(DEPLOYED)
    assert (document["state"], document["healthy"]) == ("on", False)
    (problem,) = document["problems"]
    assert problem["message"].startswith("Lambda refuses updates of functions with the runtime python3.12")
    assert "s3sync.runtime" in problem["remedy"]
