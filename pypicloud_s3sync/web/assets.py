"""Put the panel into pypicloud's pages, and serve its files under an address that contains their version."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

STATIC = Path(__file__).with_name("static")
YEAR = 365 * 24 * 3600  # seconds


def includeme(config: Any) -> None:
    """Add the static view, and the template that loads the files into pypicloud's pages."""
    config.include("pyramid_jinja2")
    config.add_jinja2_search_path("pypicloud_s3sync:web/templates", prepend=True)
    config.add_static_view(
        f"static/s3sync/{version(STATIC)}", "pypicloud_s3sync:web/static", cache_max_age=YEAR
    )


def version(directory: Path) -> str:
    """Return a digest of the names and contents of a directory's files.

    A query string would not do: during an upgrade, a server of the previous version would answer the new
    address with old files, and browsers would keep them. A path that it does not know is a 404.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(directory)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
