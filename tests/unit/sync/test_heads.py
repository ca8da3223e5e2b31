from __future__ import annotations

import contextlib
import datetime
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import botocore.session
import pytest
import trustme
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, CredentialRetrievalError, EndpointConnectionError
from hypothesis import assume, given
from hypothesis import strategies as st

from pypicloud_s3sync.sync import thread_connections
from pypicloud_s3sync.sync.heads import HeadClient

BUCKET = "amzn-s3-demo-bucket"
KEY = "x/pkg-1.0.tar.gz"
MODIFIED = "Tue, 24 Nov 2026 10:00:00 GMT"
#: S3's headers for an object that exists, and what boto3 returns for them.
HEADERS = {"ETag": '"abc"', "Last-Modified": MODIFIED, "x-amz-meta-name": "pkg"}
HEAD = {
    "ETag": '"abc"',
    "LastModified": datetime.datetime(2026, 11, 24, 10, tzinfo=datetime.UTC),
    "Metadata": {"name": "pkg"},
}
NO_RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=2, read_timeout=2)
EXISTS, MISSING = (200, HEADERS), (404, dict[str, str]())

#: Any characters but those that XML cannot hold. The end of a key is a filename.
keys = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1), min_size=1, max_size=60)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=20)
values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)


class EmptyBody:
    """The body of an answer to a HEAD request."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        return iter([b""])


class StubbedS3:
    """A client whose requests are not sent but recorded, and answered as the test says.

    Parameters
    ----------
    *answers : tuple
        The status and the headers of the first answers; then every object exists.
    **options : object
        Options of the client.
    """

    def __init__(
        self, *answers: tuple[int, Mapping[str, str]], config: Config = NO_RETRIES, **options: Any
    ) -> None:
        self.session = botocore.session.Session()
        self.session.set_credentials("AKID", "secret", "token")
        self.client: Any = self.session.create_client("s3", region_name="eu-west-1", config=config, **options)
        self.answers = list(answers)
        self.requests: list[Any] = []
        #: The number of requests that boto3 has made.
        self.by_boto3 = 0
        self.client.meta.events.register("before-send.s3.HeadObject", self._answer)
        self.client.meta.events.register("before-parameter-build.s3.HeadObject", self._count)
        self.heads = HeadClient(self.client, self.session)

    def _count(self, **_: Any) -> None:
        self.by_boto3 += 1

    def _answer(self, request: Any, **_: Any) -> Any:
        self.requests.append(request)
        status, headers = self.answers.pop(0) if self.answers else EXISTS
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), EmptyBody())

    def head(self, key: str = KEY, bucket: str = BUCKET) -> dict[str, Any]:
        """Return the answer of the client under test, without HTTP's details."""
        return without_http(self.heads.head(bucket, key))

    def authorizations(self) -> list[bytes]:
        """Return the signatures of the requests."""
        return [to_bytes(request.headers["Authorization"]) for request in self.requests]


def to_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def without_http(head: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in head.items() if name in (*HEAD, "VersionId")}


