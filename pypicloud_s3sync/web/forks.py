"""Give each process of a web server connections of its own to AWS.

uWSGI, and gunicorn with ``--preload``, load the application once and then fork. pypicloud 1.3.12 has called
DynamoDB and S3 by then, so all workers would use the same open connections. If two of them send requests at
the same time, one may read both answers. Then a page fails with status 500, or waits a minute for an answer
that never comes; over TLS, the SDK notices it and tries again. This can go once pypicloud closes these
connections after a fork, as it does those of SQL databases.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

from botocore.client import BaseClient
from pyramid.events import NewRequest

#: Where a request of pypicloud has clients that were created with the application.
CLIENTS = ("db.engine.dynamo.client", "db.storage.bucket.meta.client", "access.client")


def includeme(config: Any) -> None:
    """Let the application look for a new process at each request."""
    config.add_subscriber(Connections().make_own, NewRequest)


class Connections:
    """The connections of an application, which belong to the process that has made them."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()

    def make_own(self, event: Any) -> None:
        """Close the connections of another process; the clients will open their own.

        No hook for this is called under every server: uWSGI does not call those of Python's ``os`` module.
        """
        if self._process == os.getpid():
            return
        # No other thread may get a connection meanwhile.
        with self._lock:
            if self._process != os.getpid():
                for client in _clients(event.request):
                    # This closes the descriptors of this process only.
                    client.close()
                self._process = os.getpid()


def _clients(request: Any) -> Iterator[BaseClient]:
    for path in CLIENTS:
        found = request
        for name in path.split("."):
            found = getattr(found, name, None)
        if isinstance(found, BaseClient):
            yield found
