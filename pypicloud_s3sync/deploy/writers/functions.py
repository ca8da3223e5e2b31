"""Create, update and delete the Lambda function; an update in place keeps its policy and its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import WaiterError

from ...exceptions import AwsError
from ..bundle import DIRECT_UPLOAD_LIMIT, Bundle
from ..models import BUNDLE_TAG, Function, bundle_tag
from .calls import Calls

#: Lambda's messages while a new role has not propagated to Lambda, KMS (environment) or EC2 (VPC).
ROLE_PROPAGATION = (
    "cannot be assumed",
    "KMS key is invalid for CreateGrant",
    "does not have permissions to call",
)


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
        self.bucket = bucket

    def create(self, function: Function, fingerprint: str, bundle: Bundle) -> None:
        """Create the function and wait until it is active."""
        settings = dict(function.configuration)
        tags = {**function.tags, BUNDLE_TAG: bundle_tag(fingerprint, bundle.code_sha256)}
        with self._code(bundle) as code:
            self.calls.retry_on(
                ROLE_PROPAGATION,
                lambda: self.calls.do(
                    *("lambda", "create_function", f"the function {function.name}"),
                    FunctionName=function.name,
                    Code=code,
                    PackageType="Zip",
                    Tags=tags,
                    **_api_arguments(settings),
                ),
            )
            self.wait_until_active(function.name)

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
            self._wait_until_idle(name)
            with self._code(bundle) as code:
                arguments = {"FunctionName": name, "Architectures": [architecture], **code}
                self.calls.do("lambda", "update_function_code", f"the function {name}", **arguments)
                self.wait_until_active(name)
        tags = {BUNDLE_TAG: bundle_tag(fingerprint, bundle.code_sha256)}
        self.calls.do("lambda", "tag_resource", f"the function {name}", Resource=arn, Tags=tags)

    def update_configuration(self, name: str, configuration: Mapping[str, Any]) -> None:
        """Update the configuration, which also repairs a function that has failed."""
        self._wait_until_idle(name)
        self.calls.retry_on(
            ROLE_PROPAGATION,
            lambda: self.calls.do(
                *("lambda", "update_function_configuration", f"the function {name}"),
                FunctionName=name,
                **_api_arguments(configuration),
            ),
        )
        self.wait_until_active(name)

    def tag(self, name: str, arn: str, tags: Mapping[str, str]) -> None:
        """Set the owner tag and the tags of the settings."""
        self.calls.do("lambda", "tag_resource", f"the function {name}", Resource=arn, Tags=dict(tags))

    def delete(self, name: str) -> None:
        """Delete the function."""
        self.calls.delete_if_exists("lambda", "delete_function", f"the function {name}", FunctionName=name)

    def _wait_until_idle(self, name: str) -> None:
        """Wait until no update is in progress; ignore a failed function, which the next update may repair."""
        try:
            self.wait_until_active(name)
        except AwsError as error:
            if not isinstance(error.__cause__, WaiterError):
                raise

    def wait_until_active(self, name: str) -> None:
        """Wait until the function is active and no update is in progress."""
        self.calls.wait("function_active_v2", f"the function {name}", FunctionName=name)
        self.calls.wait("function_updated_v2", f"the function {name}", FunctionName=name)

    @contextmanager
    def _code(self, bundle: Bundle) -> Iterator[dict[str, Any]]:
        """Yield the bundle as Lambda's arguments; upload it to the bucket if it is too large for a call."""
        if bundle.size <= DIRECT_UPLOAD_LIMIT:
            yield {"ZipFile": bundle.data}
            return
        key = f"pypicloud-s3sync/{bundle.sha256}.bundle"
        resource = f"s3://{self.bucket}/{key}"
        put = self.calls.do("s3", "put_object", resource, Bucket=self.bucket, Key=key, Body=bundle.data)
        # Without the version, a versioned bucket would keep the object behind a delete marker.
        version = {"VersionId": put["VersionId"]} if "VersionId" in put else {}
        try:
            yield {"S3Bucket": self.bucket, "S3Key": key}
        finally:
            self.calls.delete_if_exists(
                "s3", "delete_object", resource, Bucket=self.bucket, Key=key, **version
            )


def _api_arguments(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {**configuration, "Environment": {"Variables": dict(configuration["Environment"])}}
