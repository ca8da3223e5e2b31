"""Understand why AWS denied a call, and who can change that.

AWS names the type of policy that denied a call at the end of its message:
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PATTERN = re.compile(
    r"not authorized to perform: (?P<action>[\w-]+:\w+)"
    r"(?: on (?:the )?resource: (?P<resource>\"[^\"]*\"|\S+))?"
)
#: Lambda's message if EC2 denies it a look at the network of a function in a VPC on behalf of the caller.
BY_EC2 = re.compile(r"denied by EC2, .* have permission to (?P<action>\w+)")
#: KMS's older message, for example to Systems Manager: it names neither the action nor the key.
BY_KMS = re.compile(r"ciphertext refers to a customer master key that does not exist")
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
        found, by_ec2 = PATTERN.search(reason), BY_EC2.search(reason)
        decrypt = "kms:Decrypt" if BY_KMS.search(reason) else ""
        resource = (found["resource"] or "").strip('".,:') if found else ""
        remedy = _remedy(reason)
        return cls(
            action=found["action"] if found else f"ec2:{by_ec2['action']}" if by_ec2 else decrypt,
            # IAM names some resources as in "role x", which is no value for a policy.
            resource=resource if resource.startswith("arn:") else "",
            remedy=remedy or ALLOW,
            allowable=remedy is None,
        )


def _remedy(reason: str) -> str | None:
    """Return who has to change what, or None if an IAM policy of the caller can allow the call."""
    explicit = EXPLICIT.search(reason)
    if explicit is not None:
        policy, owner = OWNERS.get((explicit["kind"] or "").lower(), UNNAMED)
        return f"{policy} denies it, which no other policy overrides; ask {owner} to change it"
    implicit = IMPLICIT.search(reason)
    if implicit is None or implicit["kind"].lower() == "identity-based":
        return None
    policy, owner = OWNERS.get(implicit["kind"].lower(), UNNAMED)
    return f"{policy} does not allow it, and no other policy can; ask {owner} to change it"
