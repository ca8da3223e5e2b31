"""A desired deployment, AWS after it was enabled, variants of that, and what plans do to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pypicloud_s3sync.deploy.models import Action, Observed, Plan, Role
from support.fakes import ACCOUNT, REGION, deployed, make_desired, not_none

DESIRED = make_desired()
DEPLOYED = deployed(DESIRED)
ROLE, FUNCTION = not_none(DEPLOYED.role), not_none(DEPLOYED.function)
POLICY = not_none(ROLE.policy)
ENTRY = not_none(DESIRED.subscription.entry)
#: The deployment with a given role instead of its own.
GIVEN_ARN = f"arn:aws:iam::{ACCOUNT}:role/given"
WITH_GIVEN = make_desired(s3sync__role_arn=GIVEN_ARN)
GIVEN = Role("given", "/", GIVEN_ARN, ROLE.trust, policy=None, boundary=None, tags={})
#: A function with the deployment's name that another owner created.
FOREIGN_FUNCTION = replace(
    FUNCTION, tags={"team": "x"}, configuration={**DESIRED.function.configuration, "Timeout": 3}
)
#: The ARN of a foreign function that receives notifications.
OTHER_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other"


def with_configuration(**changes: Any) -> Observed:
    """Return AWS with another configuration of the function."""
    configuration = {**FUNCTION.configuration, **changes}
    return deployed(DESIRED, function=replace(FUNCTION, configuration=configuration))


def with_tags(part: str, tags: dict[str, str]) -> Observed:
    """Return AWS with other tags on one resource."""
    return deployed(DESIRED, **{part: replace(getattr(DEPLOYED, part), tags=tags)})


def calls(plan: Plan) -> list[str]:
    return [action.call for action in plan.actions]


def actions(plan: Plan, call: str) -> list[Action]:
    return [action for action in plan.actions if action.call == call]


def only_action(plan: Plan) -> Action:
    (action,) = plan.actions
    return action


def changed_fields(plan: Plan) -> list[str]:
    return [change.field for action in plan.actions for change in action.changes]
