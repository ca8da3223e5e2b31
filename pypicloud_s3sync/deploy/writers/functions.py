"""Makes and changes the Lambda function in place: deleting it would drop its policy and events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import WaiterError

from ...exceptions import AwsError
from ..bundle import DIRECT_UPLOAD_LIMIT, Bundle
from ..models import BUNDLE_TAG, Function, bundle_tag
from .calls import Calls

#: Lambda's words while the news of the role has not reached it, KMS for the environment, or EC2 for a VPC.
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
        Where a bundle that is too large for a direct upload is put for a moment.
    """

    def __init__(self, calls: Calls, bucket: str) -> None:
        self.calls = calls
        self.bucket = bucket

    def create(self, function: Function, fingerprint: str, bundle: Bundle) -> None:
        """Make the function and wait until it is active."""
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
                    **_as_api(settings),
                ),
            )
            self.wait_until_active(function.name)

    def update_code(self, name: str, arn: str, fingerprint: str, architecture: str, bundle: Bundle) -> None:
        """Send new code, and remember what it was built from."""
        resource = f"the function {name}"
        self._quiet(name)
        with self._code(bundle) as code:
            of_function = {"FunctionName": name, "Architectures": [architecture], **code}
            self.calls.do("lambda", "update_function_code", resource, **of_function)
            self.wait_until_active(name)
        self.tag_bundle(name, arn, fingerprint, bundle)

    def tag_bundle(self, name: str, arn: str, fingerprint: str, bundle: Bundle) -> None:
        """Remember what the code was built from."""
        tags = {BUNDLE_TAG: bundle_tag(fingerprint, bundle.code_sha256)}
        self.calls.do("lambda", "tag_resource", f"the function {name}", Resource=arn, Tags=tags)

    def update_configuration(self, name: str, configuration: Mapping[str, Any]) -> None:
        """Change settings, once a change before is through; one that has failed gets another chance."""
        self._quiet(name)
        self.calls.retry_on(
            ROLE_PROPAGATION,
            lambda: self.calls.do(
                *("lambda", "update_function_configuration", f"the function {name}"),
                FunctionName=name,
                **_as_api(configuration),
            ),
        )
        self.wait_until_active(name)

    def tag(self, name: str, arn: str, tags: Mapping[str, str]) -> None:
        """NotificationOwner the function as ours, with the tags of the settings."""
        self.calls.do("lambda", "tag_resource", f"the function {name}", Resource=arn, Tags=dict(tags))

    def delete(self, name: str) -> None:
        """Delete the function."""
        self.calls.delete_if_exists("lambda", "delete_function", f"the function {name}", FunctionName=name)

    def _quiet(self, name: str) -> None:
        """Wait until nothing is under way; a function that has failed waits for nothing but a change."""
        try:
            self.wait_until_active(name)
        except AwsError as error:
            if not isinstance(error.__cause__, WaiterError):
                raise

    def wait_until_active(self, name: str) -> None:
        """Wait until the function is active and no update of it is under way."""
        for waiter in ("function_active_v2", "function_updated_v2"):
            self.calls.wait(waiter, f"the function {name}", FunctionName=name)

    @contextmanager
    def _code(self, bundle: Bundle) -> Iterator[dict[str, Any]]:
        """The bundle as Lambda takes it: in the call, or beyond the limit for that through the bucket."""
        if bundle.size <= DIRECT_UPLOAD_LIMIT:
            yield {"ZipFile": bundle.data}
            return
        key = f"pypicloud-s3sync/{bundle.sha256}.bundle"
        resource = f"s3://{self.bucket}/{key}"
        put = self.calls.do("s3", "put_object", resource, Bucket=self.bucket, Key=key, Body=bundle.data)
        # Without its version, a versioned bucket would keep it behind a delete marker.
        version = {"VersionId": put["VersionId"]} if "VersionId" in put else {}
        try:
            yield {"S3Bucket": self.bucket, "S3Key": key}
        finally:
            self.calls.delete_if_exists(
                "s3", "delete_object", resource, Bucket=self.bucket, Key=key, **version
            )


def _as_api(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {**configuration, "Environment": {"Variables": dict(configuration["Environment"])}}
