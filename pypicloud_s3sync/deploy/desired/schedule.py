"""Derive the schedule by which the function reconciles, and the role that may send its message.

EventBridge Scheduler sends a message to the function's queue. It cannot use the queue's policy, so it has a
role of its own: https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...config.settings import SyncSettings
from ...sync.reconcile_requests import request
from ..models import Function, Identity, Names, Role, Schedule
from .policy import VERSION, allow
from .tags import SCHEDULE_TAG

GROUP = "default"
DESCRIPTION = "Lets the function compare pypicloud's cache with its bucket (pypicloud-s3sync)"
ROLE_DESCRIPTION = "Lets EventBridge Scheduler ask pypicloud-s3sync's function to reconcile"
SERVICE = "scheduler.amazonaws.com"


def schedule(settings: SyncSettings, names: Names, queue_arn: str, role: Role) -> Schedule | None:
    """Return the schedule that the settings ask for."""
    if settings.reconcile_schedule is None:
        return None
    return Schedule(
        names.schedule,
        {
            "ScheduleExpression": settings.reconcile_schedule,
            "State": "ENABLED",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": queue_arn, "RoleArn": role.arn, "Input": json.dumps(request({}))},
            "Description": DESCRIPTION,
        },
    )


def schedule_role(
    settings: SyncSettings,
    names: Names,
    identity: Identity,
    region: str,
    queue_arn: str,
    tags: Mapping[str, str],
) -> Role:
    """Return the role of the schedule, which may only send to the queue."""
    return Role(
        name=names.schedule_role,
        path=names.role_path,
        arn=f"arn:{identity.partition}:iam::{identity.account}:role{names.role_path}{names.schedule_role}",
        trust=_trust(identity, region),
        policy={"Version": VERSION, "Statement": [allow("AskToReconcile", ["sqs:SendMessage"], queue_arn)]},
        boundary=settings.permissions_boundary,
        tags=tags,
        description=ROLE_DESCRIPTION,
    )


def _trust(identity: Identity, region: str) -> dict[str, Any]:
    """Return a trust policy for schedules of this account in the default group of the region.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    """
    group = f"arn:{identity.partition}:scheduler:{region}:{identity.account}:schedule-group/{GROUP}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": identity.account, "aws:SourceArn": group}},
    }
    return {"Version": VERSION, "Statement": [statement]}


def is_recorded(function: Function | None) -> bool:
    """Return whether the function's tags say that the schedule may exist."""
    return function is not None and bool(function.tags.get(SCHEDULE_TAG))
