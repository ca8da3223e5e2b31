"""Read all facts in parallel, so that an examination takes only as long as its slowest chain of reads."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from ..caches.base import RowKey
from ..caches.canary import NAME
from ..config.settings import SyncSettings
from ..deploy.aws.clients import Clients, Limits
from ..deploy.aws.denials import is_denied
from ..deploy.aws.errors import translated
from ..deploy.bundle.source import BundleSource
from ..deploy.cache.local_cache import open_adapter, unreachable
from ..deploy.desired.resources import desire
from ..deploy.models import CacheTables, DeliveryResources, Desired, Function, Identity, Parameter, Role
from ..deploy.plan.conflicts import is_owned
from ..deploy.readers.buckets import bucket_region
from ..deploy.readers.calls import Calls
from ..deploy.readers.delivery import find_delivery_resources
from ..deploy.readers.functions import find_function
from ..deploy.readers.identity import caller_identity
from ..deploy.readers.keys import find_secret_key
from ..deploy.readers.notifications import bucket_notifications
from ..deploy.readers.parameters import find_parameter
from ..deploy.readers.permissions import permission_statements
from ..deploy.readers.published import find_published
from ..deploy.readers.replication import bucket_encryption, bucket_versioning, has_object_lock
from ..deploy.readers.roles import find_role
from ..deploy.readers.tables import account_of_tables, cache_tables
from ..deploy.replication.models import Encryption
from ..deploy.snap_start import Published, invoked
from ..deploy.state.code_state import state_of_code
from ..deploy.state.metrics import Interval, Statistics, read_ages, read_metrics, read_statistics
from ..exceptions import AwsError, NotReadError, S3SyncError
from . import readers
from .models import (
    MOST_DESTINATIONS,
    BucketFacts,
    Decision,
    Destination,
    Fact,
    Facts,
    Probe,
    Sample,
)
from .replication import Replication

#: Reads at the same time; more than there are, since some of them wait for others.
PARALLEL = 40
#: An operator waits for the answer, and each read has its own line if it fails.
LIMITS = Limits(connect=3, read=15, attempts=3)

T = TypeVar("T")
MakeClients = Callable[[SyncSettings, str | None], Clients]


def make_clients(settings: SyncSettings, region: str | None = None) -> Clients:
    """Return clients that give up soon."""
    return Clients(settings, region, limits=LIMITS)


def read_facts(
    settings: SyncSettings, clients: MakeClients = make_clients, now: datetime.datetime | None = None
) -> Facts:
    """Read all facts; what cannot be read is a fact with an error.

    Parameters
    ----------
    settings : SyncSettings
    clients : callable, optional
        Returns the clients for settings and a region.
    now : datetime.datetime, optional
        The current time, with a time zone.

    Raises
    ------
    ConfigError
        The AWS configuration of this host cannot be used.
    """
    first = clients(settings, None)
    with ThreadPoolExecutor(PARALLEL) as pool:
        return _Reading(first, clients, now or datetime.datetime.now(datetime.UTC), pool).facts()


def _fact(future: Future[T]) -> Fact[T]:
    try:
        return Fact(future.result())
    except S3SyncError as error:
        return Fact(error=error)


def _needed(future: Future[T], reason: str) -> T:
    """Return a result, or raise NotReadError with the reason why what needs it was not read."""
    try:
        return future.result()
    except NotReadError:
        raise
    except S3SyncError as error:
        raise NotReadError(reason) from error


class _Reading:
    """The reads of one examination. Each method reads one fact, and waits for those that it needs."""

    def __init__(
        self,
        first: Clients,
        clients: MakeClients,
        now: datetime.datetime,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.settings, self.now = first.settings, now
        self._first, self._make_clients, self._pool = first, clients, pool

    def facts(self) -> Facts:
        start = self._pool.submit
        # A read is submitted after those that it waits for, so that it can never keep a thread from them.
        self._fingerprint = start(BundleSource(self.settings).fingerprint)
        self._identity = start(self._read_identity)
        tables_account = start(self._read_tables_account)
        self._bucket = start(self._read_bucket)
        self._region = start(self._find_region)
        self._calls = start(self._make_calls)
        versioning = start(self._read_versioning)
        self._replication = start(self._in_bucket, readers.read_replication)
        encryption = start(self._read_encryption)
        has_replication_role = start(self._has_replication_role)
        destinations = start(self._read_destinations)
        self._object_lock = start(self._read_object_lock)
        object_locks = start(self._read_object_locks)
        samples = start(self._read_samples)
        self._tables = start(self._read_tables)
        scaled = start(self._read_scaled)
        cache = start(self._read_cache)
        self._desired = start(self._desire)
        self._function = start(self._read_function)
        role = start(self._read_role)
        parameter = start(self._read_parameter)
        secret_key = start(self._read_secret_key)
        decisions = start(self._simulate)
        statements = start(self._read_statements)
        self._published = start(self._read_published)
        notifications: Future[Mapping[str, Any]] = start(self._in_bucket, bucket_notifications)
        self._delivery = start(self._read_delivery)
        probe = start(self._ask_function)
        intervals = start(self._read_intervals)
        statistics = start(self._read_statistics)
        ages = start(self._read_ages)
        return Facts(
            settings=self.settings,
            now=self.now,
            identity=_fact(self._identity),
            tables_account=_fact(tables_account),
            bucket=_fact(self._bucket),
            region=_fact(self._region),
            versioning=_fact(versioning),
            replication=_fact(self._replication),
            has_replication_role=_fact(has_replication_role),
            destinations=destinations.result(),
            object_locks=object_locks.result(),
            encryption=_fact(encryption),
            samples=_fact(samples),
            fingerprint=_fact(self._fingerprint),
            desired=_fact(self._desired),
            function=_fact(self._function),
            role=_fact(role),
            parameter=_fact(parameter),
            secret_key=_fact(secret_key),
            statements=_fact(statements),
            published=_fact(self._published),
            notifications=_fact(notifications),
            delivery=_fact(self._delivery),
            decisions=_fact(decisions),
            tables=_fact(self._tables),
            scaled=_fact(scaled),
            cache=_fact(cache),
            probe=_fact(probe),
            intervals=_fact(intervals),
            statistics=_fact(statistics),
            ages=_fact(ages),
        )

    def _read_identity(self) -> Identity:
        return caller_identity(Calls(self._first))

    def _read_tables_account(self) -> str | None:
        if not self.settings.tables_may_be_foreign:
            return None
        return account_of_tables(Calls(self._first))

    def _read_bucket(self) -> BucketFacts:
        identity, calls = self._known_identity(), Calls(self._first)
        try:
            return BucketFacts(bucket_region(calls, self.settings.bucket, identity.account))
        except AwsError as error:
            if not is_denied(error):
                raise
            try:
                return readers.read_bucket(calls, self.settings.bucket, self.settings.region)
            except AwsError:
                raise error from None

    def _known_identity(self) -> Identity:
        return _needed(self._identity, "not looked at: the credentials do not work")

    def _find_region(self) -> str:
        self._known_identity()
        try:
            bucket = self._bucket.result()
        except S3SyncError:
            bucket = BucketFacts("")
        region = bucket.region or self.settings.region
        if not region:
            raise NotReadError("not looked at: the region is unknown, so set storage.region_name or use -r")
        return region

    def _make_calls(self) -> Calls:
        region, first = self._region.result(), self._first
        return Calls(first if first.region == region else self._make_clients(self.settings, region))

    def _in_bucket(self, read: Callable[[Calls, str], T]) -> T:
        """Read something of the bucket."""
        calls = self._calls.result()
        try:
            exists = self._bucket.result().region is not None
        except S3SyncError:
            exists = True
        if not exists:
            raise NotReadError(f"not looked at: the bucket {self.settings.bucket} does not exist")
        return read(calls, self.settings.bucket)

    def _read_versioning(self) -> str:
        return self._in_bucket(bucket_versioning)

    def _read_encryption(self) -> Encryption | None:
        identity, region = self._known_identity(), self._region.result()
        return self._in_bucket(lambda calls, bucket: bucket_encryption(calls, bucket, region, identity))

    def _rules(self) -> Replication | None:
        """Return the replication if it concerns the packages."""
        found = _needed(self._replication, "not looked at: the replication rules are unknown")
        return found if found is not None and found.concerning(self.settings.prefix) else None

    def _has_replication_role(self) -> bool:
        found = self._rules()
        return found is not None and readers.has_role(self._calls.result(), found.role.rpartition("/")[2])

    def _read_destinations(self) -> Mapping[str, Fact[Destination]]:
        return self._of_destinations(readers.read_destination)

    def _read_object_lock(self) -> bool:
        """Return whether packages are replicated from the bucket, and it has Object Lock."""
        return self._rules() is not None and self._in_bucket(has_object_lock)

    def _read_object_locks(self) -> Mapping[str, Fact[bool]]:
        own = _fact(self._object_lock)
        others = self._of_destinations(has_object_lock) if own.known else {}
        return {self.settings.bucket: own, **others}

    def _of_destinations(self, read: Callable[[Calls, str], T]) -> Mapping[str, Fact[T]]:
        """Read something of each bucket to which the packages are replicated."""
        try:
            found, calls = self._rules(), self._calls.result()
        except S3SyncError:
            return {}
        names = found.destinations(self.settings.prefix)[:MOST_DESTINATIONS] if found else ()
        reads = {name: self._pool.submit(read, calls, name) for name in names}
        return {name: _fact(read) for name, read in reads.items()}

    def _read_samples(self) -> Sequence[Sample]:
        if self._rules() is None:
            return ()
        return readers.read_samples(self._calls.result(), self.settings.bucket, self.settings.prefix)

    def _read_tables(self) -> CacheTables:
        return cache_tables(self._calls.result())

    def _read_scaled(self) -> frozenset[str]:
        names = [table.table for table in self._known_tables().provisioned]
        if not names:
            return frozenset()
        settings = self.settings
        credentials = settings.db_credentials or settings.credentials
        clients = self._make_clients(replace(settings, credentials=credentials), settings.db_region)
        return readers.read_scaled(Calls(clients), names)

    def _known_tables(self) -> CacheTables:
        return self._tables.result()

    def _read_cache(self) -> float:
        """Read a row that does not exist; return the seconds that it took."""
        settings = self.settings
        if settings.cache_backend == "dynamo" and self._known_tables().missing:
            # pypicloud's class would create them.
            raise NotReadError("the tables do not exist")
        try:
            adapter = open_adapter(settings)
            started = time.monotonic()
            found = adapter.read([RowKey(f"{NAME}-0.tar.gz", NAME)])
        except Exception as error:
            raise _of_cache(error, settings) from error
        for snapshot in found.values():
            if isinstance(snapshot, Exception):
                raise _of_cache(snapshot, settings) from snapshot
        return time.monotonic() - started

    def _desire(self) -> Desired:
        identity, region = self._known_identity(), self._region.result()
        try:
            fingerprint = self._fingerprint.result()
        except S3SyncError:
            fingerprint = ""
        try:
            tables = self._tables.result()
        except S3SyncError:
            tables = CacheTables()
        return desire(self.settings, identity, region, fingerprint, tables)

    def _read_function(self) -> Function | None:
        return find_function(self._calls.result(), self.settings.function_name)

    def _known_function(self) -> Function | None:
        return _needed(self._function, "not looked at: the function is unknown")

    def _owned_function(self) -> Function:
        function = self._known_function()
        if function is None or not is_owned(function, self.settings.bucket):
            raise NotReadError("not looked at: there is no function of this tool for the bucket")
        return function

    def _read_role(self) -> Role | None:
        return find_role(self._calls.result(), self._role_arn().rpartition("/")[2])

    def _role_arn(self) -> str:
        desired = self._desired.result()
        try:
            return str(self._owned_function().configuration["Role"])
        except S3SyncError:
            return desired.role_arn

    def _read_parameter(self) -> Parameter | None:
        return find_parameter(self._calls.result(), self._desired.result(), None, None)

    def _read_secret_key(self) -> str | None:
        return find_secret_key(self._calls.result(), self._desired.result())

    def _simulate(self) -> Sequence[Decision]:
        if self.settings.endpoint_url:
            # ministack 1.5 finds no role that has a path, and looks at one resource of a request only.
            raise NotReadError("an emulator does not simulate it")
        desired = self._desired.result()
        policy = (desired.role or desired.spare_role).policy
        if policy is None:
            return ()
        return readers.simulate(self._calls.result(), self._role_arn(), policy)

    def _read_statements(self) -> tuple[Mapping[str, Any], ...]:
        return permission_statements(self._calls.result(), self.settings.function_name)

    def _read_published(self) -> Published | None:
        return find_published(self._calls.result(), self._desired.result(), self._known_function())

    def _read_delivery(self) -> DeliveryResources:
        desired = self._desired.result()
        function = self._known_function()
        return find_delivery_resources(self._calls.result(), desired, function, enabling=True)

    def _ask_function(self) -> Probe | None:
        function = self._owned_function()
        fingerprint = self._desired.result().fingerprint
        if function.reserved_concurrency == 0 or state_of_code(function, fingerprint) == "different":
            return None
        clients, published = self._calls.result().clients, self._published.result()
        has_alias = published is not None and published.alias is not None
        name = invoked(self.settings) if has_alias else self.settings.function_name
        return readers.ask_function(clients, self.settings, self._region.result(), name)

    def _read_intervals(self) -> Sequence[Interval]:
        self._owned_function()
        return read_metrics(self._calls.result().clients, self.settings.function_name, self.now)

    def _read_statistics(self) -> Statistics:
        self._owned_function()
        return read_statistics(self._calls.result().clients, self.settings.function_name, self.now)

    def _read_ages(self) -> Mapping[str, int]:
        resources = self._delivery.result()
        queues = {"waiting": resources.queue, "failed": resources.dead_letters}
        used = {key: queue.name for key, queue in queues.items() if queue is not None and queue.messages}
        return read_ages(self._calls.result().clients, used, self.now) if used else {}


def _of_cache(error: Exception, settings: SyncSettings) -> S3SyncError:
    """Return an error of the cache: that AWS denied a call to its tables, or that it does not answer."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ClientError):
            action = f"dynamodb:{cause.operation_name}"
            try:
                with translated(action, "the tables of the cache", settings.db_endpoint_url):
                    raise cause
            except AwsError as translated_error:
                return translated_error
        cause = cause.__cause__ or cause.__context__
    return error if isinstance(error, S3SyncError) else unreachable(error)
