"""Define the data classes of a deployment: desired resources, observed resources and actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..config.options import Delivery
from .snap_start import Published


@dataclass(frozen=True)
class Identity:
    """The AWS account and partition of the caller, and the ARN of its user or role."""

    account: str
    partition: str
    arn: str = field(default="", compare=False)


@dataclass(frozen=True)
class TableCapacity:
    """The provisioned capacity of a table: the least read and write units of the table and its indexes."""

    table: str
    reads: int
    writes: int


@dataclass(frozen=True)
class CacheTables:
    """The tables of a DynamoDB cache; of another cache, there are none.

    ``missing`` names the tables that do not exist. ``on_demand`` is whether none has provisioned capacity.
    ``keys`` holds the ARNs of the customer-managed KMS keys that encrypt them. ``rows`` is the number of
    rows, which DynamoDB counts every six hours. ``provisioned`` has the capacity of each table that is not
    on-demand.
    """

    missing: tuple[str, ...] = ()
    on_demand: bool = False
    keys: tuple[str, ...] = ()
    rows: int | None = None
    provisioned: tuple[TableCapacity, ...] = ()


@dataclass(frozen=True)
class Names:
    """The names of this tool's resources; those in a shared namespace carry function, region and bucket."""

    function: str
    role: str
    spare_role: str
    role_path: str
    log_group: str
    statement: str
    alias_statement: str
    rule_statement: str
    notification: str
    queue: str
    dead_letters: str
    rule: str
    parameter: str
    schedule: str
    schedule_role: str


@dataclass(frozen=True)
class Role:
    """An IAM role. Documents are parsed JSON; ``policy`` is this tool's inline policy only.

    ``unique_id`` differs between two roles of the same name, of which one was deleted; it is empty for a
    desired role. Only a desired role has a ``description``.
    """

    name: str
    path: str
    arn: str
    trust: Mapping[str, Any]
    policy: Mapping[str, Any] | None
    boundary: str | None
    tags: Mapping[str, str]
    unique_id: str = ""
    description: str = field(default="", compare=False)


@dataclass(frozen=True)
class Function:
    """A Lambda function.

    ``configuration`` has the API's names; its environment may hold secrets. ``failure`` is the reason that
    Lambda gives if the function cannot run. ``reserved_concurrency`` is None if the function has no
    concurrency of its own; with 0, Lambda never runs it. ``package`` is ``Zip`` or ``Image``. ``state`` is
    Lambda's, for example ``Active``.
    """

    name: str
    arn: str
    configuration: Mapping[str, Any] = field(repr=False)
    tags: Mapping[str, str]
    code_sha256: str | None = None
    failure: str | None = None
    reserved_concurrency: int | None = None
    package: str = "Zip"
    state: str = "Active"


@dataclass(frozen=True)
class Schedule:
    """A schedule of EventBridge Scheduler, in its default group; ``arguments`` has the API's names."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def target(self) -> Mapping[str, Any]:
        """The schedule's target."""
        target: Mapping[str, Any] = self.arguments["Target"]
        return target


@dataclass(frozen=True)
class LogGroup:
    """A log group.

    ``retention_days`` is None if an existing one keeps its events forever, or if the settings do not say.
    """

    name: str
    retention_days: int | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Parameter:
    """An SSM parameter whose value, a JSON document of secret settings, is encrypted.

    ``secure`` is whether an existing one is encrypted, and ``key`` the ARN of the customer-managed KMS key
    that someone chose for it, or None. ``kept`` has the arguments of PutParameter with which a new value
    keeps what others chose.
    """

    name: str
    value: str = field(repr=False)
    tags: Mapping[str, str]
    secure: bool = True
    key: str | None = None
    kept: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Queue:
    """An SQS queue.

    ``attributes`` holds the attributes that this tool manages, with JSON documents parsed. ``url`` and
    ``messages`` (the approximate number of messages) are set for an existing queue only.
    """

    name: str
    arn: str
    attributes: Mapping[str, Any]
    tags: Mapping[str, str]
    url: str = ""
    messages: int = 0


