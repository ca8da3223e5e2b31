"""Send HeadObject signed by botocore, but without the work that boto3 does around it.

boto3 spends 1 ms of CPU on a HeadObject, and several times that in a function with 512 MB, which has a third
of a CPU. botocore's signer and boto3's connections alone take less than half of that, and ``http.client`` a
quarter, which is worth connections of its own if there are many keys. Nothing is guessed: boto3 sends the
first request for a bucket, and that request shows where and how to send the others. If S3 does not answer, or
anything but 200 or 404, the request is repeated through boto3, which handles retries, redirects and errors.
Behind a proxy, boto3 sends every request.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from botocore.utils import get_environ_proxies, percent_encode
from urllib3.exceptions import HTTPError

from .pooled_connections import SentRequest, pooled_connections
from .thread_connections import Answer, Headers, ThreadConnections, Trust

#: Characters that boto3 does not escape in an object's path: ``botocore.serialize``.
UNESCAPED = "/~"
METADATA = "x-amz-meta-"
#: S3 has not answered: a reason to repeat a request through boto3.
FAILURES = (OSError, http.client.HTTPException, BotoCoreError, HTTPError)
#: Signature Version 4 for S3. Requests with another signature, or without one, are left to boto3.
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=[^,]+/\d{8}/(?P<region>[^/,]+)/s3/aws4_request,")


@dataclass(frozen=True)
class _Address:
    """Where and how to request a bucket's objects.

    Parameters
    ----------
    origin : str
        Scheme, host and port.
    path : str
        The part before the key.
    region : str
        The region to sign for.
    user_agent : str
        The same as boto3's.
    """

    origin: str
    path: str
    region: str
    user_agent: str


#: Sends a request to an origin, and returns the answer.
Send = Callable[[str, AWSPreparedRequest], Answer]


class Begun(NamedTuple):
    """A HeadObject that may have been sent.

    Parameters
    ----------
    head : callable
        Returns what :meth:`HeadClient.head` returns, and raises the same errors.
    is_sent : bool
        Whether the request has been sent; otherwise ``head`` sends it.
    """

    head: Callable[[], Mapping[str, Any]]
    is_sent: bool


class HeadClient:
    """Sends HeadObject for a few keys, or for many.

    Parameters
    ----------
    client : boto3 S3 client
    session : botocore.session.Session
        The session of that client, for its credentials and certificates.
    """

    def __init__(self, client: Any, session: Session) -> None:
        self.client = client
        self.credentials: Any = session.get_credentials()
        self.addresses: dict[str, _Address] = {}
        self.requested: set[str] = set()
        self.first_request = threading.Lock()
        self.sent = threading.local()
        self.connections = ThreadConnections(Trust(session))
        self.pooled = pooled_connections(client)
        client.meta.events.register_first("before-send.s3.HeadObject", self._record)

    def head(self, bucket: str, key: str) -> Mapping[str, Any]:
        """Return an object's identity and metadata, as the client's ``head_object`` does.

        The request is sent by the client's own connections: no further one is opened for a few keys.

        Returns
        -------
        dict
            ``ETag``, ``LastModified``, ``Metadata`` and, if the bucket has versions, ``VersionId``.

        Raises
        ------
        botocore.exceptions.ClientError
            The object does not exist (404), or S3 answered with another error.
        botocore.exceptions.BotoCoreError
            S3 was unreachable after boto3's retries.
        """
        if self.pooled is None:
            return self._by_boto3(bucket, key)
        return self._directly(self.pooled.send, bucket, key)

    def begin(self, bucket: str, key: str) -> Begun | None:
        """Send the request if a connection is idle, and do not wait for the answer.

        Returns
        -------
        Begun or None
            None if boto3 has to send the request.
        """
        address, pooled = self.addresses.get(bucket), self.pooled
        if address is None or pooled is None:
            return None
        sent: SentRequest | None = None
        try:
            request = self._signed(address, key)
            answer = self._answer_of_handlers(request)
            if answer is None:
                sent = pooled.begin(address.origin, request)
        except FAILURES:
            return Begun(lambda: self._by_boto3(bucket, key), is_sent=False)

        def wait() -> Answer:
            if answer is not None:
                return answer
            return pooled.send(address.origin, request) if sent is None else sent.answer()

        return Begun(lambda: self._head_of(wait, bucket, key), answer is not None or sent is not None)

    def head_one_of_many(self, bucket: str, key: str) -> Mapping[str, Any]:
        """Return the same as :meth:`head`; each thread has a connection, which costs the least CPU."""
        if bucket not in self.requested:
            with self.first_request:
                if bucket not in self.requested:
                    try:
                        return self.head(bucket, key)
                    finally:
                        self.requested.add(bucket)
        return self._directly(self.connections.send, bucket, key)

    def _by_boto3(self, bucket: str, key: str) -> Mapping[str, Any]:
        """Send the request through boto3, and learn from the attempt that S3 answered."""
        try:
            head: Mapping[str, Any] = self.client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                self._learn(bucket, key)
            raise
        self._learn(bucket, key)
        return head

    def _record(self, request: AWSPreparedRequest, **_: Any) -> None:
        self.sent.request = request

    def _learn(self, bucket: str, key: str) -> None:
        request, end = getattr(self.sent, "request", None), percent_encode(key, UNESCAPED)
        if request is None or bucket in self.addresses or get_environ_proxies(request.url):
            return
        signed = _SIGNED.match(_text(request.headers.get("Authorization", "")))
        if signed and request.url.endswith(f"/{end}"):
            url = urlsplit(request.url[: -len(end)])
            agent = _text(request.headers.get("User-Agent", ""))
            origin = f"{url.scheme}://{url.netloc}"
            self.addresses[bucket] = _Address(origin, url.path, signed["region"], agent)

    def _directly(self, send: Send, bucket: str, key: str) -> Mapping[str, Any]:
        """Send the request without boto3 if its address is known."""
        address = self.addresses.get(bucket)
        if address is None:
            return self._by_boto3(bucket, key)
        return self._head_of(lambda: self._request(send, address, key), bucket, key)

    def _head_of(self, ask: Callable[[], Answer], bucket: str, key: str) -> Mapping[str, Any]:
        """Return what boto3 would return for an answer; send the request through boto3 if there is none."""
        try:
            status, headers = ask()
        except FAILURES:
            return self._by_boto3(bucket, key)
        if status == 404:
            raise _not_found()
        return (_head(headers) if status == 200 else None) or self._by_boto3(bucket, key)

    def _request(self, send: Send, address: _Address, key: str) -> Answer:
        request = self._signed(address, key)
        return self._answer_of_handlers(request) or send(address.origin, request)

    def _signed(self, address: _Address, key: str) -> AWSPreparedRequest:
        url = address.origin + address.path + percent_encode(key, UNESCAPED)
        request = AWSRequest("HEAD", url, headers={"User-Agent": address.user_agent})
        # Read for each request: a role's credentials are renewed while the function runs.
        S3SigV4Auth(self.credentials.get_frozen_credentials(), "s3", address.region).add_auth(request)
        return request.prepare()

    def _answer_of_handlers(self, request: AWSPreparedRequest) -> Answer | None:
        """Show the request to the event handlers of boto3's requests. moto's, for example, answer it."""
        responses = self.client.meta.events.emit("before-send.s3.HeadObject", request=request)
        answers = (response for _, response in responses if response is not None)
        return next(((answer.status_code, answer.headers) for answer in answers), None)


def _head(headers: Headers) -> dict[str, Any] | None:
    """Return what boto3 would return for the headers, or None if they are not from S3."""
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
    """Return the error that boto3 raises for a 404: the answer to a HEAD request has no body with details."""
    answer = {"Error": {"Code": "404", "Message": "Not Found"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
    return ClientError(answer, "HeadObject")  # type: ignore[arg-type]  # S3 sends no more than this


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
