"""A storage that is not in a bucket of AWS is refused with what to change."""

from __future__ import annotations

import sys

import pytest
from pypicloud.storage import S3Storage

from pypicloud_s3sync.config.storage import S3Endpoint, check_storage, s3_endpoint
from pypicloud_s3sync.exceptions import ConfigError

S3 = {"pypi.storage": "s3", "storage.bucket": "packages"}


class CustomStorage(S3Storage):  # type: ignore[misc] # pypicloud has no types
    """A custom storage class."""


# The storage


@pytest.mark.parametrize(
    "storage", ["s3", "cloudfront", f"{__name__}.CustomStorage", "pypicloud.storage.S3Storage"]
)
def test_a_storage_in_s3_is_accepted(storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    check_storage({**S3, "pypi.storage": storage}, emulated=False)


@pytest.mark.parametrize("storage", ["file", "gcs", "azure-blob", "pypicloud.storage.FileStorage"])
def test_another_storage_is_refused(storage: str) -> None:
    with pytest.raises(ConfigError, match=f"pypi.storage = {storage} does not .*: set pypi.storage = s3"):
        check_storage({**S3, "pypi.storage": storage}, emulated=False)


def test_pypiclouds_default_storage_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"pypi\.storage = file does not"):
        check_storage({"storage.bucket": "packages"}, emulated=False)


def test_a_storage_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(ConfigError, match=r"pypi\.storage = no_such\.module cannot be imported \(No module"):
        check_storage({**S3, "pypi.storage": "no_such.module"}, emulated=False)


def test_a_missing_bucket_is_named() -> None:
    with pytest.raises(ConfigError, match=r"storage\.bucket is not set"):
        check_storage({"pypi.storage": "s3"}, emulated=False)


def test_a_storage_outside_of_aws_is_refused_unless_it_is_an_emulator() -> None:
    elsewhere = {**S3, "storage.endpoint_url": "https://minio.example"}
    with pytest.raises(ConfigError, match="only AWS's own S3 can notify Lambda"):
        check_storage(elsewhere, emulated=False)
    check_storage(elsewhere, emulated=True)


def test_an_address_of_s3_itself_is_accepted() -> None:
    check_storage({**S3, "storage.endpoint_url": "https://s3.eu-north-1.amazonaws.com"}, emulated=False)
    check_storage({**S3, "storage.endpoint_url": ""}, emulated=False)


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://s3.eu-north-1.amazonaws.com", "eu-north-1"),
        ("https://s3.eu-north-1.amazonaws.com:443/", "eu-north-1"),
        ("https://S3.EU-North-1.amazonaws.com/", "eu-north-1"),
        ("http://s3.amazonaws.com", None),
        ("https://s3-external-1.amazonaws.com", None),
        ("https://s3-accelerate.dualstack.amazonaws.com", None),
        ("https://s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"),
        ("https://s3-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("https://s3-fips.dualstack.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://s3-eu-west-1.amazonaws.com", "eu-west-1"),
        ("https://s3-fips-us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://s3.dualstack.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("https://s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("https://s3.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    ],
)
def test_the_region_in_an_address_of_s3_is_read(url: str, region: str | None) -> None:
    assert s3_endpoint(url) == S3Endpoint(region)


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("https://vpce-1a2b3c4d-5e6f-us-east-1a.s3.us-east-1.vpce.amazonaws.com/", "us-east-1"),
        ("https://bucket.vpce-1a2b3c4d-5e6f.s3.cn-north-1.vpce.amazonaws.com.cn", "cn-north-1"),
    ],
)
def test_a_vpc_endpoint_is_recognized(url: str, region: str) -> None:
    assert s3_endpoint(url) == S3Endpoint(region, interface=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.amazonaws.com.evil.example",
        "https://s3.amazonaws.com@evil.example",
        "https://evil-s3.amazonaws.com",
        "https://s3-evil.amazonaws.com",
        "https://s3.evil.amazonaws.com",
        "https://evil.vpce.amazonaws.com",
        "https://s3.cn-north-1.amazonaws.com",
        "https://s3.eu-north-1.amazonaws.com.cn",
        "https://dynamodb.eu-north-1.amazonaws.com",
        "https://s3.amazonaws.com:9000",
        "https://s3.amazonaws.com/bucket",
        "https://packages.s3.amazonaws.com",
        "s3.amazonaws.com",
        "ftp://s3.amazonaws.com",
        "https://[",
    ],
)
def test_a_lookalike_is_not_an_address_of_s3(url: str) -> None:
    assert s3_endpoint(url) is None


@pytest.mark.parametrize(
    "bucket",
    [
        "s3://packages",
        "packages/pypi",
        "arn:aws:s3:::packages",
        "ab12-s3alias",
        "packages--use1-az4--x-s3",
        "a b",
        "packages*",
        "b\u00fccket",
    ],
)
def test_a_value_that_is_not_the_name_of_a_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(ConfigError, match=r"for storage\.bucket: expected the name of a bucket"):
        check_storage({**S3, "storage.bucket": bucket}, emulated=True)
