"""The values that travel through a deployment: what is wanted, what is there, what is to be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..config.options import Delivery

#: Marks what this tool made. Its value is the bucket that the resource serves.
OWNER_TAG = "pypicloud-s3sync:bucket"
#: On the function: which inputs its code was built from, and the CodeSha256 that came of them.
BUNDLE_TAG = "pypicloud-s3sync:bundle"
#: On the function: the deliveries that may have parts in AWS; more than one while it moves between them.
DELIVERY_TAG = "pypicloud-s3sync:delivery"
#: On the rule: it was us who let the bucket send to EventBridge.
SWITCH_TAG = "pypicloud-s3sync:eventbridge"


def bundle_tag(fingerprint: str, code_sha256: str) -> str:
    """The value of :data:`BUNDLE_TAG`."""
    return f"{fingerprint}/{code_sha256}"


@dataclass(frozen=True)
class Identity:
    """Who AWS says we are."""

    account: str
    partition: str


@dataclass(frozen=True)
class Names:
    """What our resources are called; each carries function, region and bucket where others could share it."""

    function: str
    role: str
    role_path: str
    log_group: str
    statement: str
    rule_statement: str
    notification: str
    queue: str
    dead_letters: str
    rule: str


@dataclass(frozen=True)
class Role:
    """An IAM role. Documents are parsed JSON; ``policy`` is our inline policy only."""

    name: str
    path: str
    arn: str
    trust: Mapping[str, Any]
    policy: Mapping[str, Any] | None
    boundary: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Function:
    """A Lambda function.

    ``configuration`` has the API's names; its environment may hold secrets. ``failure`` is Lambda's
    reason for which it cannot run.
    """

    name: str
    arn: str
    configuration: Mapping[str, Any] = field(repr=False)
    tags: Mapping[str, str]
    code_sha256: str | None = None
    failure: str | None = None


@dataclass(frozen=True)
class LogGroup:
    """A log group; ``retention_days`` is None where it keeps everything."""

    name: str
    retention_days: int | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Queue:
    """An SQS queue.

    ``attributes`` are those that are ours to set, documents in them parsed; ``url`` and ``messages`` (how
    many it holds, about) are those of a queue that is there.
    """

    name: str
    arn: str
    attributes: Mapping[str, Any]
    tags: Mapping[str, str]
    url: str = ""
    messages: int = 0


@dataclass(frozen=True)
class EventSourceMapping:
    """What makes Lambda poll a queue for a function; ``configuration`` has the API's names."""

    queue_arn: str
    function_arn: str
    configuration: Mapping[str, Any]
    uuid: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule of the default event bus; ``target`` is ours of its targets, with the API's names."""

    name: str
    arn: str
    pattern: Mapping[str, Any]
    state: str
    target: Mapping[str, Any] | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class DeliveryResources:
    """What stands between the bucket and the function: nothing, where S3 invokes it directly.

    ``other_rules`` names the rules of others that get events of the bucket from EventBridge.
    """

    queue: Queue | None = None
    dead_letters: Queue | None = None
    mapping: EventSourceMapping | None = None
    rule: Rule | None = None
    other_rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotificationOwner:
    """How our entry in a bucket's notifications is known: our id, and one of our receivers."""

    identifier: str
    function_arn: str
    queue_arn: str

    @property
    def receivers(self) -> tuple[str, str]:
        """Where our entry may send events, by its delivery."""
        return self.function_arn, self.queue_arn


@dataclass(frozen=True)
class Subscription:
    """What of a bucket's notifications is ours.

    Parameters
    ----------
    kind : str or None
        ``LambdaFunctionConfigurations`` or ``QueueConfigurations``.
    entry : dict or None
        Our entry in it.
    eventbridge : bool or None
        Whether all events go to EventBridge as well; None leaves that as it is.
    """

    kind: str | None
    entry: Mapping[str, Any] | None
    eventbridge: bool | None = None


@dataclass(frozen=True)
class Desired:
    """What the settings ask for.

    ``role`` is None where a role was given, ``permission`` where nobody invokes the function: Lambda polls.
    """

    names: Names
    bucket: str
    region: str
    role: Role | None
    role_arn: str
    log_group: LogGroup
    function: Function
    delivery: Delivery
    delivery_resources: DeliveryResources
    permission: Mapping[str, Any] | None
    owner: NotificationOwner
    subscription: Subscription
    fingerprint: str


@dataclass(frozen=True)
class Observed:
    """What AWS has. ``role`` is the one of our name, ``given_role`` the one that was given."""

    role: Role | None
    given_role: Role | None
    log_group: LogGroup | None
    function: Function | None
    statements: tuple[Mapping[str, Any], ...]
    notifications: Mapping[str, Any]
    delivery_resources: DeliveryResources = DeliveryResources()


@dataclass(frozen=True)
class Change:
    """One field of a resource, as it is shown: secrets are masked already."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Action:
    """One mutating call, or a few that belong together, and what it means to a reader.

    Parameters
    ----------
    verb : str
        ``create``, ``update`` or ``delete``.
    resource : str
        ``role``, ``log group``, ``function``, ``code``, ``queue``, ``dead-letter queue``,
        ``event source mapping``, ``rule``, ``permission`` or ``notification``.
    name : str
    call : str
        The method of :class:`.writers.Writers` that does it, for example ``role.create``.
    arguments : dict
        Its keyword arguments; may hold secrets.
    changes : tuple of Change
    """

    verb: str
    resource: str
    name: str
    call: str
    arguments: Mapping[str, Any] = field(repr=False, default_factory=dict)
    changes: tuple[Change, ...] = ()

    @property
    def needs_bundle(self) -> bool:
        """Whether the function's code goes along."""
        return self.call in ("function.create", "function.update_code", "function.tag_bundle")


@dataclass(frozen=True)
class Plan:
    """What is to be done, in order; and what was found on the way."""

    actions: tuple[Action, ...]
    desired: Desired
    observed: Observed

    @property
    def in_sync(self) -> bool:
        """Whether there is nothing to do."""
        return not self.actions


@dataclass(frozen=True)
class Progress:
    """A step of a run as it is reported: ``state`` is ``running``, ``done``, ``skipped`` or ``failed``."""

    step: str
    state: str
    message: str
    done: int | None = None
    total: int | None = None


#: Is told of each step while it runs.
Reporter = Callable[[Progress], None]
