"""A plan is performed as it was shown: each action once, in order, each step told."""

import pytest

from pypicloud_s3sync.deploy.executor import VERBS, execute, step_name
from pypicloud_s3sync.deploy.models import Action, Plan
from pypicloud_s3sync.deploy.plan.planner import plan_disable, plan_enable
from pypicloud_s3sync.exceptions import AwsError, BundleError
from support.fakes import NOTHING, deployed, make_desired

DESIRED = make_desired()
BUNDLE = object()


class Performed:
    """Stands for the writers: logs what is performed, and fails or is interrupted where told."""

    def __init__(self, failing=None, error=None):
        self.log = []
        self.failing = failing
        self.error = error

    def bundle(self, report):
        self.log.append("bundle")
        return BUNDLE

    def perform(self, call, **arguments):
        self.log.append(call)
        self.arguments = arguments
        if call == self.failing:
            raise self.error


def run(plan, writers=None):
    """Perform a plan; what was reported."""
    writers = writers or Performed()
    told = []
    try:
        execute(plan, writers, writers.bundle, told.append)
    finally:
        writers.told = [(progress.step, progress.state) for progress in told]
        writers.messages = [progress.message for progress in told]
    return writers


def plan_of(*actions):
    return Plan(actions, DESIRED, NOTHING)


def test_the_actions_are_performed_once_each_in_their_order():
    plan = plan_enable(DESIRED, NOTHING)
    assert run(plan).log == ["bundle", *(action.call for action in plan.actions)]


def test_an_empty_plan_does_and_says_nothing():
    writers = run(plan_enable(DESIRED, deployed(DESIRED)))
    assert writers.log == []
    assert writers.told == []


def test_the_bundle_is_built_before_anything_is_changed():
    """A bundle that does not work leaves AWS as it was."""
    writers = Performed()

    def broken(report):
        raise BundleError("no wheel for x")

    with pytest.raises(BundleError):
        execute(plan_enable(DESIRED, NOTHING), writers, broken, lambda progress: None)
    assert writers.log == []


@pytest.mark.parametrize(
    "plan",
    [plan_disable(DESIRED, deployed(DESIRED)), plan_enable(DESIRED, deployed(DESIRED, statements=()))],
    ids=["disable", "a permission"],
)
def test_the_bundle_is_not_built_where_no_code_is_sent(plan):
    assert "bundle" not in run(plan).log


@pytest.mark.parametrize("call", ["function.create", "function.update_code", "function.tag_bundle"])
def test_code_goes_along_with_what_sends_it(call):
    writers = run(plan_of(Action("update", "code", "f", call, {"name": "f"})))
    assert writers.arguments == {"name": "f", "bundle": BUNDLE}


def test_the_bundle_is_built_once_for_two_actions():
    actions = [
        Action("update", "code", "f", call) for call in ("function.update_code", "function.tag_bundle")
    ]
    assert run(plan_of(*actions)).log.count("bundle") == 1


def test_arguments_are_those_of_the_plan():
    action = Action("delete", "role", "r", "role.delete", {"name": "r"})
    assert run(plan_of(action)).arguments == {"name": "r"}
    assert action.arguments == {"name": "r"}, "and the plan keeps its own"


def test_each_step_is_told_when_it_starts_and_when_it_is_done():
    assert run(plan_enable(DESIRED, NOTHING)).told == [
        (step, state)
        for step in (
            "create role",
            "create log group",
            "create function",
            "create permission",
            "create notification",
        )
        for state in ("running", "done")
    ]


def test_messages_name_the_resource():
    writers = run(plan_of(Action("delete", "log group", "/aws/lambda/f", "log_group.delete")))
    assert writers.messages == ["deleting the log group /aws/lambda/f", "deleted the log group /aws/lambda/f"]


def test_the_first_failure_is_told_and_ends_the_run():
    plan = plan_enable(DESIRED, NOTHING)
    writers = Performed("function.create", AwsError("AccessDenied for lambda:CreateFunction"))
    with pytest.raises(AwsError):
        run(plan, writers)
    assert writers.log == ["bundle", "role.create", "log_group.create", "function.create"]
    assert writers.told[-2:] == [("create function", "running"), ("create function", "failed")]
    assert writers.messages[-1] == "AccessDenied for lambda:CreateFunction"


def test_a_run_that_is_interrupted_claims_nothing_of_its_step():
    writers = Performed("role.create", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(plan_enable(DESIRED, NOTHING), writers)
    assert writers.told == [("create role", "running")]


def test_no_message_holds_a_secret():
    desired = make_desired(pypi__db="redis", db__url="redis://:hunter2@cache.example")
    observed = deployed(desired)
    for plan in (
        plan_enable(desired, NOTHING),
        plan_enable(desired, observed, "x"),
        plan_disable(desired, observed),
    ):
        assert "hunter2" not in str(run(plan).messages)


def test_every_verb_of_a_plan_has_its_words():
    planned = plan_enable(DESIRED, NOTHING).actions + plan_disable(DESIRED, deployed(DESIRED)).actions
    planned += plan_enable(DESIRED, deployed(DESIRED), "x").actions
    assert {action.verb for action in planned} == set(VERBS)
    assert step_name(planned[0]) == "create role"
