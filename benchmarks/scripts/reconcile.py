"""Reconcile by this project's code: ``python reconcile.py SETTINGS`` in the project's environment.

SETTINGS are the ini's, as JSON. It prints the seconds and the peak of the memory in KiB, as JSON.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from pypicloud.util import EnvironSettings

from pypicloud_s3sync.config.settings import read
from pypicloud_s3sync.deploy.aws.clients import Clients
from pypicloud_s3sync.deploy.cache.local_cache import open_adapter
from pypicloud_s3sync.deploy.cache.reading import WORKERS
from pypicloud_s3sync.garbage import THRESHOLDS
from pypicloud_s3sync.reconcile.models import Options
from pypicloud_s3sync.reconcile.run import reconcile
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.heads import HeadClient
from pypicloud_s3sync.sync.objects import ObjectReader


def main() -> None:
    """Reconcile, and print what it cost."""
    # As the command does.
    gc.set_threshold(*THRESHOLDS)
    settings = read(EnvironSettings(json.loads(sys.argv[1]), {}))
    clients = Clients(settings)
    s3 = clients.s3_in_parallel(WORKERS)
    reader = ObjectReader(s3, HeadClient(s3, clients.session._session), WORKERS)
    syncer = Syncer(reader, open_adapter(settings), settings.bucket, settings.prefix)
    started = time.perf_counter()
    report = reconcile(syncer, s3, Options())
    seconds = time.perf_counter() - started
    if not report.in_sync:
        raise SystemExit(f"not in sync: {report.failed}")
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(json.dumps({"seconds": seconds, "peak": int(peak.split()[1])}))


if __name__ == "__main__":
    main()
