"""Build the function's cache and clients from its environment, once per process."""

from __future__ import annotations

import functools
import os
import random

import botocore.session
from botocore.config import Config

from .. import compat
from ..caches.registry import adapter_class, adapter_for, cache_class, open_cache
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
    reader = ObjectReader(s3, HeadClient(s3, session))
    return Syncer(
        reader, adapter_for(cache), settings.get("storage.bucket"), settings.get("storage.prefix", "")
    )


def prepare_snapshot() -> None:
    """Import what the cache needs before Lambda takes a snapshot of this process, if it does (SnapStart).

    The snapshot holds no connection, no credentials and no secret: each process that is restored from it has
    its own. Their random numbers differ as well.
    https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
    """
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    # Part of the managed runtimes that have SnapStart.
    from snapshot_restore_py import register_after_restore  # type: ignore[import-not-found]

    compat.apply_to_caches()
    adapter_class(cache_class(environment.without_secrets()))
    register_after_restore(_restore)


def _restore() -> None:
    syncer.cache_clear()
    random.seed()
