"""The values that travel through a deployment: what is wanted, what is there, what is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Marks what this tool made. Its value is the bucket that the resource serves.
OWNER_TAG = "pypicloud-s3sync:bucket"
#: On the function: which inputs its code was built from, and the CodeSha256 that came of them.
BUNDLE_TAG = "pypicloud-s3sync:bundle"


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
    notification: str


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
class Desired:
    """What the settings ask for. ``role`` is None where a role was given."""

    names: Names
    bucket: str
    region: str
    role: Role | None
    role_arn: str
    log_group: LogGroup
    function: Function
    permission: Mapping[str, Any]
    notification: Mapping[str, Any]
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
        ``role``, ``log group``, ``function``, ``code``, ``permission`` or ``notification``.
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
