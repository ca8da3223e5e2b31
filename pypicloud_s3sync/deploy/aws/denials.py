"""Understand why AWS denied a call and who can change that, and build the policy that allows it.

AWS names the type of policy that denied a call at the end of its message:
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...exceptions import AwsError

#: Each service has its own codes. A response to HEAD has no body, so its code is the HTTP status.
DENIED_CODES = {
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"),
    # Of SQS, if KMS denies it the key of a queue on behalf of the caller.
    "KMS.AccessDeniedException",
}
PATTERN = re.compile(
    r"not authorized to perform: (?P<action>[\w-]+:\w+)"
    r"(?: on (?:the )?resource: (?P<resource>\"[^\"]*\"|\S+))?"
)
#: Lambda's message if EC2 denies it a look at the network of a function in a VPC on behalf of the caller, or
#: S3 the function's code: https://github.com/serverless/serverless/issues/8209 and
#: https://github.com/awslabs/lambda-streams-to-firehose/issues/21
ON_BEHALF = re.compile(r"denied by (?P<service>EC2|S3), .* have permission to (?P<action>\w+)")
#: KMS's older message, for example to Systems Manager, names neither the action nor the key:
#: https://github.com/tryolabs/aws-workshop/issues/6
BY_KMS = re.compile(r"ciphertext refers to a customer master key that does not exist")
#: CloudWatch Logs' message to a caller who may create a log group, but not with tags: it names another action
#: than the one that is missing: https://github.com/awslabs/aws-well-architected-labs/issues/745
BY_LOGS = re.compile(r"not authorized to perform CreateLogGroup with Tags")
#: How CloudWatch Logs names a log group, and all of them, in a message; a policy names both with an asterisk:
#: https://github.com/hashicorp/terraform-provider-aws/issues/8804
LOG_GROUP = re.compile(r":{1,2}log-stream:$")
#: KMS's message about a key whose policy does not let the caller use it, perhaps a key of another account:
#: https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html
BY_RESOURCE = re.compile(r"no resource-based policies allow access")
EXPLICIT = re.compile(r"with an explicit deny(?: in an? (?P<kind>[\w -]+?)(?: policy| boundary)\b)?")
IMPLICIT = re.compile(r"because no (?P<kind>[\w -]+?)(?: policy| boundary) allows")
#: What a policy of each type is called, and who can change it.
OWNERS = {
    "service control": ("a service control policy", "the administrator of the AWS organization"),
    "resource control": ("a resource control policy", "the administrator of the AWS organization"),
    "permissions": ("the caller's permissions boundary", "the administrator of the AWS account"),
    "session": ("the policy of the caller's session", "whoever issues the caller's credentials"),
    "resource-based": ("the resource's own policy", "the owner of the resource, for example of the bucket"),
    "vpc endpoint": ("the policy of the VPC endpoint", "the owner of the VPC endpoint"),
    "identity-based": ("a policy of the caller", "the administrator of the AWS account"),
}
UNNAMED = ("a policy", "the administrator of the AWS account")
ALLOW = "allow it for the caller in IAM"


@dataclass(frozen=True)
class Denial:
    """A call that AWS denied.

    Parameters
    ----------
    action, resource : str
        As AWS names them; empty if it does not. The resource is an ARN.
    remedy : str
        Who has to change what.
    allowable : bool
        Whether another IAM policy of the caller can allow the call: nothing overrides an explicit deny, nor
        a boundary that lacks the action.
    """

    action: str
    resource: str
    remedy: str
    allowable: bool

    @classmethod
    def of(cls, reason: str) -> Denial:
        """Return what AWS's message says."""
        found = PATTERN.search(reason)
        remedy = _remedy(reason)
        return cls(
            action=found["action"] if found else _unnamed_action(reason),
            resource=_resource(found["resource"] or "") if found else "",
            remedy=remedy or ALLOW,
            allowable=remedy is None,
        )


def is_denied(error: Exception) -> bool:
    """Return whether AWS denied a call."""
    return isinstance(error, AwsError) and error.code in DENIED_CODES


def policy_that_allows(error: Exception) -> dict[str, Any] | None:
    """Return an IAM policy that allows what AWS denied; None if no policy can, or the error is no denial.

    If AWS does not name the resource, the policy allows the action on all resources. No policy does that with
    a KMS key: the caller has to find out which one is meant.
    """
    if not isinstance(error, AwsError) or not is_denied(error) or not error.allowable:
        return None
    if error.policy is not None:
        return dict(error.policy)
    if not error.action or (error.action.startswith("kms:") and not error.resource):
        return None
    allow = {"Effect": "Allow", "Action": error.action, "Resource": error.resource or "*"}
    return {"Version": "2012-10-17", "Statement": [allow]}


def denied(action: str, resource: str, code: str, reason: str) -> AwsError:
    """Return the error for a call that AWS denied.

    Parameters
    ----------
    action, resource : str
        The IAM action that was called, and the resource as the message names it.
    code, reason : str
        AWS's error code and message.
    """
    denial = Denial.of(reason)
    # AWS may deny another action than the one that was called: CreateFunction needs iam:PassRole.
    named = denial.action and denial.action.lower() != action.lower()
    shown, where = (denial.action, denial.resource or resource) if named else (action, resource)
    message = f"AccessDenied for {shown} on {where}: {denial.remedy} ({reason})"
    return AwsError(message, code, denial.action or action, denial.resource, allowable=denial.allowable)


@contextmanager
def offering(policy: Callable[[AwsError], Mapping[str, Any]]) -> Iterator[None]:
    """Add a policy to an error for a denied call, so that the caller learns of all missing rights at once.

    For a denied read, that is the one of :func:`..operator.policy.policy_for_reading`.
    """
    try:
        yield
    except AwsError as error:
        if is_denied(error) and error.allowable and error.action:
            error.policy = policy(error)
        raise


def _unnamed_action(reason: str) -> str:
    """Return the action that a message means without naming it as IAM does; empty if it does not tell."""
    on_behalf = ON_BEHALF.search(reason)
    if on_behalf is not None:
        return f"{on_behalf['service'].lower()}:{on_behalf['action']}"
    meant = {"kms:Decrypt": BY_KMS, "logs:TagResource": BY_LOGS}
    return next((action for action, pattern in meant.items() if pattern.search(reason)), "")


def _resource(text: str) -> str:
    """Return a resource as a policy names it; empty for one that is no ARN, as in IAM's "role x"."""
    resource = text.strip('".,')
    return LOG_GROUP.sub(":*", resource) if resource.startswith("arn:") else ""


def _remedy(reason: str) -> str | None:
    """Return who has to change what, or None if an IAM policy of the caller can allow the call."""
    explicit = EXPLICIT.search(reason)
    if explicit is not None:
        policy, owner = OWNERS.get((explicit["kind"] or "").lower(), UNNAMED)
        return f"{policy} denies it, which no other policy overrides; ask {owner} to change it"
    implicit = IMPLICIT.search(reason)
    kind = implicit["kind"].lower() if implicit else "resource-based" if BY_RESOURCE.search(reason) else None
    if kind in (None, "identity-based"):
        return None
    policy, owner = OWNERS.get(kind, UNNAMED)
    return f"{policy} does not allow it, and no other policy can; ask {owner} to change it"
