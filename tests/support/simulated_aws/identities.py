"""IAM and STS."""

from __future__ import annotations

import json
from typing import Any

from support.fakes import ACCOUNT, refusal
from support.simulated_aws.base import Service, found, refuse_existing, tag_dict, tag_list

MISSING = "NoSuchEntity"


class Sts(Service):
    def get_caller_identity(self) -> Any:
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/operator"}


class Iam(Service):
    def _role(self, name: str) -> dict[str, Any]:
        return found(self.state.roles, name, MISSING)

    def create_role(
        self,
        RoleName: str,
        Path: str = "/",
        AssumeRolePolicyDocument: str = "{}",
        Description: str = "",
        Tags: Any = (),
        PermissionsBoundary: str | None = None,
    ) -> Any:
        refuse_existing(self.state.roles, RoleName, "EntityAlreadyExists")
        self.state.roles[RoleName] = {
            "RoleId": f"AROA{self.state.number()}",
            "Arn": f"arn:aws:iam::{ACCOUNT}:role{Path}{RoleName}",
            "Path": Path,
            "Trust": json.loads(AssumeRolePolicyDocument),
            "Tags": tag_dict(Tags),
            "Boundary": PermissionsBoundary,
            "Policies": {},
            "Attached": [],
        }

    def get_role(self, RoleName: str) -> Any:
        role = self._role(RoleName)
        boundary = {"PermissionsBoundary": {"PermissionsBoundaryArn": role["Boundary"]}}
        return {
            "Role": {
                "Arn": role["Arn"],
                "Path": role["Path"],
                "RoleId": role["RoleId"],
                "AssumeRolePolicyDocument": role["Trust"],
                "Tags": tag_list(role["Tags"]),
                **(boundary if role["Boundary"] else {}),
            }
        }

    def get_role_policy(self, RoleName: str, PolicyName: str) -> Any:
        return {"PolicyDocument": found(self._role(RoleName)["Policies"], PolicyName, MISSING)}

    def put_role_policy(self, RoleName: str, PolicyName: str, PolicyDocument: str) -> None:
        self._role(RoleName)["Policies"][PolicyName] = json.loads(PolicyDocument)

    def update_assume_role_policy(self, RoleName: str, PolicyDocument: str) -> None:
        self._role(RoleName)["Trust"] = json.loads(PolicyDocument)

    def put_role_permissions_boundary(self, RoleName: str, PermissionsBoundary: str) -> None:
        self._role(RoleName)["Boundary"] = PermissionsBoundary

    def tag_role(self, RoleName: str, Tags: Any) -> None:
        self._role(RoleName)["Tags"] |= tag_dict(Tags)

    def list_role_policies(self, RoleName: str) -> Any:
        return {"PolicyNames": list(self._role(RoleName)["Policies"])}

    def delete_role_policy(self, RoleName: str, PolicyName: str) -> None:
        role = self._role(RoleName)
        found(role["Policies"], PolicyName, MISSING)
        del role["Policies"][PolicyName]

    def list_attached_role_policies(self, RoleName: str) -> Any:
        return {"AttachedPolicies": [{"PolicyArn": arn} for arn in self._role(RoleName)["Attached"]]}

    def detach_role_policy(self, RoleName: str, PolicyArn: str) -> None:
        role = self._role(RoleName)
        if PolicyArn not in role["Attached"]:
            raise refusal(MISSING, "the policy is not attached", 404)
        role["Attached"].remove(PolicyArn)

    def delete_role(self, RoleName: str) -> None:
        role = self._role(RoleName)
        if role["Policies"] or role["Attached"]:
            raise refusal("DeleteConflict", "Cannot delete entity, must delete policies first.", 409)
        del self.state.roles[RoleName]