@dataclass(frozen=True)
class EventSourceMapping:
    """An event source mapping, which makes Lambda poll a queue.

    ``configuration`` and ``initial`` have the API's names. ``initial`` is what a new mapping gets and an
    existing one keeps as it is. ``has_filter`` is whether Lambda discards what someone's filter excludes.
    ``other_readers`` has the ARNs of foreign functions that Lambda passes messages of the queue to as well.
    """

    queue_arn: str
    function_arn: str
    configuration: Mapping[str, Any]
    initial: Mapping[str, Any] = field(default_factory=dict)
    uuid: str = ""
    has_filter: bool = False
    other_readers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A rule of the default event bus; ``target`` is this tool's target only, with the API's names."""

    name: str
    arn: str
    pattern: Mapping[str, Any]
    state: str
    target: Mapping[str, Any] | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class DeliveryResources:
    """The resources between the bucket and the function.

    Every delivery has the queues and the mapping, so that no event is lost; ``eventbridge`` also has a rule.
    ``other_rules`` names the foreign rules that receive the bucket's events from EventBridge.
    """

    queue: Queue | None = None
    dead_letters: Queue | None = None
    mapping: EventSourceMapping | None = None
    rule: Rule | None = None
    other_rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotificationOwner:
    """Identifies this tool's entries in a bucket's notifications: those that send to its function or queue.

    Ids do not identify an entry, because other tools rewrite them: the handler of AWS CDK's
    ``BucketNotifications`` gives each foreign entry a new id.
    """

    destinations: tuple[str, ...]

    def receives(self, arn: str | None) -> bool:
        """Return whether an ARN is one of the destinations, or a version or alias of the function."""
        return arn is not None and any(arn == own or arn.startswith(f"{own}:") for own in self.destinations)


@dataclass(frozen=True)
class Subscription:
    """The part of a bucket's notifications that this tool owns.

    Parameters
    ----------
    kind : str or None
        ``LambdaFunctionConfigurations`` or ``QueueConfigurations``.
    entry : dict or None
        This tool's entry of that kind.
    eventbridge : bool or None
        Whether the bucket sends all events to EventBridge as well; None leaves the setting unchanged.
    keeps_entries : bool
        Whether this tool's entries stay as they are.
    """

    kind: str | None
    entry: Mapping[str, Any] | None
    eventbridge: bool | None = None
    keeps_entries: bool = False


@dataclass(frozen=True)
class Desired:
    """The resources that the settings ask for.

    ``role`` is None if the settings name an existing role. ``spare_role`` is what the function gets for a
    moment while its role is assigned to it again. ``permission`` is None unless S3 invokes the function.
    ``propagation`` is how long S3 may use a previous notification configuration, in seconds.
    ``parameter`` is None if no setting holds a secret, or if secrets are kept elsewhere; without
    ``may_have_parameter``, a parameter is read only if an earlier run may have created it. ``secret_arn`` is
    that of the user's own secret in Secrets Manager, if the function reads one.
    """

    names: Names
    bucket: str
    region: str
    role: Role | None
    role_arn: str
    spare_role: Role
    log_group: LogGroup
    function: Function
    delivery: Delivery
    delivery_resources: DeliveryResources
    permission: Mapping[str, Any] | None
    owner: NotificationOwner
    subscription: Subscription
    fingerprint: str
    propagation: int = 0
    parameter: Parameter | None = None
    may_have_parameter: bool = False
    secret_arn: str | None = None
    schedule: Schedule | None = None
    schedule_role: Role | None = None
    snap_start: bool = False


@dataclass(frozen=True)
class Observed:
    """The resources in AWS.

    ``given_role`` is the role that the settings name, if they name one. ``spare_role`` is left over from an
    interrupted run; it is read for ``disable`` only. ``staged`` has the keys and versions of bundles that an
    interrupted run has left in the bucket. ``published`` is None unless the function may have an alias.
    ``secret_key`` is the ARN of the customer-managed KMS key of the user's own secret, or a pattern of it.
    """

    role: Role | None
    given_role: Role | None
    log_group: LogGroup | None
    function: Function | None
    statements: tuple[Mapping[str, Any], ...]
    notifications: Mapping[str, Any]
    delivery_resources: DeliveryResources = DeliveryResources()
    spare_role: Role | None = None
    parameter: Parameter | None = None
    secret_key: str | None = None
    schedule: Schedule | None = None
    schedule_role: Role | None = None
    staged: tuple[tuple[str, str], ...] = ()
    published: Published | None = None


@dataclass(frozen=True)
class Change:
    """One changed field of a resource, ready to be displayed: secrets are masked."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Action:
    """One mutating call, or a few that belong together, with what they change.

    Parameters
    ----------
    verb : str
        ``create``, ``update`` or ``delete``.
    resource : str
        ``role``, ``log group``, ``parameter``, ``function``, ``code``, ``alias``, ``version``,
        ``schedule``, ``schedule role``, ``staged bundle``, ``queue``,
        ``dead-letter queue``, ``event source mapping``, ``rule``, ``permission`` or ``notification``; for
        replication, ``versioning``, ``role`` or ``replication``.
    name : str
    call : str
        The method of :class:`.writers.Writers` that performs the action, for example ``role.create``.
    arguments : dict
        The method's keyword arguments; they may hold secrets.
    changes : tuple of Change
    """

    verb: str
    resource: str
    name: str
    call: str
    arguments: Mapping[str, Any] = field(repr=False, default_factory=dict)
    changes: tuple[Change, ...] = ()
    delay: int = 0

    @property
    def needs_bundle(self) -> bool:
        """Whether the method takes the function's code as well."""
        return self.call in ("function.create", "function.update_code")


@dataclass(frozen=True)
class Plan:
    """The actions to perform, in order, and the values that they were derived from."""

    actions: tuple[Action, ...]
    desired: Desired
    observed: Observed

    @property
    def in_sync(self) -> bool:
        """Whether there is nothing to do."""
        return not self.actions


@dataclass(frozen=True)
class Progress:
    """The progress of one step of a run; ``state`` is ``running``, ``done``, ``skipped`` or ``failed``.

    ``note`` is the reason why a running step may take minutes.
    """

    step: str
    state: str
    message: str
    done: int | None = None
    total: int | None = None
    note: str | None = None


#: Receives the progress of a run.
Reporter = Callable[[Progress], None]
