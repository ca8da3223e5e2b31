"""One fault at each call of a command, then the command again: the matrix of every call and every fault.

A fault lasts for all attempts that boto3 makes, so the command fails. A lost response is the exception: AWS
has performed the call, boto3 repeats it, and the command does not notice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from pypicloud_s3sync.config.settings import SyncSettings
from pypicloud_s3sync.deploy import Deployment
from pypicloud_s3sync.deploy.aws.clients import Clients
from pypicloud_s3sync.deploy.location import Location
from pypicloud_s3sync.deploy.models import Progress
from pypicloud_s3sync.deploy.runs.run_lock import Run
from pypicloud_s3sync.deploy.writers import Writers, staging
from pypicloud_s3sync.exceptions import S3SyncError
from support.fakes import ACCOUNT, BUCKET, REGION, make_settings, refusal
from support.simulated_aws import SimulatedAws
from support.simulated_aws.base import State
from support.simulated_aws.lambdas import Lambda
from support.sites import Killed

#: Each service's error code and HTTP status if too many calls are made, ...
THROTTLED = {
    "dynamodb": ("ThrottlingException", 400),
    "events": ("ThrottlingException", 400),
    "iam": ("Throttling", 400),
    "lambda": ("TooManyRequestsException", 429),
    "logs": ("ThrottlingException", 400),
    "s3": ("SlowDown", 503),
    "sqs": ("RequestThrottled", 403),
    "ssm": ("ThrottlingException", 400),
    "sts": ("Throttling", 400),
}
#: ... if another change is in progress, ...
CONFLICT = {
    "dynamodb": ("ResourceInUseException", 400),
    "events": ("ConcurrentModificationException", 400),
    "iam": ("ConcurrentModification", 409),
    "lambda": ("ResourceConflictException", 409),
    "logs": ("OperationAbortedException", 400),
    "s3": ("OperationAborted", 409),
    "sqs": ("AWS.SimpleQueueService.QueueDeletedRecently", 400),
    "ssm": ("TooManyUpdates", 400),
    "sts": ("Conflict", 409),
}
#: ... if the caller lacks a right, ...
DENIED = {
    "iam": ("AccessDenied", 403),
    "s3": ("AccessDenied", 403),
    "sqs": ("AccessDenied", 403),
    "sts": ("AccessDenied", 403),
}
#: ... and if the service fails.
FAILED = {
    "events": ("InternalException", 500),
    "iam": ("ServiceFailure", 500),
    "lambda": ("ServiceException", 500),
    "logs": ("ServiceUnavailableException", 503),
    "s3": ("InternalError", 500),
    "sqs": ("InternalFailure", 500),
}
FAULTS = (
    *("killed before", "killed after", "throttled", "denied"),
    *("reset", "conflict", "internal error", "lost response"),
)
READS = ("get_", "list_", "describe_", "head_")


class Wire:
    """Sends calls to the simulated AWS, and lets one of them fail.

    Parameters
    ----------
    aws : SimulatedAws
    number : int
        The number of the call that fails, from 1 on; 0 for none.
    fault : str
        One of :data:`FAULTS`.
    """

    def __init__(self, aws: SimulatedAws, number: int = 0, fault: str = "") -> None:
        self.aws = aws
        self.number = number
        self.fault = fault
        self.calls: list[str] = []

    def call(self, service: str, operation: str, arguments: dict[str, Any]) -> Any:
        """Perform a call, or the fault instead of it."""
        self.calls.append(f"{service}:{operation}")
        if len(self.calls) != self.number:
            return self.aws.call(service, operation, **arguments)
        if self.fault == "killed before":
            raise Killed
        if self.fault == "reset":
            raise ConnectionClosedError(endpoint_url="https://aws.example")
        codes = {"throttled": THROTTLED, "conflict": CONFLICT, "denied": DENIED, "internal error": FAILED}
        if self.fault in codes:
            raise self._refusal(codes[self.fault], service, operation)
        answer = self.aws.call(service, operation, **arguments)
        if self.fault == "killed after":
            raise Killed
        return self.aws.call(service, operation, **arguments) if self.fault == "lost response" else answer

    def _refusal(self, codes: dict[str, tuple[str, int]], service: str, operation: str) -> Exception:
        default = ("AccessDeniedException", 400) if self.fault == "denied" else ("InternalServerError", 500)
        code, status = codes.get(service, default)
        if operation.startswith("head_"):
            # A response to HEAD has no body.
            code = str(status)
        return refusal(code, f"{self.fault} by the test", status)


class WiredClients(Clients):
    """Clients whose calls go through a wire."""

    def __init__(self, wire: Wire, settings: SyncSettings, region: str = REGION) -> None:
        self.settings = settings
        self.region = region
        self.wire = wire

    def __getitem__(self, service: str) -> Any:
        return _Client(self.wire, service)


class _Client:
    def __init__(self, wire: Wire, service: str) -> None:
        self._wire = wire
        self._service = service

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **arguments: self._wire.call(self._service, operation, arguments)


class UnrecordedRun(Run):
    """A run without files, of which several processes may have one at the same time."""

    def __init__(self) -> None:
        self.message = ""

    def report(self, progress: Progress) -> None:
        """Record nothing."""

    def end(self, result: str, **document: Any) -> None:
        """Record nothing."""

    def release(self) -> None:
        """Hold no lock."""


class WiredDeployment(Deployment):
    """A deployment on the simulated AWS, whose waits take no time."""

    def __init__(self, wire: Wire, settings: SyncSettings) -> None:
        super().__init__(
            settings, clients=lambda settings, region: WiredClients(wire, settings), run=UnrecordedRun()
        )
        self.wire = wire

    def _writers(self, location: Location) -> Writers:
        writers = super()._writers(location)
        writers._calls.clock, writers._calls.pause = self.wire.aws.time.clock, self.wire.aws.time.pause
        return writers


#: Changes for ``make_settings``.
Settings = dict[str, str | None]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A command to disturb.

    Parameters
    ----------
    name : str
    command : str
        ``enable`` or ``disable``.
    settings : dict
    before : dict or None
        The settings that are enabled before; None if nothing is.
    change : callable, optional
        Changes the state then.
    large : bool
        Whether the bundle is too large for a direct upload.
    """

    name: str
    command: str
    settings: Settings
    before: Settings | None = None
    change: Callable[[State], None] = lambda state: None
    large: bool = False


