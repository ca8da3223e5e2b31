"""Define what a plan for replication is made from, and the plan itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..models import Action, Identity, Role

#: The end of the ARN of the KMS key that AWS manages for S3 in each account and region.
AWS_KEY = "alias/aws/s3"


@dataclass(frozen=True)
class Encryption:
    """The default encryption of a bucket: S3's algorithm, and the ARN of a KMS key or of its alias."""

    algorithm: str
    key: str | None = None


@dataclass(frozen=True)
class Region:
    """A bucket that takes part in the replication: what its settings say, and what AWS has.

    Parameters
    ----------
    config : str
        The ini file that names the bucket, for messages.
    bucket, prefix, region : str
    identity : Identity
        The owner of the bucket, whose credentials the settings have.
    uploads_with_kms : bool
        Whether pypicloud asks S3 to encrypt what it uploads with a KMS key.
    wanted_role : Role
        The role of this tool's own rules, without its policy.
    versioning : str
        ``Enabled``, ``Suspended``, or empty if versioning was never on.
    encryption : Encryption or None
    has_object_lock : bool
    configuration : dict or None
        The bucket's replication configuration, as boto3 returns it.
    role : Role or None
        The role that exists under the name of :attr:`wanted_role`.
    """

    config: str
    bucket: str
    prefix: str
    region: str
    identity: Identity
    uploads_with_kms: bool
    wanted_role: Role
    versioning: str = ""
    encryption: Encryption | None = None
    has_object_lock: bool = False
    configuration: Mapping[str, Any] | None = None
    role: Role | None = None

    @property
    def arn(self) -> str:
        """The ARN of the bucket."""
        return f"arn:{self.identity.partition}:s3:::{self.bucket}"

    @property
    def rules(self) -> tuple[Mapping[str, Any], ...]:
        """The rules of the replication configuration."""
        return tuple((self.configuration or {}).get("Rules", ()))

    @property
    def has_kms_objects(self) -> bool:
        """Whether a KMS key encrypts new packages: S3 replicates these only if a rule selects them."""
        return self.uploads_with_kms or self._default_is_kms

    @property
    def replica_key(self) -> str | None:
        """The KMS key for replicas that arrive here; None if the bucket uses none."""
        if self._default_is_kms and self.encryption is not None and self.encryption.key:
            return self.encryption.key
        if not self.has_kms_objects:
            return None
        return f"arn:{self.identity.partition}:kms:{self.region}:{self.identity.account}:{AWS_KEY}"

    @property
    def _default_is_kms(self) -> bool:
        # Also aws:kms:dsse, the encryption with two layers.
        return self.encryption is not None and self.encryption.algorithm.startswith("aws:kms")


@dataclass(frozen=True)
class Need:
    """Permissions that the owner of a resource must grant, because this tool changes only its own resources.

    Parameters
    ----------
    resource : str
        The resource to which the permissions must be added, for example ``the policy of the bucket x``.
    reason : str
    statements : tuple of dict
        The statements of an IAM policy.
    """

    resource: str
    reason: str
    statements: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Step:
    """An action, and the bucket whose region and credentials it is performed with."""

    bucket: str
    action: Action


@dataclass(frozen=True)
class ReplicationPlan:
    """The actions to perform, in order, and what people have to know about them.

    ``removes`` is whether the plan removes this tool's rules. ``warnings`` are sentences. ``lifecycle`` is a
    rule that expires old versions; it is shown and never applied.
    """

    regions: tuple[Region, ...]
    steps: tuple[Step, ...]
    removes: bool = False
    warnings: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    lifecycle: Mapping[str, Any] | None = None

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions without their buckets."""
        return tuple(step.action for step in self.steps)

    @property
    def in_sync(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps
