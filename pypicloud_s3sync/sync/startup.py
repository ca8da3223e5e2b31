"""Build the function's cache and clients from its environment, once per process."""

from __future__ import annotations

import functools

import botocore.session
from botocore.config import Config

from .. import compat
from ..caches.registry import adapter_for, open_cache
from . import environment
from .converge import Syncer
from .heads import HeadClient
from .objects import PARALLEL, ObjectReader


@functools.cache
def syncer() -> Syncer:
    """Return the process's syncer.

    Raises
    ------
    ConfigError
        The function has no settings.
    Exception
        The error of pypicloud's cache class if its database is unreachable. The next call tries again.
    """
    compat.apply_to_caches()
    settings = environment.read()
    cache = open_cache(settings)
    # Three quick retries. Lambda itself retries an event that still fails, minutes later.
    config = Config(
        retries={"mode": "standard", "max_attempts": 3},
        connect_timeout=5,
        read_timeout=10,
        max_pool_connections=PARALLEL,
    )
    session = botocore.session.get_session()
    s3 = session.create_client("s3", region_name=settings.get("storage.region_name"), config=config)
    reader = ObjectReader(s3, HeadClient(s3, session).head)
    return Syncer(
        reader, adapter_for(cache), settings.get("storage.bucket"), settings.get("storage.prefix", "")
    )
