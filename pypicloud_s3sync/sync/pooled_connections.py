"""Send HEAD requests over botocore's idle connections, and read the answers when they are needed.

botocore's session waits for each answer, so that another thread would have to send a request beside it.
urllib3's connection sends the request and reads the answer in two calls. Any other request is left to
botocore: the first one, those through a proxy, and those for which no connection is idle.
"""

from __future__ import annotations

import queue
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from urllib3.util import is_connection_dropped

from .thread_connections import Answer


class PooledConnections:
    """The connections of a botocore client.

    Parameters
    ----------
    session : botocore.httpsession.URLLib3Session
        The session of the client.
    """

    def __init__(self, session: Any) -> None:
        self.session = session

    def send(self, origin: str, request: AWSPreparedRequest) -> Answer:
        """Send a HEAD request to an origin, which is scheme, host and port; return the answer."""
        sent = self.begin(origin, request)
        if sent is not None:
            return sent.answer()
        response = self.session.send(request)
        return response.status_code, response.headers

    def begin(self, origin: str, request: AWSPreparedRequest) -> SentRequest | None:
        """Send a HEAD request, and return without its answer; return None if only botocore can send it."""
        # Not public, but all versions since 2018 have them. Without them, botocore sends every request.
        try:
            if self.session._proxy_config.proxy_url_for(origin) is not None:
                return None
            pool = self.session._manager.connection_from_url(origin)
            connection = _idle_connection(pool)
        except AttributeError:
            return None
        if connection is None:
            return None
        sent = SentRequest(pool, connection)
        sent.send(request.url.removeprefix(origin), dict(request.headers.items()))
        return sent


class SentRequest:
    """A request that has been sent, and its answer.

    Parameters
    ----------
    pool : urllib3.connectionpool.HTTPConnectionPool
    connection : urllib3.connection.HTTPConnection
        A connection that is not in the pool, and goes back after the answer.
    """

    def __init__(self, pool: Any, connection: Any) -> None:
        self.pool = pool
        self.connection = connection

    def send(self, path: str, headers: dict[str, Any]) -> None:
        """Send the request."""
        try:
            self.connection.timeout = self.pool.timeout.read_timeout
            self.connection.request("HEAD", path, headers=headers)
        except BaseException:
            self._give_up()
            raise

    def answer(self) -> Answer:
        """Wait for the answer, and return it."""
        try:
            response = self.connection.getresponse()
            response.read()
        except BaseException:
            self._give_up()
            raise
        self.pool._put_conn(self.connection)
        return response.status, response.headers

    def _give_up(self) -> None:
        self.connection.close()
        self.pool._put_conn(None)


def _idle_connection(pool: Any) -> Any | None:
    """Take an open connection out of a pool; return None if there is none.

    Only botocore opens connections: it tells the pool first which certificates to trust.
    """
    try:
        connection = pool.pool.get(block=False)
    except queue.Empty:
        return None
    if connection is not None and connection.sock is not None and not is_connection_dropped(connection):
        return connection
    pool._put_conn(connection)
    return None


def pooled_connections(client: Any) -> PooledConnections | None:
    """Return the connections of a botocore client.

    Returns
    -------
    PooledConnections or None
        None if the client's session is unknown: the attribute is not public, but all versions since 2018
        have it.
    """
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    return None if session is None else PooledConnections(session)