DELIVERIES = ("direct", "sqs", "eventbridge")
SECRET = "hunter2-of-the-cache"
DYNAMO: Settings = {}
REDIS: Settings = {
    "pypi__db": "redis",
    "db__region_name": None,
    "db__url": f"redis://:{SECRET}@cache.example:6379/0",
}
CACHES = {"DynamoDB": DYNAMO, "Redis with a password": REDIS}


def scenarios() -> Iterator[Scenario]:
    """Yield every command in every delivery, with secrets and without, and the moves between them."""
    for cache, of_cache in CACHES.items():
        for delivery in DELIVERIES:
            given = {**of_cache, "s3sync__delivery": delivery}
            yield Scenario(f"enable, {delivery}, {cache}", "enable", given)
            yield Scenario(f"disable, {delivery}, {cache}", "disable", given, given)
    for before in DELIVERIES:
        for after in DELIVERIES:
            if before != after:
                settings: Settings = {"s3sync__delivery": after}
                yield Scenario(f"from {before} to {after}", "enable", settings, {"s3sync__delivery": before})
    yield Scenario("an update of everything", "enable", CHANGES, DYNAMO)
    yield Scenario("enable, in a VPC", "enable", VPC)
    yield Scenario("disable, in a VPC", "disable", VPC, VPC)
    yield Scenario("a role that was deleted", "enable", DYNAMO, DYNAMO, change=delete_role)
    yield Scenario("a runtime that Lambda blocks", "enable", DYNAMO, DYNAMO, change=block_runtime)
    yield Scenario("a function without the net", "enable", DYNAMO, DYNAMO, change=remove_net)
    yield Scenario("enable, a large bundle", "enable", DYNAMO, large=True)
    yield Scenario("an update to a large bundle", "enable", DYNAMO, DYNAMO, change=replace_code, large=True)
    yield Scenario("disable, a staged bundle", "disable", DYNAMO, DYNAMO, change=leave_bundle)
    yield Scenario("disable, SnapStart", "disable", SNAP_START, SNAP_START)
    yield Scenario("to SnapStart", "enable", SNAP_START, DYNAMO)
    yield Scenario("from SnapStart", "enable", DYNAMO, SNAP_START)
    yield Scenario("an update with SnapStart", "enable", {**CHANGES, **SNAP_START}, SNAP_START)
    yield Scenario("a role that was deleted, SnapStart", "enable", SNAP_START, SNAP_START, change=delete_role)
    yield Scenario("from Redis with a password to DynamoDB", "enable", DYNAMO, REDIS)
    yield Scenario("from DynamoDB to Redis with a password", "enable", REDIS, DYNAMO)


CHANGES: Settings = {
    "s3sync__tags": "team=infra",
    "s3sync__timeout": "9",
    "s3sync__log_retention_days": "7",
    "s3sync__permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    "storage__prefix": "x/",
}
SNAP_START: Settings = {"s3sync__snap_start": "true"}
VPC: Settings = {
    "s3sync__vpc_subnet_ids": "subnet-0a1b2c3d",
    "s3sync__vpc_security_group_ids": "sg-0a1b2c3d",
}


def delete_role(state: State) -> None:
    """Delete the role, as someone did by hand."""
    state.roles.clear()


def remove_net(state: State) -> None:
    """Leave what the first versions created: a function that S3 invokes, without queues."""
    state.queues = {name: queue for name, queue in state.queues.items() if name == "foreign"}
    state.mappings.clear()
    (function,) = state.functions.values()
    del function["Configuration"]["DeadLetterConfig"]


