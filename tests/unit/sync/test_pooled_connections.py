"""Requests over idle connections of botocore's pool, to a server that answers as it is told."""

from __future__ import annotations

import contextlib
import functools
import http.client
import itertools
import socket
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.httpsession import URLLib3Session
from urllib3 import Timeout

from pypicloud_s3sync.sync.heads import FAILURES
from pypicloud_s3sync.sync.pooled_connections import PooledConnections, pooled_connections

PLAIN = b"HTTP/1.1 200 OK\r\n"
OK = PLAIN + b"Server: AmazonS3\r\n\r\n"
#: Ends a list of pieces: the server hangs up.
HANG_UP = b""


class Server:
    """Answers each request with the next list of pieces, and then with :data:`OK`.

    Parameters
    ----------
    *answers : list of bytes
    """

    def __init__(self, *answers: list[bytes]) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as reader:
            # At the end of the connection, the reader has no further line.
            while request := b"".join(itertools.takewhile(lambda line: line != b"\r\n", reader)):
                self.requests.append(request)
                for piece in self.answers.pop(0) if self.answers else [OK]:
                    if piece == HANG_UP:
                        return
                    connection.sendall(piece)


@contextlib.contextmanager
def serving(*answers: list[bytes]) -> Iterator[Server]:
    server = Server(*answers)
    try:
        yield server
    finally:
        server.listener.close()


@pytest.fixture
def session() -> Iterator[URLLib3Session]:
    session = URLLib3Session(timeout=(30, 30))  # type: ignore[arg-type]  # what botocore passes
    yield session
    session.close()


def request(server: Server) -> AWSPreparedRequest:
    return AWSRequest("HEAD", f"{server.url}/key", {"User-Agent": "test"}).prepare()


def send(connections: PooledConnections, server: Server) -> dict[str, str] | None:
    """Return the headers of the answer, or None if there is none."""
    try:
        status, headers = connections.send(server.url, request(server))
    except FAILURES:
        return None
    return {"status": str(status), **dict(headers.items())}


def idle(session: URLLib3Session, server: Server) -> list[Any]:
    """Return the open connections of botocore's session to a server."""
    pool: Any = session._manager.connection_from_url(server.url)  # type: ignore[attr-defined]  # it has one
    return [connection for connection in pool.pool.queue if connection is not None and connection.sock]


#: Answers, the headers that are read, and whether the next request needs another connection.
ANSWERS = [
    pytest.param([OK], {"Server": "AmazonS3"}, False, id="plain"),
    pytest.param([PLAIN + b"Content-Length: 3\r\n\r\n"], {"Content-Length": "3"}, False, id="length"),
    pytest.param([PLAIN[:12], PLAIN[12:], b"\r", b"\n"], {}, False, id="pieces"),
    pytest.param(
        [PLAIN + b"Transfer-Encoding: chunked\r\n\r\n"], {"Transfer-Encoding": "chunked"}, False, id="chunked"
    ),
    pytest.param([PLAIN + b"x-amz-meta-a: \xe9\r\n\r\n"], {"x-amz-meta-a": "\xe9"}, False, id="not ASCII"),
    pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n" + OK], {"Server": "AmazonS3"}, False, id="continue"),
    pytest.param([PLAIN + b"Connection: close\r\n\r\n"], {"Connection": "close"}, True, id="close"),
    pytest.param([PLAIN.replace(b"1.1", b"1.0") + b"\r\n"], {}, True, id="HTTP 1.0"),
    pytest.param([HANG_UP], None, True, id="no answer"),
    pytest.param([PLAIN[:7], HANG_UP], None, True, id="cut"),
    pytest.param([b"nonsense\r\n\r\n"], None, True, id="no HTTP"),
]


@pytest.mark.parametrize(("pieces", "headers", "is_replaced"), ANSWERS)
def test_a_connection_is_used_again_after_a_whole_answer_only(
    pieces: list[bytes], headers: dict[str, str] | None, is_replaced: bool, session: URLLib3Session
) -> None:
    connections = PooledConnections(session)
    with serving([OK], pieces) as server:
        send(connections, server)
        answer = send(connections, server)
        assert answer == (None if headers is None else {"status": "200", **headers})
        assert len(idle(session, server)) == (0 if is_replaced else 1)
        assert send(connections, server) == {"status": "200", "Server": "AmazonS3"}
        assert server.connections == (2 if is_replaced else 1)


