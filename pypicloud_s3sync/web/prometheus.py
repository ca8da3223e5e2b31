"""Write figures in the format of Prometheus.

The names follow https://prometheus.io/docs/practices/naming/. CloudWatch knows the events of a period, and
not all since some start, so their numbers are gauges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .. import __version__
from ..config.settings import SyncSettings

PREFIX = "pypicloud_s3sync_"


def exposition(
    settings: SyncSettings, figures: Mapping[str, Any], compared: Mapping[str, Any] | None, accept: str
) -> tuple[bytes, str]:
    """Return the body and the content type of an answer.

    Parameters
    ----------
    settings : SyncSettings
    figures : dict
        See :func:`.figures.read_figures`.
    compared : dict or None
        See :func:`.contents.last_comparison`.
    accept : str
        The ``Accept`` header of the request, by which Prometheus chooses a format.
    """
    registry = CollectorRegistry(auto_describe=False)
    of_comparison = _of_comparison(compared, figures["reconciled"])
    registry.register(_Collector([*_of_settings(settings), *_of_events(figures), *of_comparison]))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collector(Collector):
    """Passes metrics on."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        return self._metrics


def _of_settings(settings: SyncSettings) -> Iterator[Metric]:
    labels = {
        "version": __version__,
        "function": settings.function_name,
        "bucket": settings.bucket,
        "cache": settings.cache,
        "delivery": str(settings.delivery),
    }
    info = GaugeMetricFamily(f"{PREFIX}info", "What this server syncs; always 1.", labels=list(labels))
    info.add_metric(list(labels.values()), 1)
    yield info


def _of_events(figures: Mapping[str, Any]) -> Iterator[Metric]:
    handled = "Events that the function handled in the last 24 hours."
    yield _labelled("events_last_day", handled, "outcome", figures["events"])
    yield _gauge(
        "last_event_timestamp_seconds",
        "When the function handled an event last, at most a day ago.",
        figures["last_event"],
    )
    yield _gauge(
        "lag_seconds",
        "Time from the last event until the cache was up to date.",
        figures["lag_seconds"],
    )
    yield _gauge("waiting_events", "Events that wait in the queue to be tried again.", figures["waiting"])
    yield _gauge(
        "oldest_waiting_event_seconds",
        "Age of the oldest event that waits.",
        figures["oldest_waiting_seconds"],
    )
    yield _gauge("failed_events", "Events that failed for good and can be replayed.", figures["failed"])
    yield _gauge(
        "oldest_failed_event_seconds",
        "Age of the oldest event that failed for good.",
        figures["oldest_failed_seconds"],
    )


def _of_comparison(
    compared: Mapping[str, Any] | None, reconciled: Mapping[str, int] | None
) -> Iterator[Metric]:
    """Yield what the last reconciliation, or comparison, has found: on this host, or by the function."""
    found = compared or {}
    differences = found.get("differences", {})
    at, in_sync = found.get("at"), found.get("in_sync")
    if not found:
        left = None
    elif found["dry_run"]:
        left = sum(differences.values())
    else:
        left = found["kept"] + found["failed"]
    if reconciled is not None and (at is None or reconciled["at"] > at):
        at, left = reconciled["at"], reconciled["left"]
        in_sync = left == 0
    yield _gauge(
        "last_reconcile_timestamp_seconds",
        "When bucket and cache were last compared, on this host or by the function.",
        at,
    )
    yield _gauge(
        "last_reconcile_success",
        "Whether bucket and cache agreed at the end of the last comparison: 1 or 0.",
        in_sync,
    )
    on_host = "the last comparison on this host"
    yield _gauge("objects", f"Objects in the bucket at {on_host}.", found.get("objects"))
    yield _gauge("rows", f"Rows in the cache at the beginning of {on_host}.", found.get("rows"))
    yield _labelled("drift", f"Differences that {on_host} found.", "kind", differences)
    yield _gauge("unrepaired_differences", "Differences that the last comparison left.", left)


def _gauge(name: str, help_text: str, value: float | None) -> Metric:
    """Return a metric; without a value, it has no sample."""
    family = GaugeMetricFamily(PREFIX + name, help_text)
    if value is not None:
        family.add_metric([], float(value))
    return family


def _labelled(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
