"""Publish versions of the function, move its alias, and delete versions that no alias points to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ...exceptions import AwsError
from ..desired.resources import DESCRIPTION
from ..readers.functions import failure_of
from ..readers.published import find_aliases
from ..snap_start import ALIAS, ALIAS_DESCRIPTION, Alias, description
from .calls import Calls
from .functions import FunctionWriter, role_id

#: How long Lambda may take for a snapshot, in seconds. The code may initialize for 15 minutes before:
#: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
SNAPSHOT_TIMEOUT = 1200
SNAPSHOT_INTERVAL = 1


class AliasWriter:
    """Actions on the alias and the versions of a function.

    Parameters
    ----------
    calls : Calls
    functions : FunctionWriter
    """

    def __init__(self, calls: Calls, functions: FunctionWriter) -> None:
        self.calls = calls
        self.functions = functions

    def create(self, function: str, role_arn: str, version: str | None, invalid: Collection[str]) -> None:
        """Create the alias for a version, or for a new one if that is None."""
        number = self._ready_version(function, role_arn, version, invalid)
        self.calls.create(
            lambda: self.calls.do(
                *("lambda", "create_alias", _resource(function)),
                FunctionName=function,
                Name=ALIAS,
                FunctionVersion=number,
                Description=ALIAS_DESCRIPTION,
            ),
            lambda: self._adopt(function, number),
        )

    def _adopt(self, function: str, number: str) -> bool:
        """Move an existing alias to the version; its name says that it is this tool's."""
        self._move(function, number)
        return True

    def update(
        self,
        function: str,
        role_arn: str,
        version: str | None,
        invalid: Collection[str],
        left: Collection[str],
    ) -> None:
        """Move the alias to a version, or to a new one if that is None; delete the versions that it leaves.

        Parameters
        ----------
        function, role_arn : str
        version : str or None
        invalid : collection of str
            Versions that must not be used even if the function has not changed since.
        left : collection of str
            The versions of this tool that the alias points to.
        """
        self._move(function, self._ready_version(function, role_arn, version, invalid))
        for number in left:
            self.delete_version(function, number)

    def delete(self, function: str) -> None:
        """Delete the alias."""
        self.calls.delete_if_exists(
            "lambda", "delete_alias", _resource(function), FunctionName=function, Name=ALIAS
        )

    def delete_version(self, function: str, number: str) -> None:
        """Delete a version, unless an alias points to it now. Without a number, it would be the function."""
        if not number.isdecimal():
            raise ValueError(f"{number} is not the number of a version")
        if any(number in alias.versions for alias in find_aliases(self.calls, function)):
            return
        resource = f"the version {number} of the function {function}"
        arguments = {"FunctionName": function, "Qualifier": number}
        self.calls.delete_if_exists("lambda", "delete_function", resource, **arguments)

    def _ready_version(
        self, function: str, role_arn: str, version: str | None, invalid: Collection[str]
    ) -> str:
        """Return the number of a version whose snapshot exists."""
        number = self._publish(function, role_arn, invalid) if version is None else version
        self._wait_until_ready(function, number)
        return number

    def _publish(self, function: str, role_arn: str, invalid: Collection[str]) -> str:
        """Publish the function. If it has not changed since its last version, Lambda returns that one."""
        self.functions.wait_until_ready(function)
        number = self._publish_once(function, role_arn)
        if number in invalid:
            # Any change makes Lambda publish another version; this one has no effect.
            self.functions.describe(function, f"{DESCRIPTION}, published again")
            number = self._publish_once(function, role_arn)
            self.functions.describe(function, DESCRIPTION)
        return number

    def _publish_once(self, function: str, role_arn: str) -> str:
        found = self.calls.do(
            *("lambda", "publish_version", f"the function {function}"),
            FunctionName=function,
            Description=description(role_id(self.calls, role_arn)),
        )
        return str(found["Version"])

    def _wait_until_ready(self, function: str, number: str) -> None:
        """Wait for the snapshot of a version; if there will be none, delete the version and raise an error.

        https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-function-states
        """
        resource, found = f"the version {number} of the function {function}", dict[str, Any]()

        def is_settled() -> bool:
            arguments = {"FunctionName": function, "Qualifier": number}
            response = self.calls.do("lambda", "get_function", resource, **arguments)
            found.update(response.get("Configuration", {}))
            return found.get("State") != "Pending"

        if not self.calls.until(is_settled, SNAPSHOT_TIMEOUT, SNAPSHOT_INTERVAL):
            waited = f"{SNAPSHOT_TIMEOUT // 60} minutes"
            raise AwsError(f"Timed out after {waited} waiting for the snapshot of {resource}: run again")
        reason = failure_of(found)
        if reason is not None:
            # Otherwise, the next run would get this version again.
            self.delete_version(function, number)
            raise AwsError(
                f"Lambda could not take a snapshot of {resource}: {reason}; see the function's log"
            )

    def _move(self, function: str, number: str) -> None:
        """Let the alias invoke this version only."""
        wanted = Alias(ALIAS, number)
        if wanted not in find_aliases(self.calls, function):
            self.calls.do(
                *("lambda", "update_alias", _resource(function)),
                FunctionName=function,
                Name=ALIAS,
                FunctionVersion=number,
                RoutingConfig={"AdditionalVersionWeights": {}},
            )


def _resource(function: str) -> str:
    return f"the alias {ALIAS} of the function {function}"
