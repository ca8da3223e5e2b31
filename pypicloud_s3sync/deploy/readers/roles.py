"""Read IAM roles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from ..desired.policy import POLICY_NAME
from ..desired.tags import from_tag_list
from ..models import Role
from .calls import Calls


def find_role(calls: Calls, name: str) -> Role | None:
    """Return a role, with this tool's inline policy if it has that policy; None if it does not exist."""
    resource = f"the role {name}"
    found = calls.find("iam", "get_role", resource, RoleName=name)
    if found is None:
        return None
    inline = calls.find("iam", "get_role_policy", resource, RoleName=name, PolicyName=POLICY_NAME)
    role = found["Role"]
    return Role(
        name=name,
        path=role["Path"],
        arn=role["Arn"],
        trust=_document(role["AssumeRolePolicyDocument"]),
        policy=_document(inline["PolicyDocument"]) if inline else None,
        boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        tags=from_tag_list(role.get("Tags", [])),
        unique_id=role.get("RoleId", ""),
    )


def _document(document: Any) -> dict[str, Any]:
    """Return an IAM document, which boto3 has parsed already; other clients leave it URL-encoded."""
    return dict(document) if isinstance(document, Mapping) else json.loads(unquote(document))
