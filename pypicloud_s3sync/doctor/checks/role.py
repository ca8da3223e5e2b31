"""Check that the function's role has the rights that the function needs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ...deploy.models import ROLE_TAG, Role
from ...deploy.plan.function import role_actions
from ...deploy.policy import lambda_may_assume
from ...exceptions import AwsError, NotReadError
from ..models import Decision, Facts, Finding, combined, failed, ok, warning
from ..unread import statement
from .function import ENABLE, observed, owned_function

SCOPE = "the policies of the organization and of the resources are not simulated"


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
                f"{ENABLE}, which gives it to the function anew",
            )
        )
    return combined([*findings, _rights(facts, found)])


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
    if not refused:
        return ok(f"{found.arn} allows each of {len(decisions)} simulated actions")
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
    if facts.desired.get().role is None:
        return warning(f"it is unknown whether {found.arn} allows everything: {error}", statement(error))
    if _differs(facts):
        return failed(f"the role {found.arn} differs from the one that the function needs", ENABLE)
    return ok(f"{found.arn} has the policy that the function needs, as far as reading it tells")
