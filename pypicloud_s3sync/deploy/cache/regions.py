"""Open regions to compare them, or to wait for a file in one of them; nothing here changes anything."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from ...config.settings import SyncSettings
from ...exceptions import ConfigError
from ...reconcile.scans import scan_of
from ...regions.compare import Comparison, compare
from ...regions.models import Region
from ...regions.wait import Look, State, find_key, is_filename, look_at, usual_keys, wait
from ...sync.counts import count_of
from ..aws.clients import Clients
from ..location import locate
from ..models import Progress, Reporter
from .known_objects import known_objects_path
from .local_cache import opened
from .reading import WORKERS, Steps, check_tables, syncer_of, translating

#: Seconds to search the bucket for a file that is not where pypicloud would have put it.
SEARCH = 10
#: What is shown while a file is waited for.
STATES: Mapping[State, str] = {
    State.AVAILABLE: "available",
    State.NOT_IN_BUCKET: "not in the bucket yet",
    State.NOT_IN_CACHE: "in the bucket, not in the cache yet",
    State.STALE: "in the bucket, the cache has an earlier upload",
    State.NOT_LISTED: "in the cache, not listed yet",
}
#: What keeps a region from serving a file, and what to do about it.
REASONS: Mapping[State, str] = {
    State.NOT_IN_BUCKET: "{place} does not exist: if the file was uploaded in another region, check the"
    " replication from there with `ppc-s3sync doctor`",
    State.NOT_IN_CACHE: "{place} exists, but the cache has no row for it: check the function with"
    " `ppc-s3sync status {config}`, or add the row with `ppc-s3sync reconcile {config}`",
    State.STALE: "{place} exists, but the cache has the row of another upload: check the function with"
    " `ppc-s3sync status {config}`, or repair the row with `ppc-s3sync reconcile {config}`",
    State.NOT_LISTED: "the cache has the row, but does not list it for the project {name}: repair it with"
    " `ppc-s3sync reconcile {config}`",
}


@contextmanager
def open_region(
    config: str,
    settings: SyncSettings,
    command: str,
    clients: Callable[[SyncSettings, str | None], Clients] = Clients,
) -> Iterator[Region]:
    """Yield the bucket and the cache of a configuration.

    Parameters
    ----------
    config : str
        The name of the configuration.
    settings : SyncSettings
    command : str
        The command that needs them.
    clients : callable, optional
        Returns the clients for settings and a region.

    Raises
    ------
    S3SyncError
        AWS or the cache cannot be read, or a table does not exist.
    """
    location = locate(settings, clients)
    check_tables(settings, location.clients)
    with opened(settings, command) as adapter:
        syncer, s3 = syncer_of(settings, location.clients, WORKERS, adapter)
        reading = functools.partial(translating, settings, adapter, command)
        known = known_objects_path(settings)
        yield Region(config, settings.bucket, location.region, syncer, s3, reading, known)


def compare_regions(
    configurations: Sequence[tuple[str, SyncSettings]],
    report: Reporter,
    clients: Callable[[SyncSettings, str | None], Clients] = Clients,
) -> Comparison:
    """Compare the regions of two or more configurations.

    Parameters
    ----------
    configurations : sequence of tuple
        The name of each configuration, and its settings.
    report : callable
        Receives the progress.
    clients : callable, optional
        Returns the clients for settings and a region.

    Raises
    ------
    S3SyncError
        :class:`.ConfigError` if two configurations name the same bucket and cache; as :func:`open_region`.
    """
    _check_distinct(configurations)
    with ExitStack() as stack:
        regions = [
            stack.enter_context(open_region(config, settings, "compare", clients))
            for config, settings in configurations
        ]
        return compare(regions, Steps(report))


def _check_distinct(configurations: Sequence[tuple[str, SyncSettings]]) -> None:
    seen: dict[tuple[Any, ...], str] = {}
    for config, settings in configurations:
        cache = tuple(sorted(settings.cache_settings.items()))
        place = settings.endpoint_url, settings.bucket, settings.prefix, cache
        if place in seen:
            raise ConfigError(
                f"{seen[place]} and {config} name the same bucket {settings.bucket} and the same cache:"
                " give a configuration of another region, and no PPC_ variable that overrides both"
            )
        seen[place] = config


@dataclass(frozen=True)
class Waited:
    """The end of a wait.

    Parameters
    ----------
    region : Region
    filename : str
    look : Look
        The last look.
    seconds, timeout : float
        How long it took, and how long it might have taken.
    """

    region: Region
    filename: str
    look: Look
    seconds: float
    timeout: float

    @property
    def available(self) -> bool:
        """Whether the region can serve the file."""
        return self.look.state is State.AVAILABLE

    @property
    def message(self) -> str:
        """The result in one line."""
        region, look, filename = self.region, self.look, self.filename
        if self.available:
            seconds = count_of(round(self.seconds), "second")
            return f"{filename} is available in {region.region}, after {seconds}."
        place = f"s3://{region.bucket}/{look.key}"
        reason = REASONS[look.state].format(place=place, name=look.name, config=region.config)
        seconds = count_of(self.timeout, "second")
        return f"Timed out after {seconds} waiting for {filename} in {region.region}: {reason}"

    def document(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {
            "command": "wait",
            "filename": self.filename,
            "available": self.available,
            "state": self.look.state.value,
            "bucket": self.region.bucket,
            "region": self.region.region,
            "key": self.look.key,
            "seconds": round(self.seconds, 1),
            "message": self.message,
        }


def wait_for(
    config: str,
    settings: SyncSettings,
    filename: str,
    timeout: float,
    report: Reporter,
    clients: Callable[[SyncSettings, str | None], Clients] = Clients,
) -> Waited:
    """Wait until a region can serve a file, or the time is over.

    Parameters
    ----------
    config : str
        The name of the configuration.
    settings : SyncSettings
    filename : str
    timeout : float
        Seconds.
    report : callable
        Receives the progress.
    clients : callable, optional
        Returns the clients for settings and a region.

    Raises
    ------
    S3SyncError
        :class:`.ConfigError` if no package can have this filename; as :func:`open_region`.
    """
    if not is_filename(filename):
        raise ConfigError(
            f"{filename} is not the filename of a package: give it without a directory, for example"
            " acme-1.0-py3-none-any.whl"
        )
    started = time.monotonic()
    keys = list(usual_keys(filename, settings.prefix))
    with open_region(config, settings, "wait", clients) as region, region.reading():
        scan = scan_of(region.syncer.adapter)

        def look() -> Look:
            return look_at(region, scan, filename, keys)

        def seen(look: Look) -> None:
            message = f"waiting for {filename} in {region.region}: {STATES[look.state]}"
            report(Progress("wait", "running", message))

        last = wait(look, max(0, timeout - (time.monotonic() - started)), seen)
        if last.state is State.NOT_IN_BUCKET:
            # Another tool may have uploaded it under another key.
            found = find_key(region, filename, SEARCH)
            last = last if found is None else look_at(region, scan, filename, [found])
    return Waited(region, filename, last, time.monotonic() - started, timeout)
