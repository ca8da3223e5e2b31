"""Check that the function's role has the rights that the function needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...deploy.desired.policy import lambda_may_assume
from ...deploy.desired.tags import ROLE_TAG
from ...deploy.models import Role
from ...deploy.plan.function import role_actions
from ...deploy.plan.keys import with_keys
from ...exceptions import AwsError, NotReadError
from ..models import Decision, Facts, Finding, combined, failed, ok, warning
from ..unread import statement, unread
from .function import ENABLE, UPDATE, observed, owned_function


def role(facts: Facts) -> Finding:
    """Check that the role exists, that Lambda may assume it, and that it allows what the function does."""
    desired, found = facts.desired.get(), facts.role.get()
    given = desired.role is None
    if found is None:
        remedy = "correct s3sync.role_arn" if given else ENABLE
        return failed(f"the role {desired.role_arn} does not exist", remedy)
    findings = []
    if not lambda_may_assume(found.trust):
        remedy = "allow sts:AssumeRole for lambda.amazonaws.com in its trust policy" if given else ENABLE
        findings.append(failed(f"Lambda cannot assume the role {found.arn}", remedy))
    if _was_created_again(facts, found):
        findings.append(
            failed(
                f"the role {found.name} was deleted and created again, so the function cannot decrypt its"
                " environment",
                f"{ENABLE}, which assigns it to the function again",
            )
        )
    unknown = [fact.error for fact in (facts.parameter, facts.secret_key) if fact.error is not None]
    return combined([*findings, _rights(facts, found), *map(unread, unknown)])


def _was_created_again(facts: Facts, found: Role) -> bool:
    try:
        tag = owned_function(facts).tags.get(ROLE_TAG)
    except (AwsError, NotReadError):
        return False
    return bool(tag and found.unique_id and tag != found.unique_id)


def _rights(facts: Facts, found: Role) -> Finding:
    if facts.decisions.error is not None:
        return _by_reading(facts, found, facts.decisions.error)
    decisions = facts.decisions.get()
    refused = [decision for decision in decisions if not decision.is_allowed]
    wanted = _wanted(facts)
    if not refused and wanted is not None:
        # A simulation would need the values that the conditions compare.
        lacking = _lacking(found, _with_conditions(wanted.policy))
        if lacking:
            return failed(f"{found.arn} lacks {_listed(lacking)}", ENABLE)
    if not refused:
        return ok(f"{found.arn} allows each simulated action ({len(decisions)})")
    explicit = [decision for decision in refused if decision.decision == "explicitDeny"]
    evidence = f"{found.arn} lacks {_listed(refused)}"
    if explicit:
        evidence = f"a policy explicitly denies {found.arn} {_listed(explicit)}"
        return failed(evidence, "ask the administrator of the AWS account to change that policy")
    if facts.desired.get().role is not None and _differs(facts):
        return failed(evidence, ENABLE)
    allow = {
        "Effect": "Allow",
        "Action": list(dict.fromkeys(decision.action for decision in refused)),
        "Resource": list(dict.fromkeys(decision.resource for decision in refused)),
    }
    return failed(evidence, f"add this statement to its policy, or to its boundary: {json.dumps(allow)}")


def _listed(decisions: Sequence[Decision]) -> str:
    shown = [f"{decision.action} on {decision.resource}" for decision in decisions[:3]]
    more = f" and {len(decisions) - 3} more" if len(decisions) > 3 else ""
    return ", ".join(shown) + more


def _differs(facts: Facts) -> bool:
    return any(True for _ in role_actions(facts.desired.get(), observed(facts)))


def _by_reading(facts: Facts, found: Role, error: Exception) -> Finding:
    """Return what the role's own policy tells if IAM could not simulate it."""
    wanted = _wanted(facts)
    if wanted is None:
        remedy = statement(error) or "`ppc-s3sync template` shows the policy that the function needs"
        return warning(f"it is unknown whether {found.arn} allows everything: {error}", remedy)
    missing = _lacking(found, wanted.policy)
    if missing:
        return failed(f"{found.arn} lacks {_listed(missing)}", ENABLE)
    if _differs(facts):
        return warning(f"{found.arn} differs from the role that the function needs", UPDATE)
    return ok(f"{found.arn} has the policy that the function needs")


def _wanted(facts: Facts) -> Role | None:
    """Return the role that ``enable`` would create; None if the settings name one."""
    desired = facts.desired.get()
    return None if desired.role is None else with_keys(desired.role, desired, observed(facts))


def _with_conditions(policy: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the statements of a policy that have a condition: those on keys."""
    statements = (policy or {}).get("Statement", [])
    return {"Statement": [statement for statement in statements if "Condition" in statement]}


def _lacking(found: Role, policy: Mapping[str, Any] | None) -> list[Decision]:
    """Return what a policy allows and the role's own policy does not."""
    allowed = _pairs(found.policy)
    return [Decision(*pair, "implicitDeny") for pair in _pairs(policy) if pair not in allowed]


def _pairs(policy: Mapping[str, Any] | None) -> dict[tuple[str, str], None]:
    """Return each action with its resource that a policy allows, as it is written."""
    statements = (policy or {}).get("Statement", [])
    return {
        (action, resource): None
        for statement in (statements if isinstance(statements, list) else [statements])
        if statement.get("Effect") == "Allow"
        for action in _as_list(statement.get("Action", []))
        for resource in _as_list(statement.get("Resource", []))
    }


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
