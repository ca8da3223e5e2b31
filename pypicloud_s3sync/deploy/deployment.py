"""Plan, enable and disable the sync of one bucket; used by the command line and the admin views."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..config.settings import SyncSettings
from ..exceptions import ConfigError, ConflictError
from ..reconcile.models import Options, Report
from .aws.clients import Clients
from .bundle import Bundle
from .bundle.source import BundleSource
from .cache.contents import remember
from .cache.reading import WORKERS, check_tables
from .cache.reconciling import (
    Reconciled,
    check,
    differs_here,
    reconcile_after_enable,
    reconcile_here,
    summary,
)
from .cache.tables import foreign_tables, missing_tables
from .desired.resources import desire, resource_names
from .executor import execute
from .location import Location, locate
from .models import Plan, Queue, Reporter
from .plan.function import code_is_known
from .plan.planner import plan_disable, plan_enable
from .readers import Reader
from .replay import Replayed, replay
from .runs import run_lock
from .runs.results import disabled, enabled
from .state.activity import activity
from .state.figures import read_figures
from .state.status import read_status
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
        self._bundle = BundleSource(settings, clients)
        #: What :meth:`enable` has found out about the cache.
        self.reconciled: Reconciled | None = None

    def plan(self, *, force: bool = False) -> Plan:
        """Return what :meth:`enable` would do; change nothing and build nothing."""
        return self._plan(force=force)[0]

    def enable(self, *, force: bool = False, reconcile: bool = False) -> Plan:
        """Change AWS to match the settings; return the plan that was executed.

        With ``reconcile``, the cache is then made equal to the bucket, and :attr:`reconciled` has the result.
        """
        with run_lock.hold(self.settings, "enable", self.report, self._run) as (run, report):
            plan, location = self._plan(force=force)
            execute(plan, self._writers(location), self._bundle.get, report)
            run.message = enabled(plan)
            if reconcile:
                self.reconciled = reconcile_after_enable(self.settings, location.clients, WORKERS, report)
                if self.reconciled.report is None:
                    run.message = f"{run.message} {self.reconciled.message}"
                else:
                    run.message = enabled(plan, self.reconciled.message)
                    remember(self.settings, self.reconciled.report)
        return plan

    def reconcile(
        self, options: Options | None = None, workers: int = WORKERS, *, fan_out: bool = False
    ) -> Report:
        """Make the cache equal to the bucket, or only count the differences.

        With ``fan_out``, the files that differ are put into the function's queue instead.

        Raises
        ------
        ReconcileError
            Some differences could not be repaired.
        """
        options = options or Options()
        if options.dry_run and self._run is None:
            return self._reconcile(options, workers, self.report, fan_out=False)
        with run_lock.hold(self.settings, "reconcile", self.report, self._run) as (run, report):
            result = self._reconcile(options, workers, report, fan_out=fan_out)
            check(result)
            run.message = summary(result)
        return result

    def differs(self) -> bool:
        """Return whether the listings of bucket and cache differ; change nothing."""
        return differs_here(self.settings, self._locate_cache().clients)

    def _reconcile(self, options: Options, workers: int, report: Reporter, *, fan_out: bool) -> Report:
        location = self._locate_cache()
        queue = self._queue(location) if fan_out else None
        result = reconcile_here(self.settings, location.clients, options, workers, report, queue)
        if not options.packages:
            remember(self.settings, result)
        return result

    def plan_disable(self) -> Plan:
        """Return what :meth:`disable` would do; change nothing."""
        return self._plan_disable()[0]

    def disable(self) -> Plan:
        """Remove what :meth:`enable` created, and nothing else; return the plan that was executed."""
        with run_lock.hold(self.settings, "disable", self.report, self._run) as (run, report):
            plan, writers = self._plan_disable()
            execute(plan, writers, self._bundle.get, report)
            run.message = disabled(plan)
        return plan

    def replay(self) -> Replayed:
        """Let the function process its failed events again; see :func:`.replay.replay`."""
        with run_lock.hold(self.settings, "replay", self.report, self._run) as (run, report):
            location = self._locate()
            names = resource_names(self.settings, location.region)
            queue = Reader(location.clients).queue(names.dead_letters)
            result = replay(location.clients, names, queue, self.settings, report)
            run.message = result.message
        return result

    def status(self) -> dict[str, Any]:
        """Return the state, with everything that is in the way; see :func:`.status_document`."""
        location = self._locate(bucket_may_be_gone=True)
        return read_status(self.settings, location, self._bundle.fingerprint())

    def activity(self) -> dict[str, Any]:
        """Return the recent activity of the function; see :func:`.activity.activity`."""
        location = self._locate()
        names = resource_names(self.settings, location.region)
        now = datetime.datetime.now(datetime.UTC)
        return activity(location.clients, names, now, location.reading)

    def figures(self) -> dict[str, Any]:
        """Return what a monitoring system collects, as JSON."""
        location = self._locate()
        names = resource_names(self.settings, location.region)
        with location.reading():
            return read_figures(location.clients, names, datetime.datetime.now(datetime.UTC))

    def bundle(self) -> Bundle:
        """Build or fetch the function's code, and return it."""
        return self._bundle.get(self.report)

    def _plan(self, *, force: bool) -> tuple[Plan, Location]:
        location = self._locate()
        reader = Reader(location.clients)
        with location.reading():
            for problem in foreign_tables(self.settings, location.identity, reader):
                raise ConfigError(str(problem))
            tables = reader.cache_tables()
            for problem in missing_tables(self.settings, tables):
                raise ConflictError(str(problem))
            desired = desire(
                self.settings, location.identity, location.region, self._bundle.fingerprint(), tables
            )
            observed = reader.observe(desired, enabling=True)
            if not code_is_known(desired, observed.function):
                observed = replace(observed, staged=reader.staged_bundles(desired.bucket))
        return plan_enable(desired, observed, force=force), location

    def _plan_disable(self) -> tuple[Plan, Writers]:
        location = self._locate(bucket_may_be_gone=True)
        desired = desire(self.settings, location.identity, location.region, fingerprint="")
        with location.reading():
            reader = Reader(location.clients)
            observed = reader.observe(desired, enabling=False)
            observed = replace(observed, staged=reader.staged_bundles(desired.bucket))
        return plan_disable(desired, observed), self._writers(location)

    def _queue(self, location: Location) -> Queue:
        """Return the function's queue."""
        name = resource_names(self.settings, location.region).queue
        queue = Reader(location.clients).queue(name)
        if queue is None:
            raise ConflictError(f"the queue {name} does not exist: run enable first")
        return queue

    def _locate_cache(self) -> Location:
        """Return the location of the bucket; raise an error if the tables of the cache do not exist."""
        location = self._locate()
        check_tables(self.settings, location.clients)
        return location

    def _locate(self, *, bucket_may_be_gone: bool = False) -> Location:
        return locate(self.settings, self._clients, bucket_may_be_gone=bucket_may_be_gone)

    def _writers(self, location: Location) -> Writers:
        return Writers(location.clients, self.settings.bucket, location.identity.account)
