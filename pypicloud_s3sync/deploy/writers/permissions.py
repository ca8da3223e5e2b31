"""Lets S3 invoke the function, or no longer."""

from __future__ import annotations

from collections.abc import Mapping

from .calls import Calls


class PermissionWriter:
    """Actions on our statement in the function's policy."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def add(self, permission: Mapping[str, str]) -> None:
        """Add the statement; the arguments are those of AddPermission."""
        self.calls.do("lambda", "add_permission", f"the function {permission['FunctionName']}", **permission)

    def replace(self, permission: Mapping[str, str]) -> None:
        """Lambda has no way to change a statement: S3's events of the moment between are retried by S3."""
        self.remove(permission["FunctionName"], permission["StatementId"])
        self.add(permission)

    def remove(self, function: str, statement: str) -> None:
        """Remove the statement."""
        of_statement = {"FunctionName": function, "StatementId": statement}
        self.calls.delete_if_exists("lambda", "remove_permission", f"the function {function}", **of_statement)
