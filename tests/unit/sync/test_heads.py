import contextlib
import datetime
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.session
import pytest
import trustme
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pypicloud_s3sync.sync import heads
from pypicloud_s3sync.sync.heads import HeadClient

BUCKET = "amzn-s3-demo-bucket"
MODIFIED = "Tue, 24 Nov 2026 10:00:00 GMT"
FOUND = {"ETag": '"abc"', "Last-Modified": MODIFIED, "x-amz-meta-name": "pkg"}
LIVE = {
    "ETag": '"abc"',
    "LastModified": datetime.datetime(2026, 11, 24, 10, tzinfo=datetime.UTC),
    "Metadata": {"name": "pkg"},
}
ONE_TRY = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=2, read_timeout=2)
#: As long as S3 allows, of anything but what cannot be said in XML; a key's end is its filename.
keys = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1), min_size=1, max_size=60)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=20)
values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)


class Body:
    """An empty one."""

    def stream(self, **_):
        return iter([b""])


class Asked:
    """A client whose requests are answered here instead of by S3."""

    def __init__(self, *answers, config=ONE_TRY, **more):
        self.session = botocore.session.Session()
        self.session.set_credentials("AKID", "secret", "token")
        self.client = self.session.create_client("s3", region_name="eu-west-1", config=config, **more)
        self.requests, self.by_boto3, self.answers = [], 0, list(answers)
        self.client.meta.events.register("before-send.s3.HeadObject", self.answer)
        self.client.meta.events.register("before-parameter-build.s3.HeadObject", self.count)
        self.heads = HeadClient(self.client, self.session)

    def count(self, **_):
        self.by_boto3 += 1

    def answer(self, request, **_):
        self.requests.append(request)
        status, headers = self.answers.pop(0) if self.answers else (200, FOUND)
        return AWSResponse(request.url, status, headers, Body())

    def authorizations(self):
        return [bytes_of(request.headers["Authorization"]) for request in self.requests]


def bytes_of(value):
    return value if isinstance(value, bytes) else value.encode()


def without_http(head):
    return {name: value for name, value in head.items() if name in (*LIVE, "VersionId")}


def test_a_buckets_first_object_is_asked_for_by_boto3_and_the_others_are_not():
    s3 = Asked()
    answers = [s3.heads.head(BUCKET, f"x/pkg-{number}.0.tar.gz") for number in range(5)]
    assert [without_http(answer) for answer in answers] == [LIVE] * 5
    assert (len(s3.requests), s3.by_boto3) == (5, 1)
    s3.heads.head("another", "x/pkg-1.0.tar.gz")
    assert s3.by_boto3 == 2, "another bucket may be asked for elsewhere"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"config": Config(s3={"addressing_style": "path"})},
        {"config": Config(s3={"use_accelerate_endpoint": True})},
        {"config": Config(use_dualstack_endpoint=True)},
        {"endpoint_url": "http://127.0.0.1:4566"},
        {"endpoint_url": "https://s3.example.com:8443/base"},
    ],
    ids=["virtual host", "path", "accelerate", "dualstack", "local", "below a path"],
)
def test_a_quick_request_is_the_one_that_boto3_sends(more):
    """Signature and all, within one second."""
    s3 = Asked(**more)
    s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")

    @settings(deadline=None)
    @given(keys)
    def asks_alike(key):
        s3.by_boto3 = 0
        s3.client.head_object(Bucket=BUCKET, Key=key)
        s3.heads.head(BUCKET, key)
        assert s3.by_boto3 == 1, "it was not asked for quickly"
        boto3s, quick = s3.requests[-2:]
        assume(len({bytes_of(request.headers["X-Amz-Date"]) for request in (boto3s, quick)}) == 1)
        assert (quick.method, quick.url) == (boto3s.method, boto3s.url)
        assert s3.authorizations()[-2] == s3.authorizations()[-1]
        assert bytes_of(quick.headers["User-Agent"]).startswith(b"Botocore/")

    asks_alike()


