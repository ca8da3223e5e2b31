"""Rebuild the cache by pypicloud's own code: ``python rebuild.py SETTINGS`` in an environment with pypicloud.

SETTINGS are the ini's, as JSON. It prints the seconds and the peak of the memory in KiB, as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Rebuild, and print what it cost."""
    importlib.import_module("bench_repairs")
    settings = importlib.import_module("pypicloud.util").EnvironSettings(json.loads(sys.argv[1]), {})
    implementation = importlib.import_module("pypicloud.cache").get_cache_impl(settings)
    cache = implementation(**implementation.configure(settings))
    started = time.perf_counter()
    cache.reload_from_storage(clear=False)
    if settings["pypi.db"] == "sql":
        cache.db.commit()
    seconds = time.perf_counter() - started
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(json.dumps({"seconds": seconds, "peak": int(peak.split()[1])}))


if __name__ == "__main__":
    main()
