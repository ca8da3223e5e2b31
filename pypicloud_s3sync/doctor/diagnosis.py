"""Examine an installation: read the facts, run the checks, and send the canary if requested."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyramid.settings import asbool

from ..config.classes import storage_class
from ..config.settings import SyncSettings
from ..deploy.aws.clients import Clients
from ..deploy.cache.local_cache import open_adapter
from ..deploy.models import Progress, Reporter
from ..deploy.state.code_state import state_of_code
from ..exceptions import S3SyncError
from .canary import Canary, Place
from .checks.function import ENABLE, owned_function
from .examination import examine, report
from .models import Check, Examination, Facts, Finding, State, skipped
from .reading import MakeClients, make_clients, read_facts

#: The checks that must not fail before a canary is sent.
NEEDED = ("credentials", "bucket", "delete_markers", "notification", "function", "cache")


def diagnose(
    settings: SyncSettings,
    reporter: Reporter = lambda progress: None,
    *,
    canary: bool = False,
    clients: MakeClients = make_clients,
) -> Examination:
    """Run every check.

    Parameters
    ----------
    settings : SyncSettings
    reporter : callable, optional
        Receives the progress.
    canary : bool, optional
        Whether to send a package through.
    clients : callable, optional
        Returns the clients for settings and a region.
    """
    reporter(Progress("read", "running", "reading AWS and the cache"))
    facts = read_facts(settings, clients)
    checks = examine(facts)
    found = skipped("not sent", "add --canary to send a package through") if not canary else None
    if found is None:
        found = _reason_to_skip(facts, checks) or _send(facts, reporter, clients)
    return report([*checks, Check("canary", found)], settings.secrets)


def _reason_to_skip(facts: Facts, checks: Iterable[Check]) -> Finding | None:
    """Return why no canary is sent, or None: it must arrive, disappear everywhere, and never be listed."""
    settings = facts.settings
    if settings.cache_backend is None:
        return skipped(f"not sent: the cache {settings.cache} would list it as a project")
    states = {check.check: check.finding.state for check in checks}
    broken = [name for name in NEEDED if states[name] is State.FAILED]
    if broken:
        return skipped(f"not sent, because these checks failed: {', '.join(broken)}", "repair these first")
    if facts.replication.error is not None:
        return skipped(
            "not sent: it is unknown whether its deletion is replicated, so it might stay in another region",
            "see the check of replication",
        )
    if facts.cache.error is not None:
        remedy = "run it on a host that can reach the cache"
        return skipped("not sent: this host cannot reach the cache", remedy)
    if not _hides_canary(facts):
        return skipped("not sent: the function has other code, which might list it as a project", ENABLE)
    return None


def _hides_canary(facts: Facts) -> bool:
    """Return whether the function's code is known to hide the canary, as it is the code of this version."""
    try:
        return state_of_code(owned_function(facts), facts.fingerprint.get()) == "current"
    except S3SyncError:
        return False


def _send(facts: Facts, reporter: Reporter, clients: MakeClients) -> Finding:
    settings, made = facts.settings, clients(facts.settings, facts.region.get())
    replication = facts.replication.get()
    try:
        storage = _storage(settings, made)
    except Exception as error:
        name, reason = settings.storage_settings["pypi.storage"], f"{type(error).__name__}: {error}"
        return skipped(f"not sent: {name} cannot be created without its own settings ({reason})")
    place = Place(
        storage=storage,
        s3=made["s3"],
        bucket=settings.bucket,
        prefix=settings.prefix,
        adapter=open_adapter(settings),
        replicates=bool(replication and replication.concerning(settings.prefix)),
        endpoint_url=settings.endpoint_url,
        log_group=facts.desired.get().names.log_group,
    )
    return Canary(place, reporter).send()


def _storage(settings: SyncSettings, clients: Clients) -> Any:
    """Return the server's storage. ``S3Storage.configure`` would create a missing bucket."""
    given = settings.storage_settings
    return storage_class(given["pypi.storage"])(
        bucket=clients.s3_bucket(settings.bucket),
        bucket_prefix=settings.prefix,
        prepend_hash=asbool(given.get("storage.prepend_hash", "true")),
        sse=settings.server_side_encryption,
        object_acl=given.get("storage.object_acl"),
        storage_class=given.get("storage.storage_class"),
    )
