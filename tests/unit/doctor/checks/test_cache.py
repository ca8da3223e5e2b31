"""The checks of the cache and its capacity, with a table of everything that can be wrong."""

from __future__ import annotations

import pytest

from pypicloud_s3sync.deploy.models import CacheTables, TableCapacity
from pypicloud_s3sync.doctor.models import (
    Facts,
    Probe,
)
from pypicloud_s3sync.exceptions import ConflictError, NotReadError, UnreachableError
from support.examinations import assert_right, assert_wrong, cases, denied, facts, interval
from support.fakes import REGION

REDIS: dict[str, str | None] = {
    "pypi__db": "redis",
    "db__url": "redis://:p-w@rd@cache.example:6379/0",
    "db__region_name": None,
}

VPC = {"s3sync__vpc_subnet_ids": "subnet-1", "s3sync__vpc_security_group_ids": "sg-1"}


#: The check, what is wrong, its state, and parts of its evidence and its remedy.
WRONG: list[tuple[str, Facts, str, str, str]] = [
    (
        "cache",
        facts(tables=CacheTables(missing=("DynamoPackage",))),
        *("failed", "the DynamoDB table DynamoPackage does not exist", "db.tablenames"),
    ),
    (
        "cache",
        facts(cache=UnreachableError("the cache cannot be reached from this host (x): check"), probe=None),
        *("failed", "the cache cannot be reached from this host (x)", "correct the db.* settings"),
    ),
    (
        "cache",
        facts(cache=UnreachableError("the cache cannot be reached from this host (x): check")),
        *("warning", "200 ms from the function", "the function alone is in the cache's network"),
    ),
    (
        "cache",
        facts(cache=ConflictError("the database has no table packages: check db.url")),
        *("failed", "the database has no table packages", "check db.url"),
    ),
    ("cache", facts(cache=denied("dynamodb:BatchGetItem")), "warning", "unknown", '"dynamodb:BatchGetItem"'),
    (
        "cache",
        facts(settings={**REDIS, **VPC}, probe=Probe(5000, "TimeoutError: timed out")),
        *("failed", "the function cannot work: TimeoutError", "accept connections from sg-1"),
    ),
    (
        "cache",
        facts(settings=REDIS, probe=Probe(5000, "TimeoutError: timed out")),
        *("failed", "the function cannot work: TimeoutError", "set s3sync.vpc_subnet_ids"),
    ),
    (
        "cache",
        facts(probe=Probe(9, "AccessDenied")),
        "failed",
        "the function cannot work",
        "check of the role",
    ),
    (
        "cache",
        facts(probe=denied("lambda:InvokeFunction")),
        *("warning", "it is unknown whether the function reaches it", '"lambda:InvokeFunction"'),
    ),
    (
        "capacity",
        facts(tables=CacheTables(provisioned=(TableCapacity("DynamoPackage", 5, 5),))),
        *("warning", "5 read units and 5 write units, about 0.83 files a second", "PAY_PER_REQUEST"),
    ),
    ("capacity", facts(tables=CacheTables(missing=("T",))), "skipped", "the tables do not exist", ""),
    ("capacity", facts(settings=REDIS), "skipped", "redis has no capacity to set", ""),
]
#: The check, what is right in another way, and a part of the evidence.
RIGHT: list[tuple[str, Facts, str]] = [
    ("cache", facts(), f"DynamoPackage, PackageSummary in {REGION}: 12 ms from this host; 200 ms from the"),
    (
        "cache",
        facts(settings=REDIS, probe=NotReadError("no function")),
        "redis://cache.example:6379/0: 12 ms",
    ),
    (
        "cache",
        facts(probe=denied("lambda:InvokeFunction"), intervals=[interval(events=3, invocations=3)]),
        "the function handled events in the last 24 hours",
    ),
    (
        "capacity",
        facts(
            tables=CacheTables(provisioned=(TableCapacity("DynamoPackage", 5, 5),)),
            scaled=frozenset({"DynamoPackage"}),
        ),
        "and scales automatically",
    ),
    ("capacity", facts(tables=CacheTables(provisioned=(TableCapacity("T", 100, 100),))), "about 17 files"),
]


@pytest.mark.parametrize("case", cases(WRONG))
def test_what_is_wrong_is_found_with_what_to_do(case: tuple[str, Facts, str, str, str]) -> None:
    assert_wrong(*case)


@pytest.mark.parametrize("case", cases(RIGHT))
def test_what_is_right_is_shown_with_its_evidence(case: tuple[str, Facts, str]) -> None:
    assert_right(*case)
