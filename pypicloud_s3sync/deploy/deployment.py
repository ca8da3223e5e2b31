"""Plan, enable and disable the sync of one bucket; used by the command line and the admin views."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from ..config.settings import SyncSettings
from ..exceptions import ConfigError, ConflictError
from . import run_lock
from .activity import activity
from .aws import Clients
from .bundle import Bundle
from .bundle.source import BundleSource
from .desired import desire, resource_names
from .executor import execute
from .models import Identity, Plan, Reporter
from .plan.planner import plan_disable, plan_enable
from .readers import Reader
from .writers import Writers


class Deployment:
    """The sync of one bucket: compares the settings with AWS and applies the difference.

    Parameters
    ----------
    settings : SyncSettings
    report : callable, optional
        Receives a :class:`.Progress` for each step that takes time or changes something.
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
        settings: SyncSettings,
        report: Reporter = lambda progress: None,
        clients: Callable[[SyncSettings, str | None], Clients] = Clients,
    ) -> None:
        self.settings = settings
        self.report = report
        self._clients = clients
        self._bundle = BundleSource(settings)

    def plan(self, *, force: bool = False) -> Plan:
        """Return what :meth:`enable` would do; change nothing and build nothing."""
        return self._plan(force=force)[0]

    def enable(self, *, force: bool = False) -> Plan:
        """Change AWS to match the settings; return the plan that was executed."""
        with run_lock.hold(self.settings, "enable", self.report) as report:
            plan, writers = self._plan(force=force)
            execute(plan, writers, self._bundle.get, report)
        return plan

    def plan_disable(self) -> Plan:
        """Return what :meth:`disable` would do; change nothing."""
        return self._plan_disable()[0]

    def disable(self) -> Plan:
        """Remove what :meth:`enable` created, and nothing else; return the plan that was executed."""
        with run_lock.hold(self.settings, "disable", self.report) as report:
            plan, writers = self._plan_disable()
            execute(plan, writers, self._bundle.get, report)
        return plan

    def activity(self) -> dict[str, Any]:
        """Return the recent activity of the function; see :func:`.activity.activity`."""
        clients, _, region = self._locate()
        names = resource_names(self.settings, region)
        return activity(clients, names, datetime.datetime.now(datetime.UTC))

    def bundle(self) -> Bundle:
        """Build or fetch the function's code, and return it."""
        return self._bundle.get(self.report)

    def _plan(self, *, force: bool) -> tuple[Plan, Writers]:
        clients, identity, region = self._locate()
        reader = Reader(clients)
        self._refuse_missing_tables(reader)
        desired = desire(self.settings, identity, region, self._bundle.fingerprint())
        observed = reader.observe(desired, enabling=True)
        plan = plan_enable(desired, observed, force=force)
        return plan, Writers(clients, self.settings.bucket, identity.account)

    def _plan_disable(self) -> tuple[Plan, Writers]:
        clients, identity, region = self._locate(bucket_may_be_gone=True)
        desired = desire(self.settings, identity, region, fingerprint="")
        observed = Reader(clients).observe(desired, enabling=False)
        return plan_disable(desired, observed), Writers(clients, self.settings.bucket, identity.account)

    def _locate(self, *, bucket_may_be_gone: bool = False) -> tuple[Clients, Identity, str]:
        """Return clients, the caller and the bucket's region, which all resources but the role must share."""
        clients = self._clients(self.settings, None)
        identity = Reader(clients).identity()
        bucket = self.settings.bucket
        bucket_region = Reader(clients).bucket_region(bucket, identity.account)
        region = self.settings.region or bucket_region
        if bucket_region is None and not (bucket_may_be_gone and region):
            raise ConflictError(
                f"the bucket {bucket} does not exist: correct storage.bucket,"
                " or start pypicloud once, which creates the bucket"
            )
        if not region:
            raise ConfigError(
                f"no region is set, and S3 does not report the region of the bucket {bucket}:"
                " set storage.region_name, or use -r"
            )
        if bucket_region and bucket_region != region:
            raise ConfigError(
                f"the bucket {bucket} is in {bucket_region}, not in {region}, and S3 notifies only functions"
                f" in the bucket's region: set storage.region_name = {bucket_region}"
                f" or use -r {bucket_region}"
            )
        if clients.region != region:
            clients = self._clients(self.settings, region)
        return clients, identity, region

    def _refuse_missing_tables(self, reader: Reader) -> None:
        missing = reader.missing_tables() if self.settings.cache == "dynamo" else []
        if missing:
            raise ConflictError(
                f"the DynamoDB table {missing[0]} does not exist in {self.settings.db_region}:"
                " start pypicloud once, which creates its tables"
            )
