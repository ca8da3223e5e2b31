"""Derive a region's part of the replication from its settings, without calling AWS."""

from __future__ import annotations

from ...config.settings import SyncSettings
from ..desired.resources import ROLE_PATH, replication_role_name
from ..desired.tags import OWNER_TAG
from ..models import Identity, Role
from .models import Region
from .policy import trust_policy

ROLE_DESCRIPTION = "Lets S3 replicate pypicloud's packages to the buckets of other regions"


def wanted_region(config: str, settings: SyncSettings, identity: Identity, region: str) -> Region:
    """Return a region as its settings want it, without what AWS has.

    Parameters
    ----------
    config : str
        The ini file, for messages.
    settings : SyncSettings
    identity : Identity
        The owner of the bucket.
    region : str
        The region of the bucket.
    """
    name = replication_role_name(settings.bucket, region)
    role = Role(
        name=name,
        path=ROLE_PATH,
        arn=f"arn:{identity.partition}:iam::{identity.account}:role{ROLE_PATH}{name}",
        trust=trust_policy(),
        policy=None,
        boundary=settings.permissions_boundary,
        tags={**settings.tags, OWNER_TAG: settings.bucket},
        description=ROLE_DESCRIPTION,
    )
    return Region(
        config=config,
        bucket=settings.bucket,
        prefix=settings.prefix,
        region=region,
        identity=identity,
        uploads_with_kms=settings.server_side_encryption == "aws:kms",
        wanted_role=role,
    )