def test_what_is_read_is_what_boto3_reads():
    s3 = Asked()
    s3.heads.head(BUCKET, "x/first-1.0.tar.gz")

    @settings(deadline=None)
    @given(
        st.dictionaries(names, values), st.sampled_from([None, "null", "3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"])
    )
    def reads_alike(metadata, version):
        said = {**FOUND, **{f"x-amz-meta-{name}": value for name, value in metadata.items()}}
        if version is not None:
            said["x-amz-version-id"] = version
        s3.by_boto3, s3.answers = 0, [(200, said), (200, said)]
        quick = s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")
        assert s3.by_boto3 == 0
        assert quick == without_http(s3.client.head_object(Bucket=BUCKET, Key="x/pkg-1.0.tar.gz"))

    reads_alike()


def test_an_absent_object_is_boto3s_own_error_without_boto3():
    s3 = Asked((200, FOUND), (404, {}), (404, {}))
    s3.heads.head(BUCKET, "x/first-1.0.tar.gz")
    with pytest.raises(ClientError) as quick:
        s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")
    assert s3.by_boto3 == 1
    with pytest.raises(ClientError) as boto3s:
        s3.client.head_object(Bucket=BUCKET, Key="x/pkg-1.0.tar.gz")
    assert quick.value.response["Error"] == boto3s.value.response["Error"]
    of_quick, of_boto3 = (error.value.response["ResponseMetadata"] for error in (quick, boto3s))
    assert of_quick["HTTPStatusCode"] == of_boto3["HTTPStatusCode"] == 404


def test_an_absent_object_shows_the_way_too():
    s3 = Asked((404, {}), (404, {}))
    for _ in range(2):
        with pytest.raises(ClientError, match="404"):
            s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")
    assert s3.by_boto3 == 1


