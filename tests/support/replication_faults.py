"""One fault at each call of ``replicate``, then the command again: every call with every fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pypicloud_s3sync.config.settings import SyncSettings
from pypicloud_s3sync.deploy.location import Location
from pypicloud_s3sync.deploy.replication.run import Replication
from pypicloud_s3sync.deploy.writers import Writers
from pypicloud_s3sync.exceptions import S3SyncError
from support.fakes import make_settings
from support.faults import FAULTS, READS, Wire, WiredClients
from support.replication import (
    AP,
    EU,
    FOREIGN_ROLE,
    KEYS,
    OFF,
    REGIONS,
    US,
    as_bytes,
    configuration,
    foreign,
)
from support.simulated_aws import SimulatedAws
from support.simulated_aws.base import State
from support.sites import Killed

#: A bucket that takes no part, to which foreign rules replicate.
VAULT = "vault"


class WiredReplication(Replication):
    """A replication on the simulated AWS, whose waits take no time."""

    def __init__(self, wire: Wire, buckets: Sequence[str], prefix: str) -> None:
        def clients(settings: SyncSettings, region: str | None) -> WiredClients:
            return WiredClients(wire, settings, region or REGIONS[settings.bucket])

        settings = [settings_of(bucket, prefix) for bucket in buckets]
        super().__init__([(f"{item.bucket}.ini", item) for item in settings], clients=clients)
        self.wire = wire

    def _writers(self, location: Location) -> Writers:
        writers = super()._writers(location)
        writers._calls.clock, writers._calls.pause = self.wire.aws.time.clock, self.wire.aws.time.pause
        return writers


def settings_of(bucket: str, prefix: str) -> SyncSettings:
    region = REGIONS[bucket]
    return make_settings(storage__bucket=bucket, storage__region_name=region, storage__prefix=prefix)


@dataclass(frozen=True)
class Scenario:
    """A run of ``replicate`` to disturb.

    Parameters
    ----------
    name : str
    buckets : tuple of str
    remove : bool
        Whether the run removes the rules.
    prefix : str
    before : tuple of str
        The buckets that replicate already, with an empty prefix.
    change : callable
        Changes the state then.
    """

    name: str
    buckets: tuple[str, ...] = (US, EU)
    remove: bool = False
    prefix: str = ""
    before: tuple[str, ...] = ()
    change: Callable[[State], None] = lambda state: None


def replicate_to_vault(state: State) -> None:
    """Give a bucket foreign rules with a role of their own."""
    tags = {"And": {"Prefix": "b/", "Tags": [{"Key": "k", "Value": "v"}]}}
    rules = [
        foreign("all", VAULT, Priority=1, Filter={}),
        foreign("tags", VAULT, Priority=2, Filter=tags, DeleteMarkerReplication=OFF),
        foreign("less", EU, Priority=9, DeleteMarkerReplication=OFF),
    ]
    state.buckets[US]["Versioning"] = "Enabled"
    state.buckets[US]["Replication"] = configuration(*rules)


def add_to_own(state: State) -> None:
    """Add a foreign rule to a configuration with this tool's role."""
    state.buckets[US]["Replication"]["Rules"].append(foreign("all", VAULT, Priority=50))


def encrypt(state: State) -> None:
    for bucket in (US, EU):
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEYS[bucket]}
        state.buckets[bucket]["Encryption"] = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}


def spoil_role(state: State) -> None:
    """Change the policies and the tags of all roles."""
    for name, role in state.roles.items():
        if name != "backup":
            role["Policies"], role["Tags"] = {"other": {}}, {**role["Tags"], "team": "web"}


def scenarios() -> Iterator[Scenario]:
    """Yield what ``replicate`` is used for."""
    yield Scenario("two regions")
    yield Scenario("three regions", (US, EU, AP))
    yield Scenario("beside foreign rules", change=replicate_to_vault)
    yield Scenario("a third region joins", (US, EU, AP), before=(US, EU))
    yield Scenario("another prefix", prefix="p/", before=(US, EU))
    yield Scenario("keys", before=(US, EU), change=encrypt)
    yield Scenario("a role that was changed", before=(US, EU), change=spoil_role)
    yield Scenario("remove", remove=True, before=(US, EU))
    yield Scenario("remove beside a foreign rule", remove=True, before=(US, EU), change=add_to_own)
    yield Scenario("remove one of three", (US, EU), remove=True, before=(US, EU, AP))


class Matrix:
    """The faults of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.aws = SimulatedAws()
        populate(self.aws.state)
        if scenario.before:
            WiredReplication(Wire(self.aws), scenario.before, "").apply()
        scenario.change(self.aws.state)
        self.foreign = foreign_rules(self.aws.state)
        self.start = self.aws.snapshot()
        self.calls = self.run().calls
        self.end = self.aws.state.comparable()
        again = [call for call in self.run().calls if not call.partition(":")[2].startswith(READS)]
        assert not again, f"a second run calls {again}"
        self.check_foreign()

    def run(self, number: int = 0, fault: str = "") -> Wire:
        wire = Wire(self.aws, number, fault)
        WiredReplication(wire, self.scenario.buckets, self.scenario.prefix).apply(remove=self.scenario.remove)
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
            self.run(number, fault)
        except Killed:
            if not fault.startswith("killed"):
                return f"{where}: killed"
        except S3SyncError as error:
            if "\n" in str(error) or fault == "lost response":
                return f"{where}: {error}"
        self.check_foreign()
        self.run()
        found = self.aws.state.comparable()
        wrong = [kind for kind, value in self.end.items() if found[kind] != value]
        return f"{where}: {wrong} differ" if wrong else None

    def check_foreign(self) -> None:
        """Fail if a foreign rule or the role of one differs."""
        assert as_bytes(foreign_rules(self.aws.state)) == as_bytes(self.foreign)


def foreign_rules(state: State) -> dict[str, Any]:
    """Return the foreign rules of each bucket, and the role beside which they are."""
    found: dict[str, Any] = {}
    for name, bucket in state.buckets.items():
        stored = bucket.get("Replication", {"Rules": []})
        rules = [rule for rule in stored["Rules"] if not rule["ID"].startswith("pypicloud-s3sync-")]
        found[name] = (stored["Role"], rules) if rules else None
    return found


def populate(state: State) -> None:
    """Create buckets, and a role of another owner."""
    for name in (US, EU, AP, VAULT):
        state.buckets[name] = {
            "Region": REGIONS.get(name, "us-west-2"),
            "Versioned": True,
            "Notifications": {},
            "versions": [],
        }
    state.buckets[VAULT]["Versioning"] = "Enabled"
    role: dict[str, Any] = {
        "Path": "/",
        "Trust": {},
        "Tags": {},
        "Boundary": None,
        "Policies": {"own": {}},
        "Attached": [],
    }
    state.roles["backup"] = {**role, "RoleId": "AROA0", "Arn": FOREIGN_ROLE}
