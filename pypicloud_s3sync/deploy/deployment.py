"""Plan, enable and disable the sync of one bucket; used by the command line and the admin views."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

from ..config.settings import SyncSettings
from ..exceptions import AwsError, ConfigError, ConflictError
from . import run_lock
from .activity import activity
from .aws import Clients
from .aws_errors import unreadable
from .bundle import Bundle
from .bundle.source import BundleSource
from .desired import desire, resource_names
from .documents import status_document
from .executor import execute
from .health import failing, failing_problem, queue_problem
from .metrics import read_metrics
from .models import CacheTables, Desired, Identity, Observed, Plan, Reporter
from .plan.conflicts import conflicts, is_owned
from .plan.planner import compare, plan_disable, plan_enable
from .problems import SETTINGS, TABLES, Problem
from .readers import Reader
from .replay import Replayed, replay
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
    run : run_lock.Run, optional
        The run, if its lock is held already. By default, each command that changes something begins its own.

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
        run: run_lock.Run | None = None,
    ) -> None:
        self.settings = settings
        self.report = report
        self._clients = clients
        self._run = run
        self._bundle = BundleSource(settings)

    def plan(self, *, force: bool = False) -> Plan:
        """Return what :meth:`enable` would do; change nothing and build nothing."""
        return self._plan(force=force)[0]

    def enable(self, *, force: bool = False) -> Plan:
        """Change AWS to match the settings; return the plan that was executed."""
        with run_lock.hold(self.settings, "enable", self.report, self._run) as (run, report):
            plan, writers = self._plan(force=force)
            execute(plan, writers, self._bundle.get, report)
            run.message = "Nothing to do." if plan.in_sync else "S3 sync is on."
        return plan

    def plan_disable(self) -> Plan:
        """Return what :meth:`disable` would do; change nothing."""
        return self._plan_disable()[0]

    def disable(self) -> Plan:
        """Remove what :meth:`enable` created, and nothing else; return the plan that was executed."""
        with run_lock.hold(self.settings, "disable", self.report, self._run) as (run, report):
            plan, writers = self._plan_disable()
            execute(plan, writers, self._bundle.get, report)
            run.message = "Nothing to do." if plan.in_sync else "S3 sync is off."
        return plan

    def replay(self) -> Replayed:
        """Let the function process its failed events again; see :func:`.replay.replay`."""
        with run_lock.hold(self.settings, "replay", self.report, self._run) as (run, report):
            clients, _, region = self._locate()
            names = resource_names(self.settings, region)
            queue = Reader(clients).queue(names.dead_letters)
            result = replay(clients, names, queue, self.settings.timeout, report)
            run.message = result.message
        return result

    def status(self) -> dict[str, Any]:
        """Return the state, with everything that is in the way; see :func:`.documents.status_document`."""
        clients, identity, region = self._locate()
        reader = Reader(clients)
        tables = reader.cache_tables()
        desired = desire(self.settings, identity, region, self._bundle.fingerprint(), tables)
        observed = reader.observe(desired, enabling=True)
        problems = [
            *self._foreign_tables(reader, identity),
            *self._missing_tables(tables),
            *conflicts(desired, observed),
            *self._failures(clients, desired, observed),
        ]
        return status_document(compare(desired, observed), self.settings, problems)

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
        for problem in self._foreign_tables(reader, identity):
            raise ConfigError(str(problem))
        tables = reader.cache_tables()
        for problem in self._missing_tables(tables):
            raise ConflictError(str(problem))
        desired = desire(self.settings, identity, region, self._bundle.fingerprint(), tables)
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

    def _foreign_tables(self, reader: Reader, identity: Identity) -> Iterator[Problem]:
        """Yield a problem if the tables are in another account: the role could not name them."""
        if not self.settings.tables_may_be_foreign:
            return
        account = reader.account_of_tables()
        if account != identity.account:
            yield Problem(
                SETTINGS,
                f"db.aws_access_key_id belongs to the account {account}, but the credentials for the bucket"
                f" belong to {identity.account}",
                "the function can use the tables of its own account only, so move the tables, or use"
                " credentials of one account",
            )

    def _missing_tables(self, tables: CacheTables) -> Iterator[Problem]:
        if tables.missing:
            yield Problem(
                TABLES,
                f"the DynamoDB table {tables.missing[0]} does not exist in {self.settings.db_region}",
                "check db.region_name, db.namespace and db.tablenames; if the table was deleted, restart"
                " pypicloud, which creates its tables when it starts",
            )

    def _failures(self, clients: Clients, desired: Desired, observed: Observed) -> Iterator[Problem]:
        """Yield the problems of a function that runs; CloudWatch is not asked about one that does not."""
        waiting = queue_problem(observed.delivery_resources.dead_letters)
        if waiting is not None:
            yield waiting
        if not is_owned(observed.function, desired.bucket):
            return
        now = datetime.datetime.now(datetime.UTC)
        try:
            intervals = read_metrics(clients, desired.names.function, now)
        except AwsError as error:
            yield unreadable(error, "It is unknown whether events fail")
            return
        failures = failing(intervals, now)
        if failures is not None:
            yield failing_problem(failures, desired.names.log_group)
