"""Deciding whether the rule of another owner may match a bucket's events."""

from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.deploy.readers.event_patterns import may_match
from support.fakes import ACCOUNT, BUCKET, REGION, make_desired, not_none

DESIRED = make_desired(s3sync__delivery="eventbridge")
RULE = not_none(DESIRED.delivery_resources.rule)


def for_bucket(*names: Any) -> dict[str, Any]:
    return {"source": ["aws.s3"], "detail": {"bucket": {"name": list(names)}}}


MATCHING: list[Any] = [
    RULE.pattern,
    {"source": ["aws.s3"]},
    {"account": [ACCOUNT]},
    {},
    {"source": [{"prefix": "aws."}]},
    {"source": [{"prefix": {"equals-ignore-case": "AWS."}}]},
    {"source": [{"suffix": ".s3"}]},
    {"source": [{"anything-but": "aws.ec2"}]},
    {"source": [{"anything-but": ["aws.ec2", "aws.sqs"]}]},
    {"source": [{"anything-but": {"prefix": "com."}}]},
    {"source": [{"equals-ignore-case": "AWS.S3"}]},
    {"source": [{"wildcard": "aws.*"}]},
    {"source": [{"exists": True}]},
    {"source": ["aws.ec2", "aws.s3"]},
    {"$or": [{"source": ["aws.ec2"]}, {"source": ["aws.s3"]}]},
    {"$or": [{"source": ["aws.ec2"]}, {"detail": {"bucket": {"name": [BUCKET]}}}]},
    {"detail": {"object": {"size": [{"numeric": [">", 0]}]}}},
    {"detail-type": ["Object Created"]},
    for_bucket({"prefix": "amzn"}),
    for_bucket("another", BUCKET),
    for_bucket({"anything-but": ["another"]}),
    for_bucket({"operator-of-next-year": "x"}),
    for_bucket({"anything-but": {"operator-of-next-year": "x"}}),
    for_bucket({"anything-but": {"wildcard": r"amzn\*"}}),
    for_bucket({"anything-but": {"wildcard": ["*-log", "a"]}}),
    for_bucket({"wildcard": "*[amzn]*"}, {"wildcard": "amzn*"}),
    {"source": ["aws.s3"], "detail-type": ["AWS API Call via CloudTrail", "Object Tags Added"]},
    {"detail-type": ["Type Of Next Year"]},
    {"detail-type": [{"prefix": "Object"}]},
    {"region": [REGION], "resources": [f"arn:aws:s3:::{BUCKET}"]},
    {"resources": [{"wildcard": "arn:aws:s3:::amzn*"}, "arn:aws:ec2:x"]},
    "not a pattern",
]
OTHER: list[Any] = [
    {"source": ["aws.ec2"]},
    {"source": []},
    {"source": [{"prefix": "com.acme."}], "detail": {"bucket": ["inbound"]}},
    {"detail": {"bucket": ["inbound"]}},
    {"detail": {"bucket": [BUCKET]}},
    {"source": [{"prefix": "com.acme."}]},
    {"source": [{"suffix": ".ec2"}]},
    {"source": [{"anything-but": "aws.s3"}]},
    {"source": [{"anything-but": ["aws.s3", "aws.ec2"]}]},
    {"source": [{"anything-but": {"prefix": "aws."}}]},
    {"source": [{"anything-but": {"prefix": ["com.", "aws."]}}]},
    {"source": [{"equals-ignore-case": "AWS.EC2"}]},
    {"source": [{"wildcard": "com.*"}]},
    {"source": [{"exists": False}]},
    {"source": [{"numeric": ["=", 1]}]},
    {"source": [None]},
    {"source": {"nested": ["aws.s3"]}},
    {"$or": [{"source": ["aws.ec2"]}, {"source": ["aws.sqs"]}]},
    {"source": ["aws.s3"], "$or": [{"detail": {"bucket": {"name": ["a"]}}}, {"source": ["b"]}]},
    {"source": ["aws.s3"], "detail-type": ["AWS API Call via CloudTrail"], "detail": {"eventName": ["x"]}},
    {"source": ["aws.s3"], "resources": ["arn:aws:s3:::another"]},
    {"source": ["aws.s3"], "resources": [{"prefix": "arn:aws:s3:::another"}]},
    {"source": ["aws.s3"], "account": ["999999999999"]},
    {"source": ["aws.s3"], "region": [{"anything-but": REGION}]},
    for_bucket({"wildcard": r"amzn\*"}),
    for_bucket({"anything-but": {"wildcard": ["*-log", "*"]}}),
    for_bucket({"anything-but": {"operator-of-next-year": "x", "prefix": "amzn"}}),
    for_bucket("another"),
    for_bucket({"prefix": "another"}),
    for_bucket({"wildcard": "*-log"}),
    for_bucket(),
]


@pytest.mark.parametrize("pattern", MATCHING, ids=str)
def test_a_pattern_that_may_match_is_recognised(pattern: Any) -> None:
    assert may_match(pattern, BUCKET, DESIRED.function.arn)


@pytest.mark.parametrize("pattern", OTHER, ids=str)
def test_a_pattern_that_cannot_match_is_recognised(pattern: Any) -> None:
    assert not may_match(pattern, BUCKET, DESIRED.function.arn)
