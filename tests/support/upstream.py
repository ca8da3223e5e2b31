"""An upstream index with one package, from which pypicloud fetches what it does not have."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any


class _Handler(SimpleHTTPRequestHandler):
    """Serves the files of a directory without a log."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def upstream_index(directory: Path, name: str, version: str, filename: str, content: bytes) -> Iterator[str]:
    """Serve a file, and the JSON that names it as PyPI's does; yield the URL of the index.

    https://docs.pypi.org/api/json/
    """
    project = directory / "pypi" / name
    project.mkdir(parents=True)
    (directory / filename).write_bytes(content)
    handler = functools.partial(_Handler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        release: dict[str, Any] = {"url": f"{url}/{filename}", "digests": {}, "requires_python": None}
        document = {"info": {"summary": "A package"}, "releases": {version: [release]}}
        (project / "json").write_text(json.dumps(document))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield url
        finally:
            server.shutdown()
            thread.join()
