from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import URLLib3Session
from urllib3 import Timeout

from pypicloud_s3sync.sync.http_session import Exchange, QuickSession, quick_session

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
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
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while request := self._request(reader):
                self.requests.append(request)
                for piece in self.answers.pop(0) if self.answers else [OK]:
                    if piece == HANG_UP:
                        return
                    connection.sendall(piece)

    def _request(self, reader: Any) -> bytes:
        lines, length = [], 0
        while (line := reader.readline()) not in (b"\r\n", b""):
            lines.append(line)
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return b"".join(lines) + bytes(reader.read(length))


@contextlib.contextmanager
def serving(*answers: list[bytes]) -> Iterator[Server]:
    server = Server(*answers)
    try:
        yield server
    finally:
        server.listener.close()


def request(server: Server, method: str = "POST", path: str = "/", **options: Any) -> AWSPreparedRequest:
    headers = {"User-Agent": "test", "X-Amz-Date": "20260101T000000Z", **options.pop("headers", {})}
    data = options.pop("data", b"{}" if method == "POST" else b"")
    return AWSRequest(method, server.url + path, headers, data, **options).prepare()


def botocores_session() -> URLLib3Session:
    return URLLib3Session(timeout=(30, 30))  # type: ignore[arg-type]  # what botocore passes


def answer_of(session: Any, prepared: AWSPreparedRequest) -> Any:
    """Return what a session answers, or the class of its error."""
    try:
        response = session.send(prepared)
    except HTTPClientError as error:
        return type(error)
    except (ConnectionClosedError, EndpointConnectionError) as error:
        return type(error)
    return response.status_code, dict(response.headers.items()), response.content


def both(pieces: list[bytes], method: str = "POST") -> tuple[list[Any], list[Any]]:
    """Return the answers of botocore's session and of the quick one, and how often they connected.

    The first request opens a connection, the second has the answers that are compared, and the third uses
    the connection again if it can be used.
    """
    results = []
    for wrap in (lambda session: session, QuickSession):
        with serving([OK], pieces) as server:
            session = wrap(botocores_session())
            answer_of(session, request(server))
            answer, next_answer = (answer_of(session, request(server, name)) for name in (method, "POST"))
            sent = server.requests[1].replace(server.url.encode(), b"").replace(server.url[7:].encode(), b"")
            results.append([answer, next_answer, server.connections, sent])
            session.close()
    return results[0], results[1]