class TestRequest:
    def test_boto3_sends_only_the_first_request_for_each_bucket(self) -> None:
        s3 = StubbedS3()
        assert [s3.head(f"x/pkg-{number}.0.tar.gz") for number in range(5)] == [HEAD] * 5
        assert (len(s3.requests), s3.by_boto3) == (5, 1)
        s3.head(bucket="another")
        assert s3.by_boto3 == 2, "another bucket may be in another place"

    @pytest.mark.parametrize(
        "options",
        [
            pytest.param({}, id="virtual host"),
            pytest.param({"config": Config(s3={"addressing_style": "path"})}, id="path"),
            pytest.param({"config": Config(s3={"use_accelerate_endpoint": True})}, id="accelerate"),
            pytest.param({"config": Config(use_dualstack_endpoint=True)}, id="dualstack"),
            pytest.param({"endpoint_url": "http://127.0.0.1:4566"}, id="local"),
            pytest.param({"endpoint_url": "https://s3.example.com:8443/base"}, id="below a path"),
        ],
    )
    @pytest.mark.hypothesis
    def test_it_is_the_same_as_boto3s(self, options: dict[str, Any]) -> None:
        """The signatures are equal too, if both requests are made in the same second."""
        s3 = StubbedS3(**options)
        s3.head()

        @given(keys)
        def requests_are_equal(key: str) -> None:
            s3.by_boto3 = 0
            s3.client.head_object(Bucket=BUCKET, Key=key)
            s3.head(key)
            assert s3.by_boto3 == 1, "boto3 sent the second request too"
            by_boto3, direct = s3.requests[-2:]
            assume(len({to_bytes(request.headers["X-Amz-Date"]) for request in (by_boto3, direct)}) == 1)
            assert (direct.method, direct.url) == (by_boto3.method, by_boto3.url)
            assert s3.authorizations()[-2] == s3.authorizations()[-1]
            assert to_bytes(direct.headers["User-Agent"]).startswith(b"Botocore/")

        requests_are_equal()

    def test_it_is_signed_with_the_current_credentials(self) -> None:
        s3 = StubbedS3()
        s3.head()
        credentials: Any = s3.session.get_credentials()
        credentials.access_key, credentials.token = "ROTATED", "new-token"
        s3.head()
        assert b"Credential=ROTATED/" in s3.authorizations()[1]
        assert to_bytes(s3.requests[1].headers["X-Amz-Security-Token"]) == b"new-token"

    def test_it_is_left_to_boto3_if_it_is_not_signed(self) -> None:
        s3 = StubbedS3(config=Config(signature_version=UNSIGNED))
        for _ in range(3):
            s3.head()
        assert s3.by_boto3 == 3

    def test_it_goes_to_the_region_to_which_boto3_was_redirected(self) -> None:
        elsewhere = {"x-amz-bucket-region": "ap-south-1"}
        s3 = StubbedS3((301, elsewhere), EXISTS, EXISTS)
        assert [s3.head(), s3.head()] == [HEAD, HEAD]
        assert (s3.by_boto3, len(s3.requests)) == (1, 3)
        assert (
            s3.requests[2].url == s3.requests[1].url == f"https://{BUCKET}.s3.ap-south-1.amazonaws.com/{KEY}"
        )
        assert b"/ap-south-1/s3/" in s3.authorizations()[2]

    def test_it_is_left_to_boto3_behind_a_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        s3 = StubbedS3()
        for _ in range(3):
            s3.head()
        assert s3.by_boto3 == 3


class TestAnswer:
    @pytest.mark.hypothesis
    def test_it_is_the_same_as_boto3s(self) -> None:
        s3 = StubbedS3()
        s3.head()

        @given(
            st.dictionaries(names, values),
            st.sampled_from([None, "null", "3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"]),
        )
        def answers_are_equal(metadata: dict[str, str], version: str | None) -> None:
            headers = {**HEADERS, **{f"x-amz-meta-{name}": value for name, value in metadata.items()}}
            if version is not None:
                headers["x-amz-version-id"] = version
            s3.by_boto3, s3.answers = 0, [(200, headers), (200, headers)]
            direct = s3.heads.head(BUCKET, KEY)
            assert s3.by_boto3 == 0
            assert direct == without_http(s3.client.head_object(Bucket=BUCKET, Key=KEY))

        answers_are_equal()

    def test_a_missing_object_raises_the_same_error_as_boto3(self) -> None:
        s3 = StubbedS3(EXISTS, MISSING, MISSING)
        s3.head()
        with pytest.raises(ClientError) as direct:
            s3.head()
        assert s3.by_boto3 == 1
        with pytest.raises(ClientError) as by_boto3:
            s3.client.head_object(Bucket=BUCKET, Key=KEY)
        assert direct.value.response["Error"] == by_boto3.value.response["Error"]
        for error in (direct, by_boto3):
            assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404

    def test_the_first_object_may_be_missing(self) -> None:
        s3 = StubbedS3(MISSING, MISSING)
        for _ in range(2):
            with pytest.raises(ClientError, match="404"):
                s3.head()
        assert s3.by_boto3 == 1

    @pytest.mark.parametrize("status", [301, 307, 400, 403, 409, 429, 500, 503])
    def test_the_request_is_repeated_through_boto3_if_it_is_neither_200_nor_404(self, status: int) -> None:
        s3 = StubbedS3(EXISTS, (status, {}), EXISTS)
        s3.head()
        assert s3.head() == HEAD
        assert (s3.by_boto3, len(s3.requests)) == (2, 3)

    def test_an_error_is_raised_by_boto3_if_it_gets_the_same_one(self) -> None:
        s3 = StubbedS3(EXISTS, (403, {}), (403, {}))
        s3.head()
        with pytest.raises(ClientError, match="403"):
            s3.head()

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"ETag": None}, id="no ETag"),
            pytest.param({"Last-Modified": None}, id="no date"),
            pytest.param({"Last-Modified": "soon"}, id="not a date"),
            pytest.param({"Last-Modified": MODIFIED[:-4]}, id="a date without a zone"),
        ],
    )
    def test_the_request_is_repeated_through_boto3_if_the_headers_are_not_s3s(
        self, changes: dict[str, str | None]
    ) -> None:
        headers = {name: value for name, value in {**HEADERS, **changes}.items() if value is not None}
        s3 = StubbedS3(EXISTS, (200, headers), EXISTS)
        s3.head()
        assert s3.head() == HEAD
        assert s3.by_boto3 == 2

    def test_boto3_sends_every_request_until_s3_has_answered_one(self) -> None:
        s3 = StubbedS3((403, {}), (403, {}), EXISTS, EXISTS)
        for _ in range(2):
            with pytest.raises(ClientError, match="403"):
                s3.head()
        s3.head()
        s3.head()
        assert (s3.by_boto3, len(s3.requests)) == (3, 4)


