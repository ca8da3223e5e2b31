"""Grant or revoke the permission of S3 or EventBridge to invoke the function."""

from __future__ import annotations

from collections.abc import Mapping

from ..plan.permissions import find_statement, permits
from ..readers.permissions import permission_statements
from .calls import Calls


class PermissionWriter:
    """Actions on this tool's statement in the function's policy."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def add(self, permission: Mapping[str, str]) -> None:
        """Add the statement; ``permission`` holds the arguments of AddPermission."""
        name = permission["FunctionName"]
        self.calls.create(
            lambda: self.calls.do("lambda", "add_permission", f"the function {name}", **permission),
            lambda: self._is_added(permission),
        )

    def _is_added(self, permission: Mapping[str, str]) -> bool:
        """Return whether the existing statement is the one that this permission creates."""
        name = permission["FunctionName"]
        statements = permission_statements(self.calls, name, permission.get("Qualifier"))
        found = find_statement(statements, permission["StatementId"])
        return found is not None and permits(found, permission)

    def replace(self, permission: Mapping[str, str]) -> None:
        """Remove the statement and add it again, since Lambda cannot update one; S3 retries meanwhile."""
        names = permission["FunctionName"], permission["StatementId"]
        self.remove(*names, permission.get("Qualifier"))
        self.add(permission)

    def remove(self, function: str, statement: str, alias: str | None = None) -> None:
        """Remove the statement of the function's own policy, or of that of its alias."""
        arguments = {"FunctionName": function, "StatementId": statement}
        if alias is not None:
            arguments["Qualifier"] = alias
        self.calls.delete_if_exists("lambda", "remove_permission", f"the function {function}", **arguments)
