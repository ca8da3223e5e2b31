"""Plan, set up and remove the replication among regions; used by the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...config.settings import SyncSettings
from ..aws.clients import Clients
from ..executor import perform
from ..location import Location, locate
from ..models import Reporter
from ..operator.policy import Purpose
from ..readers.calls import Calls
from ..readers.replication import bucket_encryption, bucket_replication, bucket_versioning, has_object_lock
from ..readers.roles import find_role
from ..writers import Writers
from .desired import wanted_region
from .models import Region, ReplicationPlan
from .planner import plan_removal, plan_replication


class Replication:
    """The replication among the buckets of some regions.

    Parameters
    ----------
    regions : sequence of (str, SyncSettings)
        Each region's ini file, for messages, and its settings. Each bucket is read and changed with the
        credentials of its own settings.
    report : callable, optional
        Receives a :class:`.Progress` for each step.
    clients : callable, optional
        Returns the clients for settings and a region.

    Raises
    ------
    S3SyncError
        From every method: :class:`.ConfigError` if the settings cannot work, :class:`.AwsError` if AWS
        refuses a call, :class:`.ConflictError` if something is in the way.
    """

    def __init__(
        self,
        regions: Sequence[tuple[str, SyncSettings]],
        report: Reporter = lambda progress: None,
        clients: Callable[[SyncSettings, str | None], Clients] = Clients,
    ) -> None:
        self._regions = regions
        self._report = report
        self._clients = clients

    def plan(self, *, remove: bool = False) -> ReplicationPlan:
        """Return what :meth:`apply` would do; change nothing."""
        return self._plan(remove=remove)[0]

    def apply(self, *, remove: bool = False) -> ReplicationPlan:
        """Set the replication up, or remove it; return the plan that was executed."""
        plan, writers = self._plan(remove=remove)
        for step in plan.steps:
            perform(step.action, writers[step.bucket], self._report)
        return plan

    def _plan(self, *, remove: bool) -> tuple[ReplicationPlan, dict[str, Writers]]:
        locations = [
            locate(settings, self._clients, bucket_may_be_gone=remove, purpose=Purpose.REPLICATE)
            for _, settings in self._regions
        ]
        regions = [
            _observed(wanted_region(config, settings, location.identity, location.region), location)
            for (config, settings), location in zip(self._regions, locations, strict=True)
        ]
        plan = plan_removal(regions) if remove else plan_replication(regions)
        writers = {location.clients.settings.bucket: self._writers(location) for location in locations}
        return plan, writers

    def _writers(self, location: Location) -> Writers:
        return Writers(location.clients, location.clients.settings.bucket, location.identity.account)


def _observed(region: Region, location: Location) -> Region:
    """Return a region with what AWS has."""
    calls = Calls(location.clients)
    with location.reading():
        return replace(
            region,
            versioning=bucket_versioning(calls, region.bucket),
            encryption=bucket_encryption(calls, region.bucket, region.region, region.identity),
            has_object_lock=has_object_lock(calls, region.bucket),
            configuration=bucket_replication(calls, region.bucket),
            role=find_role(calls, region.wanted_role.name),
        )
