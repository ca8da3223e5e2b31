"""Read bucket and cache from this host, and translate the errors of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ...caches.base import CacheAdapter
from ...config.settings import SyncSettings
from ...exceptions import ConflictError, S3SyncError
from ...reconcile import models
from ..aws.clients import Clients
from ..aws.errors import translated
from ..models import Progress, Reporter
from ..readers import Reader
from .local_cache import opened, unreachable
from .tables import missing_tables

if TYPE_CHECKING:
    from ...sync.converge import Syncer

#: Parallel HeadObject requests, unless ``--workers`` says otherwise.
WORKERS = 32
#: The permissions of the calls to S3.
ACTIONS = {"ListObjectsV2": "s3:ListBucket", "HeadObject": "s3:GetObject"}


class Steps(models.Reporter):
    """Reports the progress of a reconciliation or a comparison as the steps of a run."""

    def __init__(self, report: Reporter) -> None:
        self._report = report

    def running(self, step: str, message: str, done: int, total: int | None, note: str | None = None) -> None:
        """Report the progress of a step."""
        self._report(Progress(step, "running", message, done, total, note))

    def done(self, step: str, message: str) -> None:
        """Report the end of a step."""
        self._report(Progress(step, "done", message))


def check_tables(settings: SyncSettings, clients: Clients) -> None:
    """Raise ConflictError if tables of the DynamoDB cache do not exist."""
    for problem in missing_tables(settings, Reader(clients).cache_tables()):
        raise ConflictError(str(problem))


@contextmanager
def open_syncer(
    settings: SyncSettings, clients: Clients, workers: int, command: str
) -> Iterator[tuple[Syncer, Any]]:
    """Yield what reads and repairs the cache, and the client that lists the bucket; translate their errors.

    Parameters
    ----------
    settings : SyncSettings
    clients : Clients
    workers : int
        Parallel HeadObject requests.
    command : str
        The command to run on another host if the cache cannot be reached.

    Raises
    ------
    S3SyncError
        Bucket or cache cannot be read.
    """
    with opened(settings, command) as adapter, translating(settings, adapter, command):
        yield syncer_of(settings, clients, workers, adapter)


def syncer_of(
    settings: SyncSettings, clients: Clients, workers: int, adapter: CacheAdapter
) -> tuple[Syncer, Any]:
    """Return what reads and repairs a cache, and the client that lists the bucket."""
    # Imported here, because they import pypicloud, which takes half a second, and most commands need none.
    from ...sync.converge import Syncer
    from ...sync.heads import HeadClient
    from ...sync.objects import ObjectReader

    s3 = clients.s3_in_parallel(workers)
    reader = ObjectReader(s3, HeadClient(s3, clients.session._session), workers)
    return Syncer(reader, adapter, settings.bucket, settings.prefix), s3


@contextmanager
def translating(settings: SyncSettings, adapter: CacheAdapter, command: str) -> Iterator[None]:
    """Translate the errors of the bucket and of the cache.

    Parameters
    ----------
    settings : SyncSettings
    adapter : CacheAdapter
    command : str
        The command to run on another host if the cache cannot be reached.

    Raises
    ------
    S3SyncError
        Bucket or cache cannot be read.
    """
    try:
        yield
    except S3SyncError:
        raise
    except (BotoCoreError, ClientError) as error:
        operation = getattr(error, "operation_name", "ListObjectsV2")
        if operation in ACTIONS:
            action, resource = ACTIONS[operation], f"the bucket {settings.bucket}"
        else:
            action, resource = f"dynamodb:{operation}", "the tables of the cache"
        with translated(action, resource, settings.endpoint_url):
            raise
    except Exception as error:
        if adapter.is_unreachable(error):
            raise unreachable(error, command) from error
        raise
