"""Derive the resources of a template: those that ``enable`` would create if nothing existed.

AWS is not asked. The account and the partition are placeholders, which each format replaces with its own
reference to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...config.settings import SyncSettings
from ...exceptions import ConfigError
from ...sync import environment
from ...sync.masking import secrets_of
from .. import snap_start
from ..desired.policy import ANY_KEY
from ..desired.resources import desire
from ..desired.tags import BUNDLE_TAG, DELIVERY_TAG, PARAMETER_TAG, SCHEDULE_TAG, SNAP_START_TAG, SWITCH_TAG
from ..models import EventSourceMapping, Function, Identity, LogGroup, Observed, Queue, Role, Rule, Schedule
from ..plan.conflicts import conflicts
from ..plan.planner import compare
from ..problems import SETTINGS

#: Stand for the account and the partition. No name, bucket or prefix contains them.
ACCOUNT = "<account of 9b1f6c52>"
PARTITION = "<partition of 9b1f6c52>"
#: The tags that record what a run did. Each run of ``enable`` sets them.
RUN_TAGS = (BUNDLE_TAG, DELIVERY_TAG, PARAMETER_TAG, SCHEDULE_TAG, SNAP_START_TAG, SWITCH_TAG)
NOTHING = Observed(role=None, given_role=None, log_group=None, function=None, statements=(), notifications={})


@dataclass(frozen=True)
class Resources:
    """The resources of a template.

    ``role`` is None if the settings name an existing one, ``rule`` and ``permission`` unless the delivery
    needs them. ``schedule`` and its role are None unless the settings ask for them, and so is ``alias``.
    """

    bucket: str
    region: str
    role: Role | None
    log_group: LogGroup
    dead_letters: Queue
    queue: Queue
    function: Function
    mapping: EventSourceMapping
    rule: Rule | None
    permission: Mapping[str, str] | None
    schedule: Schedule | None = None
    schedule_role: Role | None = None
    alias: str | None = None

    @property
    def alias_arn(self) -> str:
        """The ARN of the alias, if there is one."""
        return snap_start.qualified(self.function.arn)


def created_resources(settings: SyncSettings) -> Resources:
    """Return the resources that ``enable`` would create.

    Raises
    ------
    ConfigError
        If the settings do not name the region, cannot work, or would put a password into the template.
    """
    if settings.region is None:
        raise ConfigError(
            "no region is set, and the names in a template contain it: set storage.region_name, or use -r"
        )
    desired = desire(settings, Identity(ACCOUNT, PARTITION), settings.region, fingerprint="")
    _refuse_secrets(desired.function)
    for problem in conflicts(desired, NOTHING):
        if problem.problem == SETTINGS:
            raise ConfigError(str(problem))
    observed = replace(NOTHING, secret_key=ANY_KEY)
    created = {action.resource: action.arguments for action in compare(desired, observed).actions}
    function, rule = created["function"]["function"], created.get("rule", {}).get("rule")
    queue = created["queue"]["queue"]
    return Resources(
        bucket=desired.bucket,
        region=desired.region,
        role=created.get("role", {}).get("role"),
        log_group=created["log group"]["group"],
        dead_letters=created["dead-letter queue"]["queue"],
        queue=replace(queue, tags=_without_run_tags(queue.tags)),
        function=replace(function, tags=_without_run_tags(function.tags)),
        mapping=created["event source mapping"]["mapping"],
        rule=rule and replace(rule, tags=_without_run_tags(rule.tags)),
        permission=created.get("permission", {}).get("permission"),
        schedule=created.get("schedule", {}).get("schedule"),
        schedule_role=created.get("schedule role", {}).get("role"),
        alias=snap_start.ALIAS if settings.snap_start else None,
    )


def _without_run_tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key not in RUN_TAGS}


def _refuse_secrets(function: Function) -> None:
    """Raise an error if the function's environment holds a secret: people read, store and send templates."""
    variables = function.configuration["Environment"]
    settings = {**variables, **json.loads(variables[environment.VARIABLE])}
    del settings[environment.VARIABLE]
    for name, value in settings.items():
        if secrets_of([(name, value)]):
            raise ConfigError(
                f"the template would contain the password of {name}: set s3sync.secrets = ssm, or the ARN of"
                " a secret in Secrets Manager"
            )


def filled(value: Any, fill: Callable[[str], Any]) -> Any:
    """Return a JSON value with ``fill`` applied to each string in it, except names of fields."""
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, Mapping):
        return {key: filled(item, fill) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [filled(item, fill) for item in value]
    return value
