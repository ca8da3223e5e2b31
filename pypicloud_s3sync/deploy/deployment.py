"""The sync of one bucket: plan, enable, disable and activity, from the settings and for any front end."""

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
from .plan.function import code_is_known
from .plan.planner import plan_disable, plan_enable
from .readers.reader import Reader
from .writers import Writers


class Deployment:
    """The sync of one bucket, as the settings want it and as AWS has it.

    Parameters
    ----------
    settings : SyncSettings
    report : callable, optional
        Takes a :class:`.Progress` for each step that takes time or changes something.
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
        """Return what :meth:`enable` would do; change nothing."""
        return self._plan(self.report, force=force)[0]

    def enable(self, *, force: bool = False) -> Plan:
        """Make AWS match the settings; return the plan that was executed."""
        with run_lock.hold(self.settings, "enable", self.report) as report:
            plan, writers = self._plan(report, force=force)
            execute(plan, writers, self._bundle.get, report)
        return plan

    def plan_disable(self) -> Plan:
        """Return what :meth:`disable` would do; change nothing."""
        return self._plan_disable()[0]

    def disable(self) -> Plan:
        """Remove what :meth:`enable` made, and nothing else; return the plan that was executed."""
        with run_lock.hold(self.settings, "disable", self.report) as report:
            plan, writers = self._plan_disable()
            execute(plan, writers, self._bundle.get, report)
        return plan

    def activity(self) -> dict[str, Any]:
        """Return what the function did lately; see :func:`.activity.activity`."""
        clients, _, region = self._locate()
        names = resource_names(self.settings, region)
        return activity(clients, names, datetime.datetime.now(datetime.UTC))

    def bundle(self) -> Bundle:
        """Return the function's code, built or fetched."""
        return self._bundle.get(self.report)

    def _plan(self, report: Reporter, *, force: bool) -> tuple[Plan, Writers]:
        clients, identity, region = self._locate()
        reader = Reader(clients)
        self._refuse_missing_tables(reader)
        desired = desire(self.settings, identity, region, self._bundle.fingerprint())
        observed = reader.observe(desired, enabling=True)
        code_sha256 = None
        if observed.function is not None and not code_is_known(desired, observed.function):
            code_sha256 = self._bundle.get(report).code_sha256
        plan = plan_enable(desired, observed, code_sha256, force=force)
        return plan, Writers(clients, self.settings.bucket, identity.account)

    def _plan_disable(self) -> tuple[Plan, Writers]:
        clients, identity, region = self._locate(bucket_may_be_gone=True)
        desired = desire(self.settings, identity, region, fingerprint="")
        observed = Reader(clients).observe(desired, enabling=False)
        return plan_disable(desired, observed), Writers(clients, self.settings.bucket, identity.account)

    def _locate(self, *, bucket_may_be_gone: bool = False) -> tuple[Clients, Identity, str]:
        """Return the caller, and the bucket's region, in which everything but the role has to be."""
        clients = self._clients(self.settings, None)
        identity = Reader(clients).identity()
        bucket = self.settings.bucket
        found = Reader(clients).bucket_region(bucket, identity.account)
        region = self.settings.region or found
        if found is None and not (bucket_may_be_gone and region):
            raise ConflictError(
                f"the bucket {bucket} does not exist: correct storage.bucket,"
                " or start pypicloud once, which makes it"
            )
        if not region:
            raise ConfigError(
                f"no region is set, and S3 does not tell that of the bucket {bucket}:"
                " set storage.region_name, or give one with -r"
            )
        if found and found != region:
            raise ConfigError(
                f"the bucket {bucket} is in {found}, not in {region}, and S3 only notifies functions of its"
                f" own region: set storage.region_name = {found}, or give -r {found}"
            )
        if clients.region != region:
            clients = self._clients(self.settings, region)
        return clients, identity, region

    def _refuse_missing_tables(self, reader: Reader) -> None:
        missing = reader.missing_tables() if self.settings.cache == "dynamo" else []
        if missing:
            raise ConflictError(
                f"the DynamoDB table {missing[0]} does not exist in {self.settings.db_region}:"
                " start pypicloud once, which makes its tables"
            )