@pytest.mark.parametrize("status", [301, 307, 400, 403, 409, 429, 500, 503])
def test_what_is_neither_there_nor_absent_is_asked_of_boto3_again(status):
    s3 = Asked((200, FOUND), (status, {}), (200, FOUND))
    s3.heads.head(BUCKET, "x/first-1.0.tar.gz")
    assert without_http(s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")) == LIVE
    assert (s3.by_boto3, len(s3.requests)) == (2, 3)


def test_what_boto3_is_refused_as_well_is_its_error():
    s3 = Asked((200, FOUND), (403, {}), (403, {}))
    s3.heads.head(BUCKET, "x/first-1.0.tar.gz")
    with pytest.raises(ClientError, match="403"):
        s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")


@pytest.mark.parametrize(
    "damage",
    [{"ETag": None}, {"Last-Modified": None}, {"Last-Modified": "soon"}, {"Last-Modified": MODIFIED[:-4]}],
    ids=["no ETag", "no date", "not a date", "a date of no zone"],
)
def test_an_answer_that_is_not_s3s_is_asked_of_boto3_again(damage):
    damaged = {name: value for name, value in {**FOUND, **damage}.items() if value is not None}
    s3 = Asked((200, FOUND), (200, damaged), (200, FOUND))
    s3.heads.head(BUCKET, "x/first-1.0.tar.gz")
    assert without_http(s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")) == LIVE
    assert s3.by_boto3 == 2


def test_where_the_first_one_fails_the_others_are_asked_of_boto3_until_one_is_answered():
    s3 = Asked((403, {}), (403, {}), (200, FOUND), (200, FOUND))
    for _ in range(2):
        with pytest.raises(ClientError, match="403"):
            s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")
    s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")
    s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")
    assert (s3.by_boto3, len(s3.requests)) == (3, 4)


def test_credentials_that_change_are_signed_with():
    s3 = Asked()
    s3.heads.head(BUCKET, "x/first-1.0.tar.gz")
    credentials = s3.session.get_credentials()
    credentials.access_key, credentials.token = "ROTATED", "of-now"
    s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")
    assert b"Credential=ROTATED/" in s3.authorizations()[1]
    assert bytes_of(s3.requests[1].headers["X-Amz-Security-Token"]) == b"of-now"


def test_who_signs_nothing_leaves_everything_to_boto3():
    s3 = Asked(config=Config(signature_version=UNSIGNED))
    for _ in range(3):
        s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")
    assert s3.by_boto3 == 3


def test_behind_a_proxy_everything_is_left_to_boto3(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    s3 = Asked()
    for _ in range(3):
        s3.heads.head(BUCKET, "x/pkg-1.0.tar.gz")
    assert s3.by_boto3 == 3


class Server(ThreadingHTTPServer):
    """An S3 that does what the test says: ``"cut"`` closes the connection in the middle of the answer."""

    daemon_threads = True

    def __init__(self, *does, certificate=None):
        self.does, self.connections, self.requests = list(does), 0, 0
        super().__init__(("127.0.0.1", 0), Answer)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def process_request(self, request, address):
        self.connections += 1
        super().process_request(request, address)


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.server.requests += 1
        does = self.server.does.pop(0) if self.server.does else "answer"
        if does == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nETag: ")
            self.close_connection = True
            return
        self.send_response(200)
        for name, value in FOUND.items():
            self.send_header(name, value)
        if does == "close":
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(*does, scheme="http", certificate=None):
    """HeadClient of such a server."""
    with Server(*does, certificate=certificate) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        session = botocore.session.Session()
        session.set_credentials("AKID", "secret")
        client = session.create_client(
            "s3",
            region_name="eu-west-1",
            endpoint_url=f"{scheme}://127.0.0.1:{server.server_port}",
            config=ONE_TRY,
        )
        try:
            yield server, HeadClient(client, session)
        finally:
            server.shutdown()
            client.close()


def look(found, times=1):
    for _ in range(times):
        assert without_http(found.head(BUCKET, "x/pkg-1.0.tar.gz")) == LIVE


def test_a_thread_asks_again_and_again_by_one_connection():
    with serving() as (server, found):
        look(found, times=5)
        assert (server.requests, server.connections) == (5, 2), "one is boto3's"


def test_a_connection_that_was_idle_for_long_is_not_believed_to_be_open(monkeypatch):
    with serving() as (server, found):
        look(found, times=2)
        monkeypatch.setattr(heads, "IDLE", -1)
        look(found, times=2)
        assert (server.requests, server.connections) == (4, 4)


def test_a_connection_that_s3_closes_is_opened_anew():
    with serving("answer", "close", "answer", "answer") as (server, found):
        look(found, times=4)
        assert server.requests == 4, "an answer was not believed"


def test_an_answer_that_breaks_off_is_asked_of_boto3_and_the_next_one_is_quick_again():
    with serving("answer", "answer", "cut") as (server, found):
        look(found, times=5)
        assert server.requests == 6


def test_an_s3_that_is_gone_is_boto3s_own_error():
    with serving() as (server, found):
        look(found)
        server.shutdown()
        server.server_close()
        found.client.close()
        with pytest.raises(EndpointConnectionError):
            found.head(BUCKET, "x/pkg-1.0.tar.gz")


def test_the_certificates_that_boto3_trusts_are_trusted(monkeypatch, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        for other in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            monkeypatch.delenv(other, raising=False)
        monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
        with serving(scheme="https", certificate=certificate) as (server, found):
            look(found, times=3)
            assert server.requests == 3, f"{name} was not believed"


def test_other_certificates_are_not_trusted(monkeypatch, tmp_path):
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with serving(scheme="https", certificate=authority.issue_cert("127.0.0.1")) as (server, found):
        look(found)
        other.issue_cert("127.0.0.1").configure_cert(server.socket.context)
        before = server.requests
        with pytest.raises(ssl.SSLError):
            found.connections.head(found.addresses[BUCKET], "/", {})
        assert server.requests == before


STRANGE = [
    "x/a b+c-1.0.tar.gz",
    "x//double-1.0.tar.gz",
    "x/../dots-1.0.tar.gz",
    "x/100%25-1.0.tar.gz",
    "x/what?#&=;:@-1.0.tar.gz",
    "x/ünïcödé-1.0.tar.gz",
    "x/~tilde'()*!-1.0.tar.gz",
]


def test_objects_under_strange_keys_are_found(site):
    client = site.client("s3")
    for key in STRANGE:
        client.put_object(Bucket=site.bucket, Key=key, Body=b"x", Metadata={"summary": key.encode().hex()})
    session = botocore.session.Session()
    session.set_credentials(site.aws.access_key_id, site.aws.secret_access_key)
    with contextlib.closing(
        session.create_client("s3", region_name=client.meta.region_name, endpoint_url=site.aws.endpoint_url)
    ) as own:
        found = HeadClient(own, session)
        boto3s = []
        own.meta.events.register("before-parameter-build", lambda params, **_: boto3s.append(params["Key"]))
        answers = [found.head(site.bucket, key) for key in STRANGE]
        assert boto3s == STRANGE[:1]
    assert [answer["Metadata"]["summary"] for answer in answers] == [key.encode().hex() for key in STRANGE]
