"""The Lambda function: an S3 notification comes in, the cache says what the bucket holds.

``PYPICLOUD_SETTINGS``, a JSON object of pypicloud's own ``pypi.db``, ``db.*`` and ``storage.*`` settings,
says which cache and which bucket; ``PPC_*`` variables override it, as in the server.
"""

from __future__ import annotations

import functools
import json
import logging
import os
from typing import Any

import boto3
from botocore.config import Config
from pypicloud.util import EnvironSettings

from . import compat, events
from .caches import index_of
from .exceptions import ConfigError, SyncError
from .sync import Syncer

LOG = logging.getLogger(__name__)


def handle_s3_event(event: Any, context: Any) -> dict[str, list[str]]:
    """Make the cache say what S3 holds under each key that an event speaks of.

    Parameters
    ----------
    event : dict
        A direct S3 notification, or ``s3:TestEvent``.
    context : object
        Lambda's, unused.

    Returns
    -------
    dict
        ``{"saved": [filename], "cleared": [filename], "ignored": [key]}``.

    Raises
    ------
    SyncError
        After every record was tried: names each that failed. Lambda then delivers the event again.
    EventError, ConfigError
        The event is no S3 notification; the function has no settings.
    """
    notification = events.parse(event)
    outcomes: dict[str, list[str]] = {"saved": [], "cleared": [], "ignored": []}
    failures: dict[str, Exception] = dict(notification.malformed)
    for reference in notification.references:
        try:
            outcome = _syncer().converge(reference.bucket, reference.key)
        except ConfigError:
            raise
        except Exception as error:
            LOG.exception("Could not sync s3://%s/%s", reference.bucket, reference.key)
            failures[reference.key] = error
        else:
            LOG.info("%s s3://%s/%s", outcome.action, reference.bucket, reference.key)
            outcomes[outcome.action].append(outcome.name)
    if failures:
        raise SyncError(failures)
    return outcomes


@functools.cache
def _syncer() -> Syncer:
    """The cache and the clients, built once in a process."""
    logging.getLogger(__package__).setLevel(logging.INFO)
    compat.apply()
    settings = _settings()
    from pypicloud.cache import get_cache_impl

    implementation = get_cache_impl(settings)
    cache = implementation(**implementation.configure(settings))
    # Two quick tries more than none: what still fails then is retried by Lambda, minutes apart.
    config = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=5, read_timeout=10)
    s3 = boto3.client("s3", region_name=settings.get("storage.region_name"), config=config)
    return Syncer(s3, index_of(cache), settings.get("storage.bucket"), settings.get("storage.prefix", ""))


def _settings() -> EnvironSettings:
    try:
        settings = json.loads(os.environ["PYPICLOUD_SETTINGS"])
        if not isinstance(settings, dict):
            raise ValueError("it is no object")
    except KeyError:
        raise ConfigError("PYPICLOUD_SETTINGS is not set: run ppc-s3sync enable") from None
    except ValueError as error:
        raise ConfigError(
            f"PYPICLOUD_SETTINGS is not a JSON object ({error}): run ppc-s3sync enable"
        ) from None
    # A cache wants a storage, which is never asked for anything here: the base class is enough.
    settings["pypi.storage"] = "pypicloud.storage.base.IStorage"
    return EnvironSettings(settings)
