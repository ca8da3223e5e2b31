"""The Lambda function: an S3 notification comes in, the cache says what the bucket holds.

``PYPICLOUD_SETTINGS``, a JSON object of pypicloud's own ``pypi.db``, ``db.*`` and ``storage.*`` settings,
says which cache and which bucket; ``PPC_*`` variables override it, as in the server.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import botocore.session
from botocore.config import Config
from pypicloud.util import EnvironSettings

from . import compat
from .caches.registry import index_of
from .exceptions import ConfigError, S3SyncError, SyncError
from .sync import events
from .sync.converge import Outcome, Syncer
from .sync.events import Notification, Record
from .sync.heads import Heads
from .sync.objects import PARALLEL, Looks
from .sync.telemetry import Report, lag_ms, masked, metrics

#: Options of a database's driver by the scheme of ``db.url``, in seconds. pymysql has ten of its own.
_REDIS = (("socket_connect_timeout", 5), ("socket_timeout", 10))
_LIBPQ = (("connect_timeout", 5),)
TIMEOUTS = {"redis": _REDIS, "rediss": _REDIS, "postgresql": _LIBPQ, "postgresql+psycopg2": _LIBPQ}
#: What became of each key of each bucket, or the error.
Outcomes = Mapping[tuple[str, str], Outcome | Exception]


def handle_s3_event(event: Any, context: Any) -> dict[str, Any]:
    """Make the cache say what S3 holds under each key that an event speaks of.

    Parameters
    ----------
    event : dict
        S3 notifications: direct, in SNS, in SQS, in SNS inside SQS, or EventBridge's; or ``s3:TestEvent``.
    context : object
        Lambda's; names the function in its metrics.

    Returns
    -------
    dict
        ``{"saved": [filename], "cleared": [filename], "ignored": [key]}``; for SQS
        ``{"batchItemFailures": [{"itemIdentifier": messageId}]}``, of the messages to be delivered again:
        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    Raises
    ------
    SyncError
        After every record was tried: names each that failed. Lambda then delivers the event again.
    EventError, ConfigError
        The event is no S3 notification; the function has no settings.
    """
    started = time.monotonic()
    notification = events.parse(event)
    outcomes = _converge(notification.records)
    duration = round((time.monotonic() - started) * 1000)
    _say(_reports(notification, outcomes, duration), context)
    if notification.queued and all(part.message_id for part in notification.malformed):
        return _batch_item_failures(notification, outcomes)
    failures = {part.place: part.error for part in notification.malformed} | {
        key: outcome for (_, key), outcome in outcomes.items() if isinstance(outcome, Exception)
    }
    if failures:
        raise SyncError({place: _masked(error) for place, error in failures.items()})
    return _answer(outcomes)


def _converge(records: Sequence[Record]) -> Outcomes:
    """Look once at each key, however many records speak of it."""
    by_bucket: dict[str, dict[str, None]] = {}
    for record in records:
        by_bucket.setdefault(record.bucket, {})[record.key] = None
    return {
        (bucket, key): outcome
        for bucket, keys in by_bucket.items()
        for key, outcome in _syncer().converge(bucket, keys).items()
    }


def _answer(outcomes: Outcomes) -> dict[str, list[str]]:
    answer: dict[str, list[str]] = {"saved": [], "cleared": [], "ignored": []}
    for outcome in outcomes.values():
        if isinstance(outcome, Outcome) and outcome.name not in answer[outcome.action]:
            answer[outcome.action].append(outcome.name)
    return answer


def _batch_item_failures(notification: Notification, outcomes: Outcomes) -> dict[str, list[dict[str, str]]]:
    failed = {
        record.message_id
        for record in notification.records
        if isinstance(outcomes[record.bucket, record.key], Exception)
    } | {part.message_id for part in notification.malformed}
    return {"batchItemFailures": [{"itemIdentifier": message} for message in sorted(filter(None, failed))]}


def _reports(notification: Notification, outcomes: Outcomes, duration: int) -> Iterator[Report]:
    now = datetime.datetime.now(datetime.UTC)
    for record in notification.records:
        outcome = outcomes[record.bucket, record.key]
        said = record.event, record.bucket, record.key
        if isinstance(outcome, Outcome):
            yield Report(*said, outcome.action, duration, lag_ms(record.time, now))
        else:
            yield Report(*said, "failed", duration, error=_cause(outcome))
    for part in notification.malformed:
        yield Report("", "", part.place, "failed", duration, error=_cause(part.error))


def _say(reports: Iterable[Report], context: Any) -> None:
    """Print what Lambda's stdout takes to CloudWatch: lines of JSON, whole."""
    said = list(reports)
    if not said:
        return
    secrets = _secrets()
    for report in said:
        print(report.line(secrets))
    function = getattr(context, "function_name", None) or os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    for document in metrics(said, function, datetime.datetime.now(datetime.UTC)):
        print(document, flush=True)


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _masked(error: Exception) -> Exception:
    """An error whose text repeats no secret; the same one where there is none to repeat."""
    return (
        error
        if masked(str(error), _secrets()) == str(error)
        else S3SyncError(masked(_cause(error), _secrets()))
    )


def _secrets() -> list[str]:
    """What no line may hold: the URL of the cache and the password in it, as it stands and decoded."""
    try:
        url = str(_settings().get("db.url", ""))
    except ConfigError:
        return []
    password = urlsplit(url).password or ""
    return [url, password, unquote(password)]


def patient(url: str) -> str:
    """A ``db.url`` whose driver gives up before Lambda ends the function, so that the log tells why.

    redis-py and libpq wait for ever where nothing is said: redis-py ``from_url``, libpq ``connect_timeout``.
    What the URL says itself stays.
    """
    options = [option for option in TIMEOUTS.get(url.partition("://")[0], ()) if option[0] not in url]
    added = "&".join(f"{name}={seconds}" for name, seconds in options)
    return f"{url}{'&' if '?' in url else '?'}{added}" if added else url


@functools.cache
def _syncer() -> Syncer:
    """The cache and the clients, built once in a process."""
    compat.apply()
    settings = _settings()
    from pypicloud.cache import get_cache_impl

    implementation = get_cache_impl(settings)
    cache = implementation(**implementation.configure(settings))
    # Two quick tries more than none: what still fails then is retried by Lambda, minutes apart.
    config = Config(
        retries={"mode": "standard", "max_attempts": 3},
        connect_timeout=5,
        read_timeout=10,
        max_pool_connections=PARALLEL,
    )
    session = botocore.session.get_session()
    s3 = session.create_client("s3", region_name=settings.get("storage.region_name"), config=config)
    bucket, prefix = settings.get("storage.bucket"), settings.get("storage.prefix", "")
    return Syncer(Looks(s3, Heads(s3, session).head), index_of(cache), bucket, prefix)


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
    if isinstance(settings.get("db.url"), str):
        settings["db.url"] = patient(settings["db.url"])
    if settings.get("pypi.db", "sql") == "sql":
        # Lambda freezes its sandbox between events, and the database may have closed the connection since.
        settings.setdefault("db.pool_pre_ping", "true")
    return EnvironSettings(settings)
