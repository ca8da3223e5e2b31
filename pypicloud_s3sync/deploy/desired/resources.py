"""Derive the desired resources from the settings, without calling AWS."""

from __future__ import annotations

import hashlib
import re

from ...config.settings import SyncSettings
from .. import snap_start
from ..models import CacheTables, Desired, Function, Identity, LogGroup, Names, Role
from . import delivery, parameters, policy, schedule
from .tags import DELIVERY_TAG, OWNER_TAG, PARAMETER_TAG, SCHEDULE_TAG, SNAP_START_TAG

#: The handler's name inside the bundle.
HANDLER = "pypicloud_s3sync.handler.handle_s3_event"
#: The path of the roles, so that an operator's permissions can be limited to it.
ROLE_PATH = "/pypicloud-s3sync/"
#: The path of the parameters, for the same reason.
PARAMETER_PATH = "/pypicloud-s3sync/"
#: Where the bucket holds a bundle that is too large for a direct upload. A package may lie there as well.
STAGING_PREFIX = "pypicloud-s3sync/"
#: The beginning of the name of a resource whose function's name is too long for it.
PREFIX_OF_LONG = "pypicloud-s3sync"
#: The beginning of the names of the roles for replication, which do not belong to a function.
REPLICATION = "replication"
ROLE_DESCRIPTION = "Runs the Lambda function that keeps pypicloud's cache equal to its bucket"
DESCRIPTION = "Keeps pypicloud's cache equal to its bucket (pypicloud-s3sync)"


def resource_names(settings: SyncSettings, region: str) -> Names:
    """Return the names of the resources that this tool creates.

    Roles are global and a statement id is unique within a function only, so both contain region and bucket.
    With the fixed names of ``ppc-create-s3-sync``, a second region silently lost its events.
    """
    parts = (settings.function_name, region, settings.bucket)
    return Names(
        function=settings.function_name,
        role=_unique(*parts, limit=64),
        spare_role=_unique(settings.function_name, "spare", *parts[1:], limit=64),
        role_path=ROLE_PATH,
        log_group=f"/aws/lambda/{settings.function_name}",
        statement=_unique(*parts, limit=100),
        alias_statement=_unique("alias", *parts, limit=100),
        rule_statement=_unique("eventbridge", *parts, limit=100),
        notification=_unique("pypicloud-s3sync", *parts, limit=255),
        queue=_unique(*parts, limit=80),
        dead_letters=_unique("failed", *parts, limit=80),
        rule=_unique(*parts, limit=64),
        parameter=f"{PARAMETER_PATH}{_unique(*parts, limit=200)}",
        schedule=_unique(*parts, limit=64),
        schedule_role=_unique(settings.function_name, "schedule", *parts[1:], limit=64),
    )


def replication_role_name(bucket: str, region: str) -> str:
    """Return the name of the role of this tool's replication rules. A bucket has one for all its rules."""
    return _unique(REPLICATION, region, bucket, limit=64)


def _unique(*parts: str, limit: int) -> str:
    """Return a name that is unique to the parts, readable, and made of letters, digits, '-' and '_' only.

    An operator's policy names the resources of a function by its whole name, as ``FUNCTION-*``. A function's
    name that does not fit gets a prefix instead that the policy names as well.
    """
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
    length = limit - len(digest) - 1
    if len(parts[0]) > length:
        parts = (PREFIX_OF_LONG, *parts)
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", "-".join(parts))
    return f"{readable[:length]}-{digest}"


def function_arn(name: str, region: str, identity: Identity) -> str:
    """Return the unqualified ARN of a function."""
    return f"arn:{identity.partition}:lambda:{region}:{identity.account}:function:{name}"


def desire(
    settings: SyncSettings,
    identity: Identity,
    region: str,
    fingerprint: str,
    tables: CacheTables | None = None,
) -> Desired:
    """Return the resources that the settings ask for.

    Parameters
    ----------
    settings : SyncSettings
    identity : Identity
    region : str
        The region of the bucket and therefore of the function.
    fingerprint : str
        The fingerprint of the bundle, which shows whether the code differs without building it.
    tables : CacheTables, optional
        The tables of a DynamoDB cache.
    """
    names = resource_names(settings, region)
    tags = {**settings.tags, OWNER_TAG: settings.bucket}
    arns = delivery.Arns.of(names, settings, function_arn(names.function, region, identity), identity, region)
    tables = tables or CacheTables()
    role_policy = policy.role_policy(settings, identity, region, names, tables.keys)
    role = _role(settings, identity, names, tags, role_policy, names.role)
    role_arn = settings.role_arn or role.arn
    secrets = {PARAMETER_TAG: "created"} if settings.keeps_parameter else {}
    scheduler = schedule.schedule_role(settings, names, identity, region, arns.queue, tags)
    scheduled = schedule.schedule(settings, names, arns.queue, scheduler)
    recorded = {SCHEDULE_TAG: "created"} if scheduled else {}
    recorded |= {SNAP_START_TAG: "created"} if settings.snap_start else {}
    return Desired(
        names=names,
        bucket=settings.bucket,
        region=region,
        role=None if settings.role_arn else role,
        role_arn=role_arn,
        spare_role=_role(settings, identity, names, tags, role_policy, names.spare_role),
        log_group=LogGroup(names.log_group, settings.log_retention_days, tags),
        function=Function(
            names.function,
            arns.function,
            _configuration(settings, region, names, role_arn, arns.queue),
            {**tags, **secrets, **recorded, DELIVERY_TAG: settings.delivery},
        ),
        delivery=settings.delivery,
        delivery_resources=delivery.delivery_resources(settings, names, arns, tags, tables),
        permission=delivery.permission(settings, names, arns),
        owner=delivery.notification_owner(arns),
        subscription=delivery.subscription(settings, names, arns),
        fingerprint=fingerprint,
        # An emulator uses a new configuration immediately.
        propagation=0 if settings.endpoint_url else delivery.PROPAGATION_SECONDS,
        parameter=parameters.parameter(settings, names, tags),
        may_have_parameter=settings.may_have_parameter,
        secret_arn=settings.secret_arn,
        schedule=scheduled,
        schedule_role=scheduler if scheduled else None,
        snap_start=settings.snap_start,
    )


def _role(
    settings: SyncSettings,
    identity: Identity,
    names: Names,
    tags: dict[str, str],
    role_policy: dict[str, object],
    name: str,
) -> Role:
    return Role(
        name=name,
        path=names.role_path,
        arn=f"arn:{identity.partition}:iam::{identity.account}:role{names.role_path}{name}",
        trust=policy.trust_policy(),
        policy=role_policy,
        boundary=settings.permissions_boundary,
        tags=tags,
        description=ROLE_DESCRIPTION,
    )


def _configuration(
    settings: SyncSettings, region: str, names: Names, role_arn: str, queue_arn: str
) -> dict[str, object]:
    return {
        "Description": DESCRIPTION,
        "Role": role_arn,
        "Runtime": settings.runtime,
        "Handler": HANDLER,
        "Architectures": [settings.architecture],
        "MemorySize": settings.memory_size,
        "Timeout": settings.timeout,
        "VpcConfig": {
            "SubnetIds": sorted(settings.vpc_subnet_ids),
            "SecurityGroupIds": sorted(settings.vpc_security_group_ids),
        },
        "DeadLetterConfig": {"TargetArn": queue_arn},
        "Environment": parameters.variables(settings, region, names),
        **({"SnapStart": dict(snap_start.ON)} if settings.snap_start else {}),
    }
