"""HeadObject for a batch: boto3's own request, signed and sent without the work that boto3 does around it.

boto3 spends 2 ms of CPU on a HeadObject, several times that in a function of 512 MB, which has a third of a
CPU; and a batch of 1,000 keys takes two thousand of them. botocore's signer and ``http.client`` do it in a
third. Nothing is guessed: a bucket's first object is asked for by boto3, whose request shows where and how
the others are to be asked for; and what is not answered with 200 or 404 is asked of boto3 again, which knows
of retries, redirects and errors. So is everything where there is a proxy.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from __future__ import annotations

import http.client
import os
import re
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from botocore.httpsession import get_cert_path
from botocore.session import Session
from botocore.utils import get_environ_proxies, percent_encode

#: What boto3 leaves as it is in the path of an object: ``botocore.serialize``.
UNESCAPED = "/~"
METADATA = "x-amz-meta-"
#: Seconds to wait for S3, before boto3 is asked to; and those after which an idle connection is not believed
#: to be open any more: S3 closes it, and Lambda may have been frozen.
TIMEOUT, IDLE = 5, 4
#: Signature Version 4 of S3 itself; others, and no signature at all, are left to boto3.
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=[^,]+/\d{8}/(?P<region>[^/,]+)/s3/aws4_request,")


#: By any case of their names.
Headers = Mapping[str, str] | Message


@dataclass(frozen=True)
class _Place:
    """Where and how a bucket's objects are asked for.

    Parameters
    ----------
    origin : str
        Scheme, host and port.
    path : str
        What comes before the key.
    region : str
        That is signed for.
    user_agent : str
        boto3's.
    trust : ssl.SSLContext or None
        The certificates that boto3 trusts; None for plain HTTP.
    """

    origin: str
    path: str
    region: str
    user_agent: str
    trust: ssl.SSLContext | None


class _Connections(threading.local):
    """A thread's connections to S3, each with the time of its last use."""

    def __init__(self) -> None:
        self.idle: dict[str, tuple[http.client.HTTPConnection, float]] = {}

    def head(self, place: _Place, path: str, headers: HTTPHeaders) -> http.client.HTTPResponse:
        connection = self._connection(place)
        try:
            connection.request("HEAD", path, headers=dict(headers.items()))
            response = connection.getresponse()
            response.read()
        except BaseException:
            connection.close()
            raise
        self.idle[place.origin] = connection, time.monotonic()
        return response

    def _connection(self, place: _Place) -> http.client.HTTPConnection:
        connection, used = self.idle.pop(place.origin, (None, 0.0))
        if connection is not None and time.monotonic() - used <= IDLE:
            return connection
        if connection is not None:
            connection.close()
        host = urlsplit(place.origin).netloc
        if place.trust is None:
            return http.client.HTTPConnection(host, timeout=TIMEOUT)
        return http.client.HTTPSConnection(host, timeout=TIMEOUT, context=place.trust)


class Heads:
    """HeadObject for many keys.

    Parameters
    ----------
    client : boto3 S3 client
    session : botocore.session.Session
        The client's: its credentials sign, its certificates are trusted.
    """

    def __init__(self, client: Any, session: Session) -> None:
        self.client = client
        self.session = session
        self.credentials: Any = session.get_credentials()
        self.places: dict[str, _Place] = {}
        self.shown: set[str] = set()
        self.first = threading.Lock()
        self.sent = threading.local()
        self.connections = _Connections()
        client.meta.events.register_first("before-send.s3.HeadObject", self._note)

    def head(self, bucket: str, key: str) -> Mapping[str, Any]:
        """Who an object is, and its metadata, as ``head_object`` of the client answers.

        Returns
        -------
        dict
            ``ETag``, ``LastModified``, ``Metadata`` and, where the bucket has versions, ``VersionId``.

        Raises
        ------
        botocore.exceptions.ClientError
            404 where there is no such object, and whatever else S3 answers.
        botocore.exceptions.BotoCoreError
            S3 was not to be reached, not even by boto3's retries.
        """
        if bucket not in self.shown:
            with self.first:
                if bucket not in self.shown:
                    try:
                        return self._by_boto3(bucket, key)
                    finally:
                        self.shown.add(bucket)
        place = self.places.get(bucket)
        return self._by_boto3(bucket, key) if place is None else self._quickly(place, bucket, key)

    def _by_boto3(self, bucket: str, key: str) -> Mapping[str, Any]:
        """Let boto3 ask, and see how it did: the last request is the one that was answered."""
        try:
            head: Mapping[str, Any] = self.client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                self._remember(bucket, key)
            raise
        self._remember(bucket, key)
        return head

    def _note(self, request: AWSPreparedRequest, **_: Any) -> None:
        self.sent.request = request

    def _remember(self, bucket: str, key: str) -> None:
        request, end = getattr(self.sent, "request", None), percent_encode(key, UNESCAPED)
        if request is None or bucket in self.places or get_environ_proxies(request.url):
            return
        signed = _SIGNED.match(_text(request.headers.get("Authorization", "")))
        if signed and request.url.endswith(f"/{end}"):
            url = urlsplit(request.url[: -len(end)])
            agent = _text(request.headers.get("User-Agent", ""))
            trust = _trust(self.session) if url.scheme == "https" else None
            origin = f"{url.scheme}://{url.netloc}"
            self.places[bucket] = _Place(origin, url.path, signed["region"], agent, trust)

    def _quickly(self, place: _Place, bucket: str, key: str) -> Mapping[str, Any]:
        try:
            status, headers = self._ask(place, key)
        except (OSError, http.client.HTTPException):
            return self._by_boto3(bucket, key)
        if status == 404:
            raise _not_found()
        return (_head(headers) if status == 200 else None) or self._by_boto3(bucket, key)

    def _ask(self, place: _Place, key: str) -> tuple[int, Headers]:
        path = place.path + percent_encode(key, UNESCAPED)
        request = AWSRequest("HEAD", place.origin + path, headers={"User-Agent": place.user_agent})
        # Frozen each time: a role's credentials change while the function lives.
        S3SigV4Auth(self.credentials.get_frozen_credentials(), "s3", place.region).add_auth(request)
        # Whoever listens to boto3's requests hears of these too, and may answer them: moto does.
        for _, answer in self.client.meta.events.emit("before-send.s3.HeadObject", request=request.prepare()):
            if answer is not None:
                return answer.status_code, answer.headers
        response = self.connections.head(place, path, request.headers)
        return response.status, response.headers


def _trust(session: Session) -> ssl.SSLContext:
    """The certificates that boto3 trusts: those of ``ca_bundle``, of ``REQUESTS_CA_BUNDLE``, or its own."""
    said = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    path = str(said or get_cert_path(True))
    if os.path.isdir(path):
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


def _head(headers: Headers) -> dict[str, Any] | None:
    """What boto3 makes of S3's headers; None where they are not what S3 sends."""
    try:
        modified = parsedate_to_datetime(headers["Last-Modified"])
        head = {"ETag": headers["ETag"], "LastModified": modified}
    except (KeyError, TypeError, ValueError):
        return None
    if modified.tzinfo is None or head["ETag"] is None:
        return None
    head["Metadata"] = {
        name[len(METADATA) :]: value for name, value in headers.items() if name.lower().startswith(METADATA)
    }
    version = headers.get("x-amz-version-id")
    return head if version is None else {**head, "VersionId": version}


def _not_found() -> ClientError:
    """As boto3 raises it: an answer to HEAD has no body that could say more."""
    said = {"Error": {"Code": "404", "Message": "Not Found"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
    return ClientError(said, "HeadObject")  # type: ignore[arg-type]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
