"""Define the resources that an operator's policy covers, as far as account and region are known."""

from __future__ import annotations

from dataclasses import dataclass

from ...config.partitions import partition_of
from ...config.settings import SyncSettings
from ..desired.resources import (
    PARAMETER_PATH,
    PREFIX_OF_LONG,
    REPLICATION,
    replication_role_name,
    resource_names,
)

#: Stands for an account or a region that is not known; IAM allows it in that part of an ARN:
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
ANY = "*"


@dataclass(frozen=True)
class Scope:
    """The place that a policy is for.

    Parameters
    ----------
    partition : str
    account, region : str
        :data:`ANY` if it is not known.
    """

    partition: str
    account: str
    region: str

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        """Return the ARN of a resource in the account and a region, by default the scope's."""
        region = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"


@dataclass(frozen=True)
class Patterns:
    """The names of the resources that contain function, region and bucket, or patterns of these names."""

    roles: tuple[str, ...]
    queues: tuple[str, ...]
    rules: tuple[str, ...]
    parameters: tuple[str, ...]
    replication_roles: tuple[str, ...] = (f"{REPLICATION}-*",)
    schedules: tuple[str, ...] = ()
    schedule_roles: tuple[str, ...] = ()

    @classmethod
    def exact(cls, settings: SyncSettings, region: str) -> Patterns:
        """Return the names in a region."""
        names = resource_names(settings, region)
        queues = names.queue, names.dead_letters
        roles, replication_role = (
            (names.role, names.spare_role),
            replication_role_name(settings.bucket, region),
        )
        schedules = (names.schedule,), (names.schedule_role,)
        return cls(roles, queues, (names.rule,), (names.parameter,), (replication_role,), *schedules)

    @classmethod
    def of_function(cls, function: str) -> Patterns:
        """Return patterns for the names in any region and for any bucket."""
        either = f"{function}-*", f"{PREFIX_OF_LONG}-*"
        parameters = (f"{PARAMETER_PATH}{function}-*",)
        queues = f"{function}-*", f"failed-{function}-*"
        return cls(either, queues, either, parameters, schedules=either, schedule_roles=either)


def scope_of(settings: SyncSettings, account: str | None) -> Scope:
    """Return the account, the region and the partition, as far as the settings tell them.

    Parameters
    ----------
    settings : SyncSettings
    account : str, optional
        The account, if it is known. That of a role in the settings is the operator's too: nobody can pass a
        role of another account to Lambda.
    """
    of_role = settings.role_arn.split(":")[4] if settings.role_arn else None
    partition = partition_of(settings.likely_region or "")
    return Scope(partition.name if partition else "aws", account or of_role or ANY, settings.region or ANY)