class Server(ThreadingHTTPServer):
    """An S3 that counts its connections and requests, and the requests that boto3 sent.

    Parameters
    ----------
    *actions : str
        What to do with the first requests: ``answer``, announce in the answer that the connection is to
        ``close``, ``hang up`` after the answer, or ``cut`` it in the middle. All others are answered.
    certificate : trustme.LeafCert, optional
        The server's certificate, for HTTPS.
    """

    daemon_threads = True

    def __init__(self, *actions: str, certificate: trustme.LeafCert | None = None) -> None:
        self.actions, self.connections, self.requests, self.by_boto3 = list(actions), 0, 0, 0
        self.hung_up = threading.Event()
        super().__init__(("127.0.0.1", 0), RequestHandler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.hung_up.set()

    def count_boto3(self, **_: Any) -> None:
        self.by_boto3 += 1


class RequestHandler(BaseHTTPRequestHandler):
    """Answers a request as the server says."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_HEAD(self) -> None:
        self.server.requests += 1
        action = self.server.actions.pop(0) if self.server.actions else "answer"
        if action == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nETag: ")
            self.close_connection = True
            return
        self.send_response(200)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if action == "close":
            self.send_header("Connection", "close")
        self.end_headers()
        if action == "hang up":
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@contextlib.contextmanager
def serving(
    *actions: str, scheme: str = "http", certificate: trustme.LeafCert | None = None
) -> Iterator[tuple[Server, HeadClient]]:
    """Run a server; yield it with a client for it."""
    with Server(*actions, certificate=certificate) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        session = botocore.session.Session()
        session.set_credentials("AKID", "secret")
        client = session.create_client(
            "s3",
            region_name="eu-west-1",
            endpoint_url=f"{scheme}://127.0.0.1:{server.server_port}",
            config=NO_RETRIES,
        )
        client.meta.events.register("before-parameter-build.s3.HeadObject", server.count_boto3)
        try:
            yield server, HeadClient(client, session)
        finally:
            server.shutdown()
            client.close()


def head(client: HeadClient, times: int = 1) -> None:
    """Read the object by a thread's own connection."""
    for _ in range(times):
        assert without_http(client.head_one_of_many(BUCKET, KEY)) == HEAD


def head_few(client: HeadClient, times: int = 1) -> None:
    """Read the object by boto3's connections."""
    for _ in range(times):
        assert without_http(client.head(BUCKET, KEY)) == HEAD


class TestConnectionsOfBoto3:
    def test_they_are_used_for_a_few_keys(self) -> None:
        with serving() as (server, client):
            head_few(client, times=5)
            assert (server.requests, server.connections, server.by_boto3) == (5, 1, 1)

    def test_threads_share_them(self) -> None:
        with serving() as (server, client):
            head_few(client)
            for _ in range(5):
                thread = threading.Thread(target=head_few, args=(client,))
                thread.start()
                thread.join()
            assert (server.requests, server.connections) == (6, 1)

    def test_one_is_replaced_if_s3_closes_it(self) -> None:
        with serving("answer", "hang up", "close") as (server, client):
            head_few(client, times=2)
            server.hung_up.wait()
            head_few(client, times=2)
            assert (server.requests, server.connections, server.by_boto3) == (4, 3, 1)

    def test_a_request_is_repeated_through_boto3_if_one_breaks(self) -> None:
        with serving("answer", "answer", "cut") as (server, client):
            head_few(client, times=4)
            assert (server.requests, server.by_boto3) == (5, 2)

    def test_boto3_sends_every_request_if_its_connections_are_unknown(self) -> None:
        s3 = StubbedS3()
        s3.heads.pooled = None
        assert [s3.head(), s3.head()] == [HEAD, HEAD]
        assert s3.by_boto3 == 2


class TestBegun:
    def test_it_is_sent_before_its_answer_is_wanted(self) -> None:
        with serving() as (server, client):
            head_few(client)
            begun = client.begin(BUCKET, KEY)
            assert begun is not None
            assert begun.is_sent
            head_few(client)
            assert without_http(begun.head()) == HEAD
            head_few(client)
            assert (server.requests, server.connections, server.by_boto3) == (4, 2, 1)

    def test_boto3_sends_the_first_request(self) -> None:
        with serving() as (server, client):
            assert client.begin(BUCKET, KEY) is None
            assert server.requests == 0

    def test_it_is_not_sent_if_no_connection_is_idle(self) -> None:
        with serving("hang up") as (server, client):
            head_few(client)
            server.hung_up.wait()
            begun = client.begin(BUCKET, KEY)
            assert begun is not None
            assert (begun.is_sent, server.requests) == (False, 1)
            assert without_http(begun.head()) == HEAD
            assert (server.requests, server.by_boto3) == (2, 1)

    def test_it_is_repeated_through_boto3_if_it_breaks(self) -> None:
        with serving("answer", "cut") as (server, client):
            head_few(client)
            begun = client.begin(BUCKET, KEY)
            assert begun is not None
            assert without_http(begun.head()) == HEAD
            assert (server.requests, server.by_boto3) == (3, 2)

    def test_it_is_left_to_boto3_if_it_cannot_be_signed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving() as (server, client):
            head_few(client)
            error = CredentialRetrievalError(provider="test", error_msg="expired")
            monkeypatch.setattr(client, "_signed", Mock(side_effect=error))
            begun = client.begin(BUCKET, KEY)
            assert begun is not None
            assert without_http(begun.head()) == HEAD
            assert (begun.is_sent, server.by_boto3) == (False, 2)

    def test_a_missing_object_raises_the_same_error_as_boto3(self) -> None:
        s3 = StubbedS3(EXISTS, MISSING)
        s3.head()
        begun = s3.heads.begin(BUCKET, KEY)
        assert begun is not None
        with pytest.raises(ClientError, match="404"):
            begun.head()
        assert (s3.by_boto3, len(s3.requests)) == (1, 2)


class TestOwnConnection:
    def test_a_thread_uses_one_connection_for_all_its_requests(self) -> None:
        with serving() as (server, client):
            head(client, times=5)
            # The first request, and the first connection, are boto3's.
            assert (server.requests, server.connections) == (5, 2)

    def test_it_is_not_used_again_after_a_long_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving() as (server, client):
            head(client, times=2)
            monkeypatch.setattr(thread_connections, "IDLE", -1)
            head(client, times=2)
            assert (server.requests, server.connections) == (4, 4)

    def test_it_is_replaced_if_s3_closes_it(self) -> None:
        with serving("answer", "close", "answer", "answer") as (server, client):
            head(client, times=4)
            assert server.requests == 4, "a request was repeated"

    def test_a_request_is_repeated_through_boto3_if_it_breaks(self) -> None:
        with serving("answer", "answer", "cut") as (server, client):
            head(client, times=5)
            assert server.requests == 6

    def test_the_error_is_boto3s_if_s3_is_unreachable(self) -> None:
        with serving() as (server, client):
            head(client)
            server.shutdown()
            server.server_close()
            client.client.close()
            for request in (client.head, client.head_one_of_many):
                with pytest.raises(EndpointConnectionError):
                    request(BUCKET, KEY)

    @pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
    def test_it_trusts_the_certificates_that_boto3_trusts(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
    ) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
        with serving(scheme="https", certificate=authority.issue_cert("127.0.0.1")) as (server, client):
            head(client, times=3)
            head_few(client)
            assert server.requests == 4, "a request was repeated"

    def test_it_trusts_no_other_certificates(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        trusted, other = trustme.CA(), trustme.CA()
        trusted.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        with serving(scheme="https", certificate=trusted.issue_cert("127.0.0.1")) as (server, client):
            head(client)
            assert isinstance(server.socket, ssl.SSLSocket)
            other.issue_cert("127.0.0.1").configure_cert(server.socket.context)
            before = server.requests
            with pytest.raises(ssl.SSLError):
                client.connections.send(client.addresses[BUCKET].origin, AWSRequest("HEAD", "/").prepare())
            assert server.requests == before