PLAIN = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("pieces", "method"),
    [
        pytest.param([OK], "POST", id="plain"),
        pytest.param([PLAIN + b"Content-Length: 3\r\nETag: x\r\n\r\n"], "HEAD", id="head"),
        pytest.param([b"HTTP/1.1 404 Not Found\r\nServer: AmazonS3\r\n\r\n"], "HEAD", id="missing"),
        pytest.param([b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"], "POST", id="error"),
        pytest.param([b"HTTP/1.1 204 No Content\r\n\r\n"], "POST", id="no content"),
        pytest.param([b"HTTP/1.1 304 Not Modified\r\n\r\n"], "GET", id="not modified"),
        pytest.param([PLAIN + b"Content-Length: 0\r\n\r\n"], "POST", id="empty"),
        pytest.param([PLAIN + b"Content-", b"Length: 2\r\n\r", b"\no", b"k"], "POST", id="pieces"),
        pytest.param([PLAIN + b"Content-Length: 99999\r\n\r\n", b"x" * 99_999], "POST", id="large"),
        pytest.param(
            [PLAIN + b"X: " + b"x" * 9_000 + b"\r\nContent-Length: 2\r\n\r\nok"], "POST", id="large headers"
        ),
        pytest.param(
            [PLAIN + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"], "POST", id="chunks"
        ),
        pytest.param([PLAIN + b"\r\nuntil the end", HANG_UP], "POST", id="no length"),
        pytest.param([PLAIN + b"Connection: close\r\nContent-Length: 2\r\n\r\nok"], "POST", id="close"),
        pytest.param(
            [PLAIN + b"Connection: keep-alive\r\nContent-Length: 2\r\n\r\nok"], "POST", id="keep-alive"
        ),
        pytest.param([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"], "POST", id="HTTP 1.0"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n" + OK], "POST", id="continue"),
        pytest.param([PLAIN + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok"], "POST", id="folded"),
        pytest.param([PLAIN + b"X: a\r\nx: b\r\nContent-Length: 2\r\n\r\nok"], "POST", id="twice"),
        pytest.param(
            [PLAIN + b"x-amz-meta-a: a\r\nX-Amz-Meta-B:  \xe9\x85\x0b \r\nb:\r\nContent-Length: 2\r\n\r\nok"],
            "POST",
            id="other characters",
        ),
        pytest.param([b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"], "POST", id="lines without CR"),
        pytest.param([HANG_UP], "POST", id="no answer"),
        pytest.param([b"HTTP/1.1 200", HANG_UP], "POST", id="cut in the status"),
        pytest.param([PLAIN + b"Content-Length: 2\r\n\r\no", HANG_UP], "POST", id="cut in the content"),
        pytest.param([PLAIN + b"Transfer-Encoding: chunked\r\n\r\n2\r\no", HANG_UP], "POST", id="cut chunk"),
        pytest.param([b"nonsense\r\n\r\n", HANG_UP], "POST", id="no HTTP"),
    ],
)
def test_an_answer_or_an_error_is_the_same_as_botocores(pieces: list[bytes], method: str) -> None:
    botocores, quick = both(pieces, method=method)
    assert quick == botocores


@pytest.mark.parametrize("pieces", [[], [PLAIN], [PLAIN + b"Content-Length: 2\r\n\r\no"]])
@pytest.mark.parametrize("wrap", [lambda session: session, QuickSession], ids=["botocore's", "quick"])
def test_a_server_that_falls_silent_is_an_error_after_botocores_timeout(
    wrap: Callable[[Any], Any], pieces: list[bytes], session: Any
) -> None:
    with serving([OK], pieces) as server:
        wrapped = wrap(session)
        wrapped.send(request(server))
        session._manager.connection_from_url(server.url).timeout = Timeout(connect=30, read=0.1)
        assert answer_of(wrapped, request(server)) is ReadTimeoutError


def test_what_follows_an_answer_is_not_the_next_one() -> None:
    _, quick = both([OK + OK.replace(b"ok", b"no")])
    assert (quick[0][2], quick[1][2], quick[2]) == (b"ok", b"ok", 2)


def test_a_request_is_sent_in_one_piece(session: URLLib3Session) -> None:
    """In two pieces, it would need two packets, and wake the server twice."""
    quick, sent = QuickSession(session), list[bytes]()
    with serving() as server:
        quick.send(request(server))
        connection = taken(quick, server)
        connection.sock = Recorded(connection.sock, sent)
        assert quick.send(request(server, data=b"x" * 100)).content == b"ok"
        assert [piece[-100:] for piece in sent] == [b"x" * 100]


class Recorded:
    """A socket that logs what is sent, or fails.

    Parameters
    ----------
    sock : socket.socket
    sent : list of bytes
    error : BaseException, optional
    """

    def __init__(self, sock: socket.socket, sent: list[bytes], error: BaseException | None = None) -> None:
        self.sock, self.sent, self.error = sock, sent, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)
        if self.error is not None:
            raise self.error
        self.sock.sendall(data)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (TimeoutError(), ReadTimeoutError),
        (ssl.SSLError("bad record"), SSLError),
        (OSError("no route"), ConnectionClosedError),
        (ValueError("x"), HTTPClientError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=repr,
)
def test_a_connection_that_fails_is_replaced(
    error: BaseException, raised: type[BaseException], session: URLLib3Session
) -> None:
    quick = QuickSession(session)
    with serving() as server:
        quick.send(request(server))
        connection = taken(quick, server)
        connection.sock = Recorded(connection.sock, [], error)
        with pytest.raises(raised):
            quick.send(request(server))
        assert connection.sock is None, "it is still open"
        assert quick.send(request(server)).content == b"ok"
        assert server.connections == 2


@pytest.mark.parametrize("error", [BrokenPipeError(), ConnectionResetError()], ids=repr)
def test_an_answer_is_read_although_the_server_has_hung_up(error: OSError, session: URLLib3Session) -> None:
    quick = QuickSession(session)
    with serving() as server:
        quick.send(request(server))
        connection = taken(quick, server)
        sock = connection.sock
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        connection.sock = Recorded(sock, [], error)
        exchange = Exchange(request(server), origin_of(quick, server), connection, b"")
        assert exchange.answer().content == b"ok"


def test_two_requests_may_be_on_their_way(session: URLLib3Session) -> None:
    quick = QuickSession(session)
    with serving([OK], [OK.replace(b"ok", b"1.")], [OK.replace(b"ok", b"2.")]) as server:
        quick.send(request(server))
        first = quick.begin(request(server))
        assert first is not None
        assert quick.begin(request(server)) is None, "the only connection is in use"
        assert first.answer().content == b"1."
        assert quick.send(request(server)).content == b"2."
        assert server.connections == 1


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"path": "/?list-type=2"}, id="query"),
        pytest.param({"path": "/a;b"}, id="not encoded"),
        pytest.param({"stream_output": True}, id="stream"),
        pytest.param({"data": "text"}, id="text"),
        pytest.param({"data": io.BytesIO(b"x")}, id="file"),
        pytest.param({"headers": {"Expect": "100-continue"}}, id="expect"),
        pytest.param({"headers": {"X": "a\r\nY: b"}}, id="two lines"),
        pytest.param({"headers": {"X": "\xe9"}}, id="not ASCII"),
        pytest.param({"headers": {"X": "a\nb"}}, id="lines without CR"),
    ],
)
def test_an_unusual_request_is_left_to_botocore(options: dict[str, Any], session: URLLib3Session) -> None:
    quick = QuickSession(session)
    with serving() as server:
        quick.send(request(server))
        assert quick.begin(request(server, **options)) is None
        assert quick.begin(request(server)) is not None


def test_a_request_with_its_own_timeout_is_left_to_botocore(session: URLLib3Session) -> None:
    quick = QuickSession(session)
    with serving() as server:
        quick.send(request(server))
        prepared: Any = request(server)
        prepared.context = {"read_timeout": 1}
        assert quick.begin(prepared) is None


def test_botocore_sends_every_request_through_a_proxy() -> None:
    with serving() as server:
        quick = QuickSession(URLLib3Session(proxies={"http": server.url}))
        for _ in range(2):
            assert quick.send(request(server)).content == b"ok"
        assert quick.begin(request(server)) is None
        assert [line.split()[1] for line in server.requests] == [server.url.encode() + b"/"] * 2
        quick.close()


def test_botocore_sends_every_request_if_its_connections_are_unknown() -> None:
    botocores = Mock(spec=["send"])
    with serving() as server:
        assert QuickSession(botocores).send(request(server)) is botocores.send.return_value
    assert quick_session(object()) is None


def test_it_is_closed_with_its_client() -> None:
    with serving() as server:
        quick = QuickSession(URLLib3Session())
        quick.send(request(server))
        quick.close()
        quick.send(request(server))
        assert server.connections == 2
        quick.close()


def test_a_client_has_one() -> None:
    client: Any = botocore.session.Session().create_client("s3", region_name="eu-west-1")
    session = quick_session(client)
    assert session is not None
    assert quick_session(client) is session
    assert client._endpoint.http_session is session


@pytest.fixture
def session() -> Iterator[URLLib3Session]:
    session = botocores_session()
    yield session
    session.close()


def origin_of(quick: QuickSession, server: Server) -> Any:
    return quick._origins[server.url]


def taken(quick: QuickSession, server: Server) -> Any:
    """Return the idle connection to a server, which stays in its pool."""
    pool = origin_of(quick, server)
    connection = pool.idle_connection()
    pool.put_back(connection)
    return connection
