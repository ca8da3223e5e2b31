"""Send botocore's small requests over its own idle connections, with a fraction of the CPU.

botocore sends a request through urllib3 and ``http.client``, which need 0.4 ms of CPU for a small request and
its answer, and several times that in a function with 512 MB. Here a request on a connection that is already
open is one piece of data to send and, usually, one to receive. botocore still opens and checks the
connections, and does everything around a request: signatures, retries, parsing. Its errors are raised for the
same causes. Any other request is left to botocore: the first one, those through a proxy, streams, queries.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError, SSLError
from urllib3.util import is_connection_dropped

from . import http_messages

#: A URL that needs no further encoding, and has no query.
_URL = re.compile(r"(https?://([a-z0-9.-]+)(?::(\d+))?)(/(?:[A-Za-z0-9_.~/-]|%[0-9A-F]{2})*)")
#: The ports that are not in the Host header, as in the signature.
_DEFAULT_PORTS = {("http", "80"), ("https", "443")}


@dataclass(frozen=True)
class _Origin:
    """A server that is reached without a proxy.

    Parameters
    ----------
    pool : urllib3.connectionpool.HTTPConnectionPool
        botocore's connections to it.
    put_back : callable
        Takes a connection, or None for a closed one.
    host : str
        The Host header.
    """

    pool: Any
    put_back: Callable[[Any], None]
    host: str

    @property
    def timeout(self) -> float | None:
        """Seconds to wait for an answer."""
        seconds: float | None = self.pool.timeout.read_timeout
        return seconds

    def idle_connection(self) -> Any | None:
        """Take an open connection out of the pool; None if there is none.

        Only botocore opens connections: it tells the pool first which certificates to trust.
        """
        try:
            connection = self.pool.pool.get(block=False)
        except (AttributeError, queue.Empty):
            # A closed pool has no queue.
            return None
        if connection is not None and connection.sock is not None and not is_connection_dropped(connection):
            return connection
        self.put_back(connection)
        return None


class QuickSession:
    """Stands in for the HTTP session of a botocore client.

    Parameters
    ----------
    session : botocore.httpsession.URLLib3Session
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self._origins: dict[str, _Origin | None] = {}

    def close(self) -> None:
        """Close the connections."""
        self._origins.clear()
        self.session.close()

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request; return the answer. The errors are botocore's."""
        exchange = self.begin(request)
        if exchange is None:
            answer: AWSResponse = self.session.send(request)
            return answer
        return exchange.answer()

    def begin(self, request: AWSPreparedRequest) -> Exchange | None:
        """Send a request, and return without its answer; return None if only botocore can send it."""
        url = _URL.fullmatch(request.url)
        if (
            url is None
            or request.stream_output
            or "read_timeout" in (getattr(request, "context", None) or ())
        ):
            return None
        origin = self._origins[url[1]] if url[1] in self._origins else self._origin(url)
        self._origins[url[1]] = origin
        if origin is None:
            return None
        message = http_messages.encode(request, url[4], origin.host)
        if message is None:
            return None
        connection = origin.idle_connection()
        if connection is None:
            return None
        return Exchange(request, origin, connection, message)

    def _origin(self, url: re.Match[str]) -> _Origin | None:
        # Not public, but all versions since 2018 have them. Without them, botocore sends every request.
        try:
            if self.session._proxy_config.proxy_url_for(url[0]) is not None:
                return None
            pool = self.session._manager.connection_from_url(url[1])
            is_default = url[3] is None or (pool.scheme, url[3]) in _DEFAULT_PORTS
            return _Origin(pool, pool._put_conn, url[2] if is_default else f"{url[2]}:{url[3]}")
        except AttributeError:
            return None


class Exchange:
    """A request that has been sent, and its answer.

    Parameters
    ----------
    request : botocore.awsrequest.AWSPreparedRequest
    origin : _Origin
    connection : urllib3.connection.HTTPConnection
        A connection that is in no pool, and goes back after the answer.
    message : bytes
        The request as it is sent.
    """

    def __init__(self, request: AWSPreparedRequest, origin: _Origin, connection: Any, message: bytes) -> None:
        self.request = request
        self.origin = origin
        self.connection = connection
        with self._failing():
            if connection.sock.gettimeout() != origin.timeout:
                connection.sock.settimeout(origin.timeout)
            # A server may have answered before it hung up.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sock.sendall(message)

    def answer(self) -> AWSResponse:
        """Wait for the answer, and return it."""
        with self._failing(), self.connection.sock.makefile("rb") as reader:
            status, headers, content, is_open = http_messages.read(reader, self.request.method)
        if not is_open:
            self.connection.close()
        self.origin.put_back(self.connection)
        return AWSResponse(self.request.url, status, headers, _Content(content))

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Close the connection after an error, and raise botocore's error for it."""
        url = self.request.url
        try:
            yield
        except BaseException as error:
            self.connection.close()
            self.origin.put_back(None)
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(endpoint_url=url, error=error) from error
            if isinstance(error, ssl.SSLError):
                raise SSLError(endpoint_url=url, error=error) from error
            if isinstance(error, OSError | http.client.HTTPException):
                raise ConnectionClosedError(endpoint_url=url, request=self.request, error=error) from error
            if isinstance(error, Exception):
                raise HTTPClientError(error=error) from error
            raise


class _Content:
    """The body of an answer, which has been read."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        return iter((self.content,))


def quick_session(client: Any) -> QuickSession | None:
    """Give a botocore client a quick session, and return it.

    Returns
    -------
    QuickSession or None
        None if the client's session is unknown: the attribute is not public, but all versions since 2018
        have it.
    """
    endpoint = getattr(client, "_endpoint", None)
    session = getattr(endpoint, "http_session", None)
    if session is None:
        return None
    if not isinstance(session, QuickSession):
        session = endpoint.http_session = QuickSession(session)  # type: ignore[union-attr]
    return session
