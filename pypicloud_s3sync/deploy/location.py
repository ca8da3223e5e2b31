"""Find the caller's account and the bucket's region, which decide where the resources are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ..config.settings import SyncSettings
from ..exceptions import ConfigError, ConflictError
from .aws.clients import Clients
from .aws.denials import offering
from .models import Identity
from .operator.policy import Purpose, policy_for_reading
from .problems import CONFLICT, SETTINGS, Problem
from .readers import Reader


@dataclass(frozen=True)
class Location:
    """The caller, and the region that all resources but the role share.

    Parameters
    ----------
    clients : Clients
        Clients for that region.
    identity : Identity
    region : str
    missing_bucket : Problem or None
        The problem that the bucket does not exist.
    purpose : Purpose
        The task whose reading rights the error for a denied call offers.
    """

    clients: Clients
    identity: Identity
    region: str
    missing_bucket: Problem | None = None
    purpose: Purpose = Purpose.PANEL

    def reading(self) -> AbstractContextManager[None]:
        """Return a context for calls that read: a denied one offers all rights that reading needs."""
        return _reading(self.clients.settings, self.identity, self.region, self.purpose)


def locate(
    settings: SyncSettings,
    clients: Callable[[SyncSettings, str | None], Clients],
    *,
    bucket_may_be_gone: bool = False,
    purpose: Purpose = Purpose.PANEL,
) -> Location:
    """Return the location of the resources.

    Parameters
    ----------
    settings : SyncSettings
    clients : callable
        Returns the clients for settings and a region.
    bucket_may_be_gone : bool
        Whether a missing bucket is no error if the settings name the region.
    purpose : Purpose
        The task whose reading rights the error for a denied call offers.

    Raises
    ------
    AwsError, ConfigError, ConflictError
        If AWS cannot be read, the settings name another region than the bucket's, or the bucket is missing.
    """
    created = clients(settings, None)
    identity = Reader(created).identity()
    with _reading(settings, identity, created.region, purpose):
        bucket_region = Reader(created).bucket_region(settings.bucket, identity.account)
    region = settings.region or bucket_region
    missing = None
    if bucket_region is None:
        missing = missing_bucket(settings)
        if not (bucket_may_be_gone and region):
            raise ConflictError(str(missing))
    if not region:
        raise ConfigError(
            f"no region is set, and S3 does not report the region of the bucket {settings.bucket}:"
            " set storage.region_name, or use -r"
        )
    if bucket_region and bucket_region != region:
        raise ConfigError(str(other_region(settings, bucket_region)))
    if created.region != region:
        created = clients(settings, region)
    return Location(created, identity, region, missing, purpose)


def _reading(
    settings: SyncSettings, identity: Identity, region: str, purpose: Purpose
) -> AbstractContextManager[None]:
    return offering(lambda error: policy_for_reading(settings, identity, region, error, [purpose]))


def missing_bucket(settings: SyncSettings) -> Problem:
    """Return the problem that the bucket does not exist."""
    return Problem(
        CONFLICT,
        f"the bucket {settings.bucket} does not exist",
        "correct storage.bucket; if the bucket was deleted, restart pypicloud, which creates its bucket"
        " when it starts",
    )


def other_region(settings: SyncSettings, bucket_region: str) -> Problem:
    """Return the problem that the settings name another region than the bucket's, and which one does."""
    origin = settings.region_origin
    remedy = (
        f"leave -r out, or use -r {bucket_region}" if origin == "-r" else f"set {origin} = {bucket_region}"
    )
    return Problem(
        SETTINGS,
        f"the bucket {settings.bucket} is in {bucket_region}, but {origin} says {settings.region}, and S3"
        " notifies only functions in the bucket's region",
        remedy,
    )