def test_an_answer_is_read_with_urllib3_1_too(session: URLLib3Session) -> None:
    """Lambda's SDK has urllib3 1, whose connections return the responses of ``http.client``."""
    connections = PooledConnections(session)
    with serving([OK], [PLAIN + b"ETag: x\r\n\r\n"]) as server:
        send(connections, server)
        sent = connections.begin(server.url, request(server))
        assert sent is not None
        connection, sent.connection = sent.connection, Mock()
        sent.connection.getresponse = functools.partial(http.client.HTTPConnection.getresponse, connection)
        status, headers = sent.answer()
        assert (status, headers["etag"]) == (200, "x")
        connection.close()


def test_the_request_is_the_same_as_botocores(session: URLLib3Session) -> None:
    connections = PooledConnections(session)
    with serving() as server:
        session.send(request(server))
        send(connections, server)
        assert server.requests[0] == server.requests[1]
        assert server.connections == 1


@pytest.mark.parametrize("pieces", [[], [PLAIN]], ids=["nothing", "a part"])
def test_a_server_that_falls_silent_is_an_error_after_botocores_timeout(
    pieces: list[bytes], session: URLLib3Session
) -> None:
    connections = PooledConnections(session)
    with serving([OK], pieces) as server:
        send(connections, server)
        pool: Any = session._manager.connection_from_url(server.url)  # type: ignore[attr-defined]  # it has one
        pool.timeout = Timeout(connect=30, read=0.1)
        assert send(connections, server) is None
        assert idle(session, server) == []


@pytest.mark.parametrize("error", [OSError("no route"), KeyboardInterrupt()], ids=repr)
def test_a_connection_is_closed_if_it_cannot_send(
    error: BaseException, session: URLLib3Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = PooledConnections(session)
    with serving() as server:
        send(connections, server)
        (connection,) = idle(session, server)
        monkeypatch.setattr(connection, "request", Mock(side_effect=error))
        with pytest.raises(type(error)):
            connections.begin(server.url, request(server))
        assert connection.sock is None
        assert idle(session, server) == []


def test_an_answer_that_nobody_reads_is_not_the_answer_to_another_request(session: URLLib3Session) -> None:
    connections = PooledConnections(session)
    answers = [[PLAIN + b"ETag: %d\r\n\r\n" % number] for number in range(4)]
    with serving(*answers) as server:
        send(connections, server)
        abandoned = connections.begin(server.url, request(server))
        assert abandoned is not None
        assert connections.begin(server.url, request(server)) is None, "the only connection is in use"
        assert idle(session, server) == []
        abandoned.connection.sock.recv(1, socket.MSG_PEEK)  # the server has answered
        for number in ("2", "3"):
            assert send(connections, server) == {"status": "200", "ETag": number}
        assert server.connections == 2
        abandoned.connection.close()


def test_botocore_sends_every_request_through_a_proxy() -> None:
    with serving() as server:
        session = URLLib3Session(proxies={"http": server.url})
        connections = PooledConnections(session)
        for _ in range(2):
            assert send(connections, server) == {"status": "200", "Server": "AmazonS3"}
        assert connections.begin(server.url, request(server)) is None
        assert [line.split()[1] for line in server.requests] == [f"{server.url}/key".encode()] * 2
        session.close()


def test_botocore_sends_every_request_if_its_connections_are_unknown() -> None:
    botocores = Mock(spec=["send"])
    botocores.send.return_value = Mock(status_code=200, headers={})
    with serving() as server:
        assert PooledConnections(botocores).send(server.url, request(server)) == (200, {})
    assert pooled_connections(object()) is None


def test_botocore_sends_the_next_request_after_its_connections_are_closed(session: URLLib3Session) -> None:
    connections = PooledConnections(session)
    with serving() as server:
        send(connections, server)
        session.close()
        assert connections.begin(server.url, request(server)) is None
        assert send(connections, server) == {"status": "200", "Server": "AmazonS3"}
        assert server.connections == 2
