"""Create two botocore clients, and nothing else: the least that a function for S3 and DynamoDB can do.

Run it as ``python -I -S clients.py DIRECTORY``. It answers as ``worker.py`` does.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    """Create the clients, and print the peak of the memory in KiB."""
    sys.path[:0] = sys.argv[1:]
    session = importlib.import_module("botocore.session").get_session()
    clients = [session.create_client(service, region_name="us-east-1") for service in ("s3", "dynamodb")]
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(json.dumps({"peak": int(peak.split()[1]), "clients": len(clients), "error": None}), flush=True)


if __name__ == "__main__":
    main()
