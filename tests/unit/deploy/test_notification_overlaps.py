"""Finding the foreign notification that makes S3 refuse this tool's entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pypicloud_s3sync.deploy import notifications
from support.notifications import (
    FOREIGN,
    FOREIGN_FUNCTION,
    FOREIGN_QUEUE,
    FOREIGN_TOPIC,
    OWN,
    OWNER,
    for_functions,
    foreign_entry,
    own_entry,
    with_filter,
)


def overlapping(configuration: Mapping[str, Any], own: Mapping[str, Any] = OWN) -> str | None:
    return notifications.overlapping(configuration, OWNER, own)


@pytest.mark.parametrize(
    "event",
    [
        "s3:ObjectCreated:*",
        "s3:ObjectCreated:Put",
        "s3:ObjectCreated:CompleteMultipartUpload",
        "s3:ObjectRemoved:*",
        "s3:ObjectRemoved:DeleteMarkerCreated",
        "s3:LifecycleExpiration:*",
        "s3:LifecycleExpiration:Delete",
    ],
)
def test_an_event_of_the_entry_overlaps_with_or_without_wildcard(event: str) -> None:
    foreign = foreign_entry(Events=["s3:ObjectTagging:*", event])
    assert overlapping(for_functions(foreign)) == f"foreign ({event}) to {FOREIGN_FUNCTION}"


@pytest.mark.parametrize(
    "event",
    [
        "s3:ObjectTagging:*",
        "s3:ObjectRestore:Post",
        "s3:Replication:*",
        "s3:ReducedRedundancyLostObject",
        "s3:ObjectAcl:Put",
        "s3:LifecycleTransition",
        "s3:IntelligentTiering",
    ],
)
def test_any_other_event_does_not_overlap(event: str) -> None:
    assert overlapping(for_functions(foreign_entry(Events=[event]))) is None


def test_a_foreign_wildcard_overlaps_with_a_single_event_of_the_entry() -> None:
    own = {**OWN, "Events": ["s3:ObjectCreated:Put"]}
    assert overlapping(for_functions(foreign_entry()), own) is not None
    assert overlapping(for_functions(foreign_entry(Events=["s3:ObjectCreated:Copy"])), own) is None


@pytest.mark.parametrize(
    ("foreign", "prefix"),
    [
        (with_filter(prefix="pkgs/"), "pkgs/"),
        (with_filter(prefix="pkgs/"), "pkgs/eu/"),
        (with_filter(prefix="pkgs/eu/"), "pkgs/"),
        (with_filter(Prefix="pkgs/eu/"), "pkgs/"),
        (with_filter(prefix=""), "pkgs/"),
        ({}, "pkgs/"),
        (with_filter(prefix="logs/"), ""),
        (with_filter(suffix=".whl"), "pkgs/"),
        (with_filter(prefix="pkgs/eu/", suffix=".whl"), "pkgs/"),
    ],
)
def test_a_prefix_that_contains_the_other_overlaps(foreign: dict[str, Any], prefix: str) -> None:
    assert overlapping(for_functions(foreign_entry(**foreign)), own_entry(prefix)) is not None


@pytest.mark.parametrize("prefix", ["logs/", "pkgs2/", "Pkgs/", "pkg/"])
def test_disjoint_prefixes_do_not_overlap(prefix: str) -> None:
    for rules in (
        with_filter(prefix=prefix),
        with_filter(Prefix=prefix),
        with_filter(prefix=prefix, suffix=".whl"),
    ):
        assert overlapping(for_functions(foreign_entry(**rules)), own_entry("pkgs/")) is None


@pytest.mark.parametrize(
    ("one", "other", "overlaps"),
    [
        (".whl", ".whl", True),
        (".gz", ".tar.gz", True),
        (".tar.gz", ".gz", True),
        (".whl", "whl", True),
        ("whl", ".whl", True),
        (".whl", "", True),
        (".whl", ".gz", False),
        (".whl", "l.wh", False),
        ("a.whl", "b.whl", False),
    ],
)
def test_suffixes_overlap_if_one_ends_with_the_other(one: str, other: str, overlaps: bool) -> None:
    configuration = for_functions(foreign_entry(**with_filter(suffix=one)))
    assert (overlapping(configuration, {**OWN, **with_filter(suffix=other)}) is not None) is overlaps


def test_entries_overlap_only_if_both_prefixes_and_suffixes_overlap() -> None:
    own = {**OWN, **with_filter(prefix="pkgs/", suffix=".whl")}
    for rules, overlaps in (
        (with_filter(prefix="pkgs/", suffix=".gz"), False),
        (with_filter(prefix="logs/", suffix=".whl"), False),
        (with_filter(prefix="pkgs/eu/", suffix=".whl"), True),
    ):
        assert (overlapping(for_functions(foreign_entry(**rules)), own) is not None) is overlaps, rules


@pytest.mark.parametrize(
    ("kind", "field", "arn"),
    [
        ("QueueConfigurations", "QueueArn", FOREIGN_QUEUE),
        ("TopicConfigurations", "TopicArn", FOREIGN_TOPIC),
        ("LambdaFunctionConfigurations", "LambdaFunctionArn", FOREIGN_FUNCTION),
    ],
)
def test_an_overlap_is_described_by_id_events_filter_and_destination(kind: str, field: str, arn: str) -> None:
    item = {"Id": "x", field: arn, "Events": ["s3:ObjectRemoved:*"], **with_filter(Prefix="a/")}
    assert overlapping({kind: [item]}) == f"x (s3:ObjectRemoved:*, prefix 'a/') to {arn}"


def test_an_overlapping_entry_without_an_id_is_described() -> None:
    item = {"QueueArn": FOREIGN_QUEUE, "Events": ["s3:ObjectCreated:*"]}
    expected = f"an entry without an id (s3:ObjectCreated:*) to {FOREIGN_QUEUE}"
    assert overlapping({"QueueConfigurations": [item]}) == expected


def test_eventbridge_never_overlaps() -> None:
    assert overlapping({"EventBridgeConfiguration": {}}) is None


def test_the_own_entry_does_not_overlap_with_itself() -> None:
    configuration = {**FOREIGN, **for_functions(*FOREIGN["LambdaFunctionConfigurations"], OWN)}
    assert overlapping(configuration) is None
    assert overlapping(configuration, own_entry("pkgs/")) is None, "overlaps after a change of the prefix"
