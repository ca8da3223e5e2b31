"""HeadObject for many keys: boto3's own request, signed and sent without the work that boto3 does around it.

boto3 spends 2.2 ms of CPU on a HeadObject, several times that in a function of 512 MB, which has a third of
a CPU; and a batch of 1,000 keys takes two thousand of them. botocore's signer and HTTP session alone do it in
less than half. Nothing is guessed: a bucket's first object is asked for by boto3, whose request shows where
and how the others are to be asked for, and what is answered but 200 and 404 is asked of boto3 again, which
knows of retries, redirects and errors.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.utils import percent_encode

#: What boto3 leaves as it is in the path of an object: ``botocore.serialize``.
UNESCAPED = "/~"
METADATA = "x-amz-meta-"
#: Signature Version 4 of S3 itself; others, and no signature at all, are left to boto3.
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=[^,]+/\d{8}/(?P<region>[^/,]+)/s3/aws4_request,")


@dataclass(frozen=True)
class _Place:
    """How a bucket's objects are asked for: the URL up to the key, the region that is signed for."""

    url: str
    region: str
    user_agent: str


class Heads:
    """``head_object`` of an S3 client, for many keys.

    Parameters
    ----------
    session : boto3.Session
    region : str or None
        The bucket's; None for the session's own.
    config : botocore.config.Config
    """

    def __init__(self, session: boto3.Session, region: str | None, config: Config) -> None:
        self.client = session.client("s3", region_name=region, config=config)
        self.credentials: Any = session.get_credentials()
        # Its connections, proxies and certificates; where a later botocore has none there, boto3 does it all.
        self.http: Any = getattr(getattr(self.client, "_endpoint", None), "http_session", None)
        self.places: dict[str, _Place] = {}
        self.sent = threading.local()
        self.client.meta.events.register_first("before-send.s3.HeadObject", self._note)

    def head_object(self, Bucket: str, Key: str) -> Mapping[str, Any]:
        """Who an object is, and its metadata.

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
        place = self.places.get(Bucket)
        if place is None:
            return self._learn(Bucket, Key)
        try:
            response = self._send(place, Key)
        except HTTPClientError:
            response = None
        if response is not None and response.status_code == 404:
            raise _not_found()
        head = _head(response.headers) if response is not None and response.status_code == 200 else None
        return head or self.client.head_object(Bucket=Bucket, Key=Key)

    def _learn(self, bucket: str, key: str) -> Mapping[str, Any]:
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
        request, end = self.sent.request, percent_encode(key, UNESCAPED)
        signed = _SIGNED.match(_text(request.headers.get("Authorization", "")))
        if self.http is not None and signed and request.url.endswith(f"/{end}"):
            agent = _text(request.headers.get("User-Agent", ""))
            self.places[bucket] = _Place(request.url[: -len(end)], signed["region"], agent)

    def _send(self, place: _Place, key: str) -> Any:
        url = place.url + percent_encode(key, UNESCAPED)
        request = AWSRequest("HEAD", url, headers={"User-Agent": place.user_agent})
        # Frozen each time: a role's credentials change while the function lives.
        S3SigV4Auth(self.credentials.get_frozen_credentials(), "s3", place.region).add_auth(request)
        prepared = request.prepare()
        # Whoever listens to boto3's requests hears of these too, and may answer them: moto does.
        answers = self.client.meta.events.emit("before-send.s3.HeadObject", request=prepared)
        answered = next((answer for _, answer in answers if answer is not None), None)
        return self.http.send(prepared) if answered is None else answered


def _head(headers: Mapping[str, str]) -> dict[str, Any] | None:
    """What boto3 makes of S3's headers; None where they are not what S3 sends."""
    try:
        modified = parsedate_to_datetime(headers["Last-Modified"])
        head = {"ETag": headers["ETag"], "LastModified": modified}
    except (KeyError, ValueError):
        return None
    if modified.tzinfo is None:
        return None
    head["Metadata"] = {
        name[len(METADATA) :]: value
        for name, value in headers.items()
        if name.lower().startswith(METADATA)
    }
    version = headers.get("x-amz-version-id")
    return head if version is None else {**head, "VersionId": version}


def _not_found() -> ClientError:
    """As boto3 raises it: an answer to HEAD has no body that could say more."""
    said = {"Error": {"Code": "404", "Message": "Not Found"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
    return ClientError(said, "HeadObject")  # type: ignore[arg-type]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
