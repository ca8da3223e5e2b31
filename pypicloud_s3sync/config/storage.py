"""Refuse a storage whose packages are not in a bucket of AWS, and parse the address of its endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..exceptions import ConfigError
from .classes import is_s3_storage
from .partitions import partition_of, partitions

#: The first part of a host name of S3, which may be followed by a region:
#: https://docs.aws.amazon.com/general/latest/gr/s3.html
_SERVICE = r"s3(-fips|-accelerate|-external-1)?(\.dualstack)?"
#: Addresses with a dash before the region: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
_LEGACY = r"s3(-fips)?-(?P<region>[a-z0-9-]+)"
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
_INTERFACE = r"([a-z0-9-]+\.)?vpce-[a-z0-9-]+\.s3\.(?P<region>[a-z0-9-]+)\.vpce"
#: What an API call takes, older buckets included: botocore.handlers, VALID_BUCKET
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
#: Names that look like buckets but are not: access points, and buckets of other kinds, which notify nobody.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NO_BUCKETS = ("-s3alias", "--ol-s3", "--x-s3", "--table-s3", ".mrap")


@dataclass(frozen=True)
class S3Endpoint:
    """An address of AWS's S3; ``interface`` tells whether it is a VPC endpoint."""

    region: str | None
    interface: bool = False


def check_storage(settings: Mapping[str, str], *, emulated: bool) -> None:
    """Raise an error if the packages are not in a bucket of AWS.

    Parameters
    ----------
    settings : mapping
        pypicloud's settings.
    emulated : bool
        Whether an AWS emulator is used, so that the bucket may be at another endpoint.
    """
    storage = settings.get("pypi.storage", "file")
    if not is_s3_storage(storage):
        raise ConfigError(
            f"pypi.storage = {storage} does not store packages in S3, so there is nothing to sync:"
            " set pypi.storage = s3"
        )
    bucket = settings.get("storage.bucket")
    if not bucket:
        raise ConfigError("storage.bucket is not set: name the bucket that holds the packages")
    if not _BUCKET.fullmatch(bucket) or bucket.endswith(_NO_BUCKETS):
        raise ConfigError(f"Invalid value {bucket!r} for storage.bucket: expected the name of a bucket")
    endpoint = settings.get("storage.endpoint_url")
    if endpoint and not emulated and s3_endpoint(endpoint) is None:
        raise ConfigError(
            "storage.endpoint_url is not an address of AWS's S3, but only AWS's own S3 can notify Lambda:"
            " remove it (for an AWS emulator, set s3sync.endpoint_url too)"
        )


def s3_endpoint(url: str) -> S3Endpoint | None:
    """Return what an address of AWS's S3 tells, or None if the address is another one."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removesuffix(".")
        standard = parts.port in (None, 80, 443)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not standard or parts.path not in ("", "/"):
        return None
    for partition in partitions():
        for suffix in partition.suffixes:
            found = _endpoint(host.removesuffix(f".{suffix}")) if host.endswith(f".{suffix}") else None
            if found and (found.region is None or partition_of(found.region) == partition):
                return found
    return None


def _endpoint(name: str) -> S3Endpoint | None:
    """Return what a host name without its suffix tells."""
    found = re.fullmatch(_INTERFACE, name)
    if found:
        return S3Endpoint(found["region"], interface=True)
    found = re.fullmatch(rf"{_SERVICE}(\.(?P<region>[a-z0-9-]+))?", name)
    if found:
        return S3Endpoint(found["region"])
    found = re.fullmatch(_LEGACY, name)
    return S3Endpoint(found["region"]) if found else None
