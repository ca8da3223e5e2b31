"""Create, update and delete the function's role."""

from __future__ import annotations

import json

from ..desired.policy import POLICY_NAME
from ..desired.tags import tag_list
from ..models import Role
from ..readers.roles import find_role
from .calls import Calls


class RoleWriter:
    """Actions on the role."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def create(self, role: Role) -> None:
        """Create the role with its policy."""
        self.calls.create(lambda: self._create(role), lambda: self._is_created(role))
        self._put_policy(role)

    def _create(self, role: Role) -> None:
        boundary = {"PermissionsBoundary": role.boundary} if role.boundary else {}
        self.calls.do(
            *("iam", "create_role", f"the role {role.name}"),
            RoleName=role.name,
            Path=role.path,
            AssumeRolePolicyDocument=json.dumps(role.trust),
            Description=role.description,
            Tags=tag_list(role.tags),
            **boundary,
        )

    def _is_created(self, role: Role) -> bool:
        """Return whether the existing role has what only its creation sets."""
        found = find_role(self.calls, role.name)
        return found is not None and (found.arn, found.trust, found.boundary, found.tags) == (
            *(role.arn, role.trust, role.boundary),
            role.tags,
        )

    def update(self, role: Role, before: Role) -> None:
        """Update the parts that differ."""
        name, resource = role.name, f"the role {role.name}"
        if role.trust != before.trust:
            trust = json.dumps(role.trust)
            self.calls.do("iam", "update_assume_role_policy", resource, RoleName=name, PolicyDocument=trust)
        if role.policy != before.policy:
            self._put_policy(role)
        if role.boundary and role.boundary != before.boundary:
            boundary = {"PermissionsBoundary": role.boundary}
            self.calls.do("iam", "put_role_permissions_boundary", resource, RoleName=name, **boundary)
        if not role.tags.items() <= before.tags.items():
            self.calls.do("iam", "tag_role", resource, RoleName=name, Tags=tag_list(role.tags))

    def _put_policy(self, role: Role) -> None:
        document = json.dumps(role.policy)
        arguments = {"RoleName": role.name, "PolicyName": POLICY_NAME, "PolicyDocument": document}
        self.calls.do("iam", "put_role_policy", f"the role {role.name}", **arguments)

    def delete(self, name: str) -> None:
        """Delete the role after its inline and attached policies, foreign ones included, as IAM requires."""
        resource = f"the role {name}"
        response = self.calls.find("iam", "list_role_policies", resource, RoleName=name) or {}
        for policy in response.get("PolicyNames", []):
            self.calls.delete_if_exists(
                "iam", "delete_role_policy", resource, RoleName=name, PolicyName=policy
            )
        response = self.calls.find("iam", "list_attached_role_policies", resource, RoleName=name) or {}
        for policy in response.get("AttachedPolicies", []):
            self.calls.delete_if_exists(
                "iam", "detach_role_policy", resource, RoleName=name, PolicyArn=policy["PolicyArn"]
            )
        self.calls.delete_if_exists("iam", "delete_role", resource, RoleName=name)