def replace_code(state: State) -> None:
    """Deploy other code."""
    (function,) = state.functions.values()
    function["Configuration"]["CodeSha256"] = "other"


def block_runtime(state: State) -> None:
    """Leave other code, with a runtime that gets no new code."""
    replace_code(state)
    (function,) = state.functions.values()
    function["Configuration"]["Runtime"] = Lambda.BLOCKED_RUNTIME


def leave_bundle(state: State) -> None:
    """Leave versions and a delete marker of a bundle in the bucket."""
    key = f"pypicloud-s3sync/{'0' * 64}.bundle"
    for number, size in enumerate((9, 9, None)):
        state.buckets[BUCKET]["versions"].append({"Key": key, "Size": size, "VersionId": f"v{number}"})


class Matrix:
    """The faults of one scenario.

    Parameters
    ----------
    scenario : Scenario
    bundle : Path
        A ready zip.
    """

    def __init__(self, scenario: Scenario, bundle: Path) -> None:
        self.scenario = scenario
        self.bundle = bundle
        self.aws = SimulatedAws()
        populate(self.aws.state)
        nothing = self.aws.state.comparable()
        if scenario.before is not None:
            self.run("enable", scenario.before)
        scenario.change(self.aws.state)
        self.start = self.aws.snapshot()
        self.calls = self.run(scenario.command, scenario.settings).calls
        self.end = self.aws.state.comparable()
        if scenario.command == "disable":
            assert self.end == nothing, "disable leaves something over"
        assert self.run(scenario.command, scenario.settings).calls, "the command makes no call"
        assert self.aws.state.comparable() == self.end, "a second run changes something"

    def run(self, command: str, settings: Settings, number: int = 0, fault: str = "") -> Wire:
        wire = Wire(self.aws, number, fault)
        given = make_settings(**{**settings, "s3sync__bundle": str(self.bundle)})
        with pytest.MonkeyPatch.context() as patch:
            if self.scenario.large:
                patch.setattr(staging, "DIRECT_UPLOAD_LIMIT", 1)
            getattr(WiredDeployment(wire, given), command)()
        return wire

    def cases(self) -> Iterator[tuple[int, str]]:
        """Yield the number of each call with each fault."""
        for number in range(1, len(self.calls) + 1):
            for fault in FAULTS:
                yield number, fault

    def problem(self, number: int, fault: str) -> str | None:
        """Let a call fail, and run the command again; return what is wrong then, or None."""
        self.aws.restore(self.start)
        self.aws.time.now = 0
        where = f"{self.scenario.name}: {fault} at call {number}, {self.calls[number - 1]}"
        try:
            self.run(self.scenario.command, self.scenario.settings, number, fault)
        except Killed:
            if not fault.startswith("killed"):
                return f"{where}: killed"
        except S3SyncError as error:
            if "\n" in str(error) or SECRET in str(error):
                return f"{where}: a bad message: {error}"
            if fault == "lost response":
                return f"{where}: {error}"
        except Exception as error:
            return f"{where}: {type(error).__name__}: {error}"
        try:
            self.run(self.scenario.command, self.scenario.settings)
        except Exception as error:
            return f"{where}: the next run fails: {type(error).__name__}: {error}"
        found = self.aws.state.comparable()
        if found != self.end:
            return f"{where}: {_difference(self.end, found)}"
        return None


def _difference(wanted: dict[str, Any], found: dict[str, Any]) -> str:
    kinds = [kind for kind in wanted if wanted[kind] != found[kind]]
    return "; ".join(f"{kind} are {found[kind]} instead of {wanted[kind]}" for kind in kinds)


def populate(state: State) -> None:
    """Create the bucket and the tables of pypicloud, and resources of other owners."""
    policy = {"Statement": [{"Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"}}}]}
    state.queues["foreign"] = {"Attributes": {"Policy": policy}, "Tags": {}}
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:foreign"
    entry = {"Id": "foreign", "QueueArn": arn, "Events": ["s3:ObjectTagging:*"]}
    state.buckets[BUCKET] = {
        "Region": REGION,
        "Versioned": True,
        "Notifications": {"QueueConfigurations": [entry]},
        "versions": [
            {"Key": "pkg-1.0.tar.gz", "Size": 1, "VersionId": "first"},
            {"Key": "pypicloud-s3sync/pypicloud-s3sync-1.0.tar.gz", "Size": 1, "VersionId": "first"},
        ],
    }
    state.rules["foreign"] = {
        "Pattern": '{"source": ["acme"]}',
        "State": "ENABLED",
        "Targets": {"a": {"Id": "a", "Arn": arn}},
        "Tags": {},
    }
    state.groups["/aws/lambda/foreign"] = {"Retention": {}, "Tags": {}}
    state.parameters["/foreign"] = {"Value": "x", "Type": "SecureString", "Tags": {}}
    for table in ("DynamoPackage", "PackageSummary"):
        state.tables[table] = {"TableName": table, "ProvisionedThroughput": {}}
