"""Performing a plan: each action once, in order, with its progress reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from pypicloud_s3sync.deploy.bundle import Bundle
from pypicloud_s3sync.deploy.executor import VERBS, execute, step_name
from pypicloud_s3sync.deploy.models import Action, Plan, Progress, Reporter
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from pypicloud_s3sync.deploy.writers import Writers
from pypicloud_s3sync.exceptions import AwsError, BundleError
from support.fakes import NOTHING, deployed, make_desired

DESIRED = make_desired()
BUNDLE = Bundle(b"zip", 3)


class FakeWriters:
    """Stands for the writers: logs each call, and raises an error for one of them.

    Parameters
    ----------
    failing : str, optional
        The call that raises ``error``.
    error : BaseException, optional
    """

    def __init__(self, failing: str = "", error: BaseException | None = None) -> None:
        self.failing = failing
        self.error = error
        self.log: list[str] = []
        self.arguments: dict[str, Any] = {}

    def bundle(self, report: Reporter) -> Bundle:
        self.log.append("bundle")
        return BUNDLE

    def pause(self, duration: int, report: Callable[[int], None]) -> None:
        self.log.append(f"pause {duration}")
        report(0)

    def perform(self, call: str, **arguments: Any) -> None:
        self.log.append(call)
        self.arguments = arguments
        if call == self.failing and self.error is not None:
            raise self.error


class Run:
    """The execution of a plan with fake writers, and its reported progress."""

    def __init__(self, writers: FakeWriters | None = None) -> None:
        self.writers = writers or FakeWriters()
        self.reported: list[Progress] = []

    def execute(self, plan: Plan) -> Run:
        # FakeWriters has the methods of Writers that execute() calls.
        execute(plan, cast(Writers, self.writers), self.writers.bundle, self.reported.append)
        return self

    @property
    def steps(self) -> list[tuple[str, str]]:
        return [(progress.step, progress.state) for progress in self.reported]

    @property
    def messages(self) -> list[str]:
        return [progress.message for progress in self.reported]


def plan_of(*actions: Action) -> Plan:
    return Plan(actions, DESIRED, NOTHING)


def test_each_action_is_performed_once_in_order() -> None:
    plan = plan_enable(DESIRED, NOTHING)
    assert Run().execute(plan).writers.log == ["bundle", *(action.call for action in plan.actions)]


def test_an_empty_plan_does_and_reports_nothing() -> None:
    run = Run().execute(plan_enable(DESIRED, deployed(DESIRED)))
    assert run.writers.log == []
    assert run.reported == []


def test_a_bundle_that_cannot_be_built_leaves_aws_unchanged() -> None:
    writers = FakeWriters()

    def fail(report: Reporter) -> Bundle:
        raise BundleError("no wheel for x")

    with pytest.raises(BundleError):
        execute(plan_enable(DESIRED, NOTHING), cast(Writers, writers), fail, lambda progress: None)
    assert writers.log == []


@pytest.mark.parametrize(
    "plan",
    [plan_disable(DESIRED, deployed(DESIRED)), plan_enable(DESIRED, deployed(DESIRED, statements=()))],
    ids=["disable", "permission"],
)
def test_the_bundle_is_not_built_if_no_action_needs_it(plan: Plan) -> None:
    assert "bundle" not in Run().execute(plan).writers.log


@pytest.mark.parametrize("call", ["function.create", "function.update_code"])
def test_the_bundle_is_passed_to_an_action_that_needs_it(call: str) -> None:
    run = Run().execute(plan_of(Action("update", "code", "f", call, {"name": "f"})))
    assert run.writers.arguments == {"name": "f", "bundle": BUNDLE}


def test_the_bundle_is_built_once_for_two_actions() -> None:
    actions = [Action("update", "code", "f", call) for call in ("function.create", "function.update_code")]
    assert Run().execute(plan_of(*actions)).writers.log.count("bundle") == 1


def test_an_action_is_performed_with_its_arguments_and_keeps_them() -> None:
    action = Action("delete", "role", "r", "role.delete", {"name": "r"})
    assert Run().execute(plan_of(action)).writers.arguments == {"name": "r"}
    assert action.arguments == {"name": "r"}


def test_each_step_is_reported_when_it_starts_and_when_it_is_done() -> None:
    assert Run().execute(plan_enable(DESIRED, NOTHING)).steps == [
        (step, state)
        for step in (
            "create role",
            "create log group",
            "create dead-letter queue",
            "create queue",
            "create function",
            "create event source mapping",
            "create permission",
            "create notification",
        )
        for state in ("running", "done")
    ]


def test_an_action_with_a_delay_waits_first_and_says_why() -> None:
    run = Run().execute(plan_of(Action("delete", "permission", "p", "permission.remove", delay=300)))
    assert run.writers.log == ["pause 300", "permission.remove"]
    waiting = run.reported[0]
    assert (waiting.done, waiting.total) == (0, 300)
    assert waiting.message == "waiting 5 minutes"
    assert "no event may be lost" in str(waiting.note)


def test_messages_name_the_resource() -> None:
    run = Run().execute(plan_of(Action("delete", "log group", "/aws/lambda/f", "log_group.delete")))
    assert run.messages == ["deleting the log group /aws/lambda/f", "deleted the log group /aws/lambda/f"]


def test_the_first_failure_is_reported_and_ends_the_run() -> None:
    run = Run(FakeWriters("function.create", AwsError("AccessDenied for lambda:CreateFunction")))
    with pytest.raises(AwsError):
        run.execute(plan_enable(DESIRED, NOTHING))
    assert run.writers.log == [
        *("bundle", "role.create", "log_group.create", "queue.create", "queue.create"),
        "function.create",
    ]
    assert run.steps[-2:] == [("create function", "running"), ("create function", "failed")]
    assert run.messages[-1] == "AccessDenied for lambda:CreateFunction"


def test_an_interrupted_step_is_reported_neither_as_done_nor_as_failed() -> None:
    run = Run(FakeWriters("role.create", KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run.execute(plan_enable(DESIRED, NOTHING))
    assert run.steps == [("create role", "running")]


def test_no_message_contains_a_secret() -> None:
    desired = make_desired(pypi__db="redis", db__url="redis://:hunter2@cache.example")
    observed = deployed(desired)
    for plan in (
        plan_enable(desired, NOTHING),
        plan_enable(desired, observed, force=True),
        plan_disable(desired, observed),
    ):
        assert "hunter2" not in str(Run().execute(plan).messages)


def test_every_verb_of_a_plan_has_messages() -> None:
    planned = plan_enable(DESIRED, NOTHING).actions + plan_disable(DESIRED, deployed(DESIRED)).actions
    planned += plan_enable(DESIRED, deployed(DESIRED), force=True).actions
    assert {action.verb for action in planned} == set(VERBS)
    assert step_name(planned[0]) == "create role"
