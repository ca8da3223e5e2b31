"""Read objects with unusual keys from the embedded AWS, without boto3."""

from __future__ import annotations

import contextlib
from typing import Any

import botocore.session

from pypicloud_s3sync.sync.heads import HeadClient
from support.sites import Site

KEYS = [
    "x/a b+c-1.0.tar.gz",
    "x//double-1.0.tar.gz",
    "x/../dots-1.0.tar.gz",
    "x/100%25-1.0.tar.gz",
    "x/what?#&=;:@-1.0.tar.gz",
    "x/ünïcödé-1.0.tar.gz",
    "x/~tilde'()*!-1.0.tar.gz",
]


def test_objects_with_unusual_keys_are_found(site: Site) -> None:
    s3 = site.client("s3")
    for key in KEYS:
        s3.put_object(Bucket=site.bucket, Key=key, Body=b"x", Metadata={"summary": key.encode().hex()})
    session = botocore.session.Session()
    session.set_credentials(site.aws.access_key_id, site.aws.secret_access_key)
    created: Any = session.create_client(
        "s3", region_name=s3.meta.region_name, endpoint_url=site.aws.endpoint_url
    )
    with contextlib.closing(created) as client:
        by_boto3: list[str] = []
        client.meta.events.register(
            "before-parameter-build", lambda params, **_: by_boto3.append(params["Key"])
        )
        heads = HeadClient(client, session)
        for head in (heads.head, heads.head_one_of_many):
            answers = [head(site.bucket, key) for key in KEYS]
            assert [answer["Metadata"]["summary"] for answer in answers] == [
                key.encode().hex() for key in KEYS
            ]
    assert by_boto3 == KEYS[:1]
