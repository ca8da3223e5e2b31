"""Measure ``reconcile``, and pypicloud's rebuild, while S3 takes 20 ms for each answer.

Run ``python tests/bench_reconcile.py URL COUNT PERCENT [rebuild]``. URL is the ``db.url`` of an empty
database. A part of the objects has no row at first. Each measurement is a process of its own.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import Counter
from typing import Any

from pypicloud.util import EnvironSettings

from pypicloud_s3sync import compat
from pypicloud_s3sync.config.settings import read
from pypicloud_s3sync.deploy.aws import Clients
from pypicloud_s3sync.deploy.local_cache import open_adapter
from pypicloud_s3sync.reconcile.models import Options
from pypicloud_s3sync.reconcile.run import reconcile
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.heads import HeadClient
from pypicloud_s3sync.sync.objects import ObjectReader
from support import slow_s3

DELAY = 0.02


def settings_for(db_url: str, s3_url: str, count: int) -> EnvironSettings:
    """Return the settings of a server with a bucket of a number of objects."""
    kind = "redis" if db_url.startswith("redis") else "sql"
    s3 = {"storage.endpoint_url": s3_url, "storage.addressing_style": "path", "s3sync.endpoint_url": s3_url}
    keys = {"storage.aws_access_key_id": "key", "storage.aws_secret_access_key": "secret"}
    storage = {"storage.bucket": "bucket", "storage.region_name": "us-east-1", "storage.prefix": str(count)}
    values = {"pypi.storage": "s3", "pypi.db": kind, "db.url": db_url, **s3, **keys, **storage}
    return EnvironSettings(values, {})


def fill(adapter: Any, count: int, percent: int) -> None:
    """Save the rows that exist before the measurement."""
    import datetime

    cache = adapter.cache
    pipe = cache.db.pipeline() if hasattr(cache.db, "pipeline") else None
    for number in range(count):
        if percent and number % 100 < percent:
            continue
        key = f"{count}{slow_s3.key_of(number)}"
        filename, project = key.rpartition("/")[2], f"pkg{number // 50}"
        time_of = slow_s3.NEW_YEAR + datetime.timedelta(seconds=number)
        package = cache.new_package(project, f"{number}.0", filename, time_of, path=key)
        if pipe is None:
            cache.db.add(package)
        else:
            cache.save(package, pipe)
        if number % 5000 == 4999:
            (cache.db.commit if pipe is None else pipe.execute)()
    (cache.db.commit if pipe is None else pipe.execute)()
    if pipe is None:
        cache.db.close()


def main(db_url: str, count: int, percent: int, *, rebuild: bool) -> None:
    """Measure, and print a line."""
    os.environ.pop("AWS_ENDPOINT_URL", None)
    with slow_s3.serving(DELAY) as url:
        given = settings_for(db_url, url, count)
        if rebuild:
            compat.apply()
            from pypicloud.cache import get_cache_impl

            implementation = get_cache_impl(given)
            cache = implementation(**implementation.configure(given))
            started = time.perf_counter()
            cache.reload_from_storage()
            seconds = time.perf_counter() - started
            print(f"rebuild {count:9,} objects {seconds:8.1f} s", flush=True)
            return
        settings = read(given)
        clients = Clients(settings)
        adapter = open_adapter(settings)
        fill(adapter, count, percent)
        s3 = clients.s3_in_parallel(32)
        calls: Counter[str] = Counter()
        s3.meta.events.register(
            "before-send.s3", lambda request, event_name, **_: calls.update([event_name.rpartition(".")[2]])
        )
        reader = ObjectReader(s3, HeadClient(s3, clients.session._session).head, 32)
        syncer = Syncer(reader, adapter, settings.bucket, settings.prefix)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        started, worked = time.perf_counter(), time.process_time()
        report = reconcile(syncer, s3, Options())
        seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        assert report.in_sync, report.failed
        print(
            f"{count:9,} objects {percent:3} % different {seconds:8.1f} s ({cpu:.1f} s of CPU)"
            f" {calls['ListObjectsV2']:5} lists {calls['HeadObject']:7} heads  {memory:4} MB"
            f" (before: {before})  repaired {report.repaired:,}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), rebuild="rebuild" in sys.argv)
