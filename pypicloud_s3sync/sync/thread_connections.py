"""Keep connections to S3 for each thread that sends many requests.

urllib3 loads the trusted certificates for each connection, which takes 20 ms of CPU. These connections share
them.
"""

from __future__ import annotations

import http.client
import os
import ssl
import threading
import time
from collections.abc import Mapping
from email.message import Message
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.httpsession import get_cert_path
from botocore.session import Session

#: Seconds to wait for S3 before the request is left to boto3.
TIMEOUT = 5
#: Seconds after which an idle connection is not used again: S3 closes it, and Lambda may have been frozen.
IDLE = 4

#: Header names are case-insensitive.
Headers = Mapping[str, str] | Message
#: The status and the headers of an answer.
Answer = tuple[int, Headers]


class Trust:
    """The certificates that boto3 trusts, which are loaded when they are first needed.

    Parameters
    ----------
    session : botocore.session.Session
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._context: ssl.SSLContext | None = None
        self._loading = threading.Lock()

    def context(self) -> ssl.SSLContext:
        """Return a context with the certificates of ``ca_bundle``, ``REQUESTS_CA_BUNDLE``, or boto3."""
        with self._loading:
            if self._context is None:
                configured = self.session.get_config_variable("ca_bundle")
                path = str(configured or os.environ.get("REQUESTS_CA_BUNDLE") or get_cert_path(True))
                file, directory = (None, path) if os.path.isdir(path) else (path, None)
                self._context = ssl.create_default_context(cafile=file, capath=directory)
            return self._context


class ThreadConnections(threading.local):
    """A thread's connections to S3, each with the time of its last use.

    Parameters
    ----------
    trust : Trust
    """

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self.idle: dict[str, tuple[http.client.HTTPConnection, float]] = {}

    def send(self, origin: str, request: AWSPreparedRequest) -> Answer:
        """Send a HEAD request to an origin, which is scheme, host and port; return the answer."""
        connection = self._connection(origin)
        try:
            path = request.url.removeprefix(origin)
            connection.request("HEAD", path, headers=dict(request.headers.items()))
            response = connection.getresponse()
            response.read()
        except BaseException:
            connection.close()
            raise
        self.idle[origin] = connection, time.monotonic()
        return response.status, response.headers

    def _connection(self, origin: str) -> http.client.HTTPConnection:
        connection, used = self.idle.pop(origin, (None, 0.0))
        if connection is not None and time.monotonic() - used <= IDLE:
            return connection
        if connection is not None:
            connection.close()
        scheme, host = urlsplit(origin)[:2]
        if scheme == "http":
            return http.client.HTTPConnection(host, timeout=TIMEOUT)
        return http.client.HTTPSConnection(host, timeout=TIMEOUT, context=self.trust.context())
