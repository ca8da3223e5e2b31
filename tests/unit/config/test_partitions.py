"""Regions and partitions are those of botocore."""

from __future__ import annotations

import pytest

from pypicloud_s3sync.config.partitions import parse_region, partition_of, region_of_arn


@pytest.mark.parametrize(
    ("region", "name", "suffix"),
    [
        ("eu-north-1", "aws", "amazonaws.com"),
        ("mx-central-1", "aws", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
        ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
        ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"),
        ("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"),
    ],
)
def test_a_region_belongs_to_a_partition(region: str, name: str, suffix: str) -> None:
    partition = partition_of(parse_region(region))
    assert partition is not None
    assert (partition.name, partition.suffixes[0]) == (name, suffix)


@pytest.mark.parametrize(
    "text", ["Ireland", "us east", "eu-west", "aws-global", "fips-us-east-1", "EU-WEST-1"]
)
def test_another_text_is_not_a_region(text: str) -> None:
    with pytest.raises(ValueError, match="an AWS region, for example eu-west-1"):
        parse_region(text)


@pytest.mark.parametrize(
    ("arn", "region"),
    [
        ("arn:aws:iam::111122223333:role/x", "us-east-1"),
        ("arn:aws-us-gov:iam::111122223333:role/x", "us-gov-west-1"),
        ("arn:aws-eusc:iam::111122223333:role/x", "eusc-de-east-1"),
        ("arn:aws-unknown:iam::111122223333:role/x", None),
    ],
)
def test_an_arn_tells_a_region_of_its_partition(arn: str, region: str | None) -> None:
    assert region_of_arn(arn) == region
