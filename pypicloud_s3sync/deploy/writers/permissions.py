"""Grant or revoke the permission of S3 or EventBridge to invoke the function."""

from __future__ import annotations

from collections.abc import Mapping

from .calls import Calls


class PermissionWriter:
    """Actions on this tool's statement in the function's policy."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def add(self, permission: Mapping[str, str]) -> None:
        """Add the statement; ``permission`` holds the arguments of AddPermission."""
        self.calls.do("lambda", "add_permission", f"the function {permission['FunctionName']}", **permission)

    def replace(self, permission: Mapping[str, str]) -> None:
        """Remove the statement and add it again, since Lambda cannot update one; S3 retries meanwhile."""
        self.remove(permission["FunctionName"], permission["StatementId"])
        self.add(permission)

    def remove(self, function: str, statement: str) -> None:
        """Remove the statement."""
        arguments = {"FunctionName": function, "StatementId": statement}
        self.calls.delete_if_exists("lambda", "remove_permission", f"the function {function}", **arguments)
