"""Reconcile in the background when a server starts, if the bucket and the cache differ.

pypicloud fills a cache when it starts, but only an empty one. A cache that lost its rows, for example a Redis
that was restarted without persistence, is no longer empty after the first event, and would never be filled.

A separate process with a low priority does the work, so that the server starts and answers as fast as without
it.
"""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pyramid.events import ApplicationCreated

from ..config.environ import EnvironSettings
from ..config.settings import SyncSettings, read, snapshot
from ..deploy import Deployment, run_files
from ..deploy.aws.clients import Clients, Limits
from ..deploy.cache.reconciling import summary
from ..exceptions import ConfigError, S3SyncError
from ..sync.masking import mask, secrets_of

LOG = logging.getLogger(__name__)
COMMAND = "reconcile on start"
#: The suffix of the lock that the first worker of a server holds until it ends.
SUFFIX = ".started"
#: By how much the process is nicer than the server: https://docs.python.org/3/library/os.html#os.nice
NICE = 10
#: Programs that load the application without serving it, and the prefixes of others.
TOOLS = ("pdistreport", "prequest", "proutes", "pshell", "ptweens", "pviews")
TOOL_PREFIXES = ("ppc-", "pypicloud-")

#: The locks that this process holds, by their paths.
_held: dict[Path, int] = {}


def includeme(config: Any) -> None:
    """Let the application reconcile when it is created."""
    config.add_subscriber(_application_created, ApplicationCreated)


def _application_created(event: Any) -> None:
    if _is_tool() or "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        return
    application = event.app.registry.settings
    try:
        settings = read(application)
    except ConfigError as error:
        # For example packages in files. The panel says so, too.
        LOG.info("S3 sync does not compare the bucket with the cache: %s", error)
        return
    if not settings.reconcile_on_start:
        return
    from . import runs

    try:
        if _is_first(settings):
            runs.start_in_background(COMMAND, snapshot(application))
    except (OSError, S3SyncError) as error:
        _warn(error, settings.secrets)


def _is_tool() -> bool:
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    return name in TOOLS or name.startswith(TOOL_PREFIXES)


def _is_first(settings: SyncSettings) -> bool:
    """Return whether no other worker of this host has started with these settings and still exists."""
    path = run_files.path_for(settings, SUFFIX)
    if path not in _held:
        lock = run_files.take_lock(settings, SUFFIX, pauses=(0,))
        if lock is None:
            return False
        _held[path] = lock
    return True


def reconcile(application: Mapping[str, str]) -> int:
    """Compare the bucket with the cache, and reconcile them if they differ; run by the process.

    Returns
    -------
    int
        The exit status of the process.
    """
    os.nice(NICE)
    # One line for one problem: the libraries need not describe it as well.
    logging.getLogger().setLevel(logging.CRITICAL)
    LOG.setLevel(logging.INFO)
    try:
        # Without this process's environment: the settings already contain the PPC_* variables.
        settings = read(EnvironSettings(dict(application), {}))
        # If AWS has gone, a server that ends soon does not leave a process behind that asks again and again.
        # The deadline of a request is left out: listing a large bucket takes longer.
        limits = replace(Limits.for_web(), deadline=math.inf)
        if Deployment(settings, clients=partial(Clients, limits=limits)).differs():
            LOG.info("S3 sync has reconciled the cache: %s", summary(Deployment(settings).reconcile()))
    except Exception as error:
        _warn(error, secrets_of(application.items()))
        return 1
    return 0


def _warn(error: Exception, secrets: list[str]) -> None:
    text = str(error) if isinstance(error, S3SyncError) else f"{type(error).__name__}: {error}"
    reason = " ".join(mask(text, secrets).split())
    LOG.warning("S3 sync has not compared the bucket with the cache at the start: %s", reason)
