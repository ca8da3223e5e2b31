"""Create, update and delete the Lambda function; an update in place keeps its policy and its events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...exceptions import AwsError
from ..bundle import Bundle
from ..desired.tags import BUNDLE_TAG, ROLE_TAG, bundle_tag
from ..models import Function, Role
from ..readers.functions import find_function
from .calls import Calls
from .roles import RoleWriter
from .staging import StagingWriter, is_staged

#: Lambda's messages while a new role has not propagated to Lambda, KMS (environment) or EC2 (VPC).
ROLE_PROPAGATION = (
    "cannot be assumed",
    "KMS key is invalid for CreateGrant",
    "does not have permissions to call",
)
#: How long Lambda may take to create or update a function, in seconds. Network interfaces in a VPC take
#: several minutes; most functions are ready within a second.
READY_TIMEOUT = 600
READY_INTERVAL = 0.1


class FunctionWriter:
    """Actions on the function.

    Parameters
    ----------
    calls : Calls
    bucket : str
        Holds a bundle temporarily if it is too large for a direct upload.
    """

    def __init__(self, calls: Calls, bucket: str) -> None:
        self.calls = calls
        self._staging = StagingWriter(calls, bucket)

    def create(self, function: Function, fingerprint: str, bundle: Bundle) -> None:
        """Create the function and wait until it is ready.

        The code is recorded only after a staged bundle is removed: until then, the next run looks for one.
        """
        settings = dict(function.configuration)
        code_tag = bundle_tag(fingerprint, bundle.code_sha256)
        tags = {
            **function.tags,
            **_role_tag(self.calls, settings["Role"]),
            BUNDLE_TAG: "" if is_staged(bundle) else code_tag,
        }
        with self._staging.code_of(bundle) as code:

            def create() -> None:
                self.calls.do(
                    *("lambda", "create_function", f"the function {function.name}"),
                    FunctionName=function.name,
                    Code=code,
                    PackageType="Zip",
                    Tags=tags,
                    **_api_arguments(settings),
                )

            self.calls.create(
                lambda: self.calls.retry_on(ROLE_PROPAGATION, create),
                lambda: self._is_created(function.name, tags),
            )
            self.wait_until_ready(function.name)
        if is_staged(bundle):
            self._record(function.name, function.arn, code_tag)

    def _is_created(self, name: str, tags: Mapping[str, str]) -> bool:
        """Return whether the existing function has the tags of this creation, which name its code as well."""
        found = find_function(self.calls, name)
        return found is not None and found.tags == tags

    def update_code(
        self, name: str, arn: str, fingerprint: str, architecture: str, deployed: str | None, bundle: Bundle
    ) -> None:
        """Upload new code, and tag the function with the inputs that it was built from.

        Parameters
        ----------
        name, arn, fingerprint, architecture : str
        deployed : str or None
            The ``CodeSha256`` of the function. If the bundle has the same, only the tag is set; None uploads
            it in any case.
        bundle : Bundle
        """
        if bundle.code_sha256 != deployed:
            self._wait_until_settled(name)
            if is_staged(bundle):
                self._record(name, arn, "")
            with self._staging.code_of(bundle) as code:
                arguments = {"FunctionName": name, "Architectures": [architecture], **code}
                self.calls.do("lambda", "update_function_code", f"the function {name}", **arguments)
                self.wait_until_ready(name)
        self._record(name, arn, bundle_tag(fingerprint, bundle.code_sha256))

    def renew_role(self, name: str, arn: str, role_arn: str, spare: Role) -> None:
        """Give the function the spare role and its own role again, so that Lambda renews its grant.

        The tag comes last: until then, the next run repeats everything.
        """
        roles = RoleWriter(self.calls)
        roles.create(spare)
        for role in (spare.arn, role_arn):
            self._update_configuration(name, Role=role)
        roles.delete(spare.name)
        tags = _role_tag(self.calls, role_arn)
        self.calls.do("lambda", "tag_resource", f"the function {name}", Resource=arn, Tags=tags)

    def leave_vpc(self, name: str) -> None:
        """Detach the function from its VPC while it has its role, with which Lambda deletes the interfaces.

        Without the role, Lambda accepts no update: the function is deleted nevertheless.
        https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
        """
        network: Any = {"SubnetIds": [], "SecurityGroupIds": []}
        try:
            self._update_configuration(name, VpcConfig=network)
        except AwsError as error:
            if error.code not in ("InvalidParameterValueException", "ResourceNotFoundException"):
                raise

    def update_configuration(self, name: str, configuration: Mapping[str, Any]) -> None:
        """Update the configuration, which also repairs a function that has failed."""
        self._update_configuration(name, **_api_arguments(configuration))

    def describe(self, name: str, description: str) -> None:
        """Change the description only."""
        self._update_configuration(name, Description=description)

    def _update_configuration(self, name: str, **arguments: Any) -> None:
        self._wait_until_settled(name)
        self.calls.retry_on(
            ROLE_PROPAGATION,
            lambda: self.calls.do(
                *("lambda", "update_function_configuration", f"the function {name}"),
                FunctionName=name,
                **arguments,
            ),
        )
        self.wait_until_ready(name)

    def tag(self, name: str, arn: str, tags: Mapping[str, str]) -> None:
        """Set the owner tag and the tags of the settings."""
        self.calls.do("lambda", "tag_resource", f"the function {name}", Resource=arn, Tags=dict(tags))

    def delete(self, name: str) -> None:
        """Delete the function."""
        self.calls.delete_if_exists("lambda", "delete_function", f"the function {name}", FunctionName=name)

    def wait_until_ready(self, name: str) -> None:
        """Wait until the function is ready; raise an error with Lambda's reason if it has failed."""
        found = self._wait_until_settled(name)
        if "Failed" in (found.get("State"), found.get("LastUpdateStatus")):
            raise _not_ready(name, found, "it has failed")

    def _wait_until_settled(self, name: str) -> Mapping[str, Any]:
        """Wait until Lambda accepts an update of the function, and return its configuration.

        It accepts one of a failed function, which the update may repair, and of an inactive one, which has
        been idle for weeks. boto3's waiters wait for an active function only.
        https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
        """
        found: dict[str, Any] = {}

        def is_settled() -> bool:
            found.clear()
            response = self.calls.do("lambda", "get_function", f"the function {name}", FunctionName=name)
            found.update(response.get("Configuration", {}))
            return found.get("State") != "Pending" and found.get("LastUpdateStatus") != "InProgress"

        if not self.calls.until(is_settled, READY_TIMEOUT, READY_INTERVAL):
            raise _not_ready(name, found, f"timed out after {READY_TIMEOUT // 60} minutes")
        return found

    def _record(self, name: str, arn: str, code: str) -> None:
        """Record the deployed code."""
        tags = {BUNDLE_TAG: code}
        self.calls.do("lambda", "tag_resource", f"the function {name}", Resource=arn, Tags=tags)


def role_id(calls: Calls, role_arn: str) -> str | None:
    """Return the unique id of a role, which another role of the same name does not have."""
    name = role_arn.rsplit("/", 1)[-1]
    found = calls.find("iam", "get_role", f"the role {name}", RoleName=name)
    unique_id: str | None = found["Role"].get("RoleId") if found else None
    return unique_id


def _role_tag(calls: Calls, role_arn: str) -> dict[str, str]:
    found = role_id(calls, role_arn)
    return {ROLE_TAG: found} if found else {}


def _api_arguments(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {**configuration, "Environment": {"Variables": dict(configuration["Environment"])}}


def _not_ready(name: str, configuration: Mapping[str, Any], otherwise: str) -> AwsError:
    reason = configuration.get("StateReason") or configuration.get("LastUpdateStatusReason") or otherwise
    return AwsError(f"the function {name} did not become ready: {reason}; see its page in the AWS console")
