"""The demo's replicator follows the rules that it finds in the buckets, as S3 does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.demo.emulator import QuietAws
from pypicloud_s3sync.demo.replicator import Bucket, Replicator
from pypicloud_s3sync.deploy.replication.run import Replication
from pypicloud_s3sync.embedded import EmbeddedAws
from support.sites import Site

pytestmark = pytest.mark.untraced

_numbers = itertools.count()

Company = tuple[Site, Site]


@pytest.fixture(scope="module")
def quiet_aws() -> Iterator[EmbeddedAws]:
    """The emulator of the demo."""
    with QuietAws() as aws:
        yield aws


@pytest.fixture
def company(quiet_aws: EmbeddedAws, tiny_bundle: Path) -> Company:
    """Two buckets that replicate to each other under a prefix."""
    number = next(_numbers)
    us, eu = (
        Site(quiet_aws, tiny_bundle, region, f"packages-{region}-{number}", "sync")
        for region in ("us-east-1", "eu-west-1")
    )
    sites = us, eu
    Replication([(site.bucket, site.settings(storage__prefix="p/")) for site in sites]).apply()
    return sites


@pytest.fixture
def replicator(company: Company) -> Replicator:
    return started(*company)


def started(*sites: Site) -> Replicator:
    """Return a replicator that has found the rules."""
    replicator = Replicator([Bucket(site.client("s3"), site.bucket) for site in sites])
    replicator.replicate()
    return replicator


def put(site: Site, key: str) -> None:
    site.client("s3").put_object(Bucket=site.bucket, Key=key, Body=b"x")


def delete(site: Site, key: str) -> None:
    site.client("s3").delete_object(Bucket=site.bucket, Key=key)


def keys(site: Site) -> list[str]:
    listed = site.client("s3").list_objects_v2(Bucket=site.bucket)
    return [item["Key"] for item in listed.get("Contents", [])]


def versions(site: Site) -> int:
    """Return the number of versions and delete markers."""
    listed = site.client("s3").list_object_versions(Bucket=site.bucket)
    return len(listed.get("Versions", []) + listed.get("DeleteMarkers", []))


def change_rule(site: Site, **changes: Any) -> None:
    """Change the only rule of a bucket."""
    s3 = site.client("s3")
    configuration = s3.get_bucket_replication(Bucket=site.bucket)["ReplicationConfiguration"]
    configuration["Rules"] = [{**configuration["Rules"][0], **changes}]
    s3.put_bucket_replication(Bucket=site.bucket, ReplicationConfiguration=configuration)


def settle(replicator: Replicator, company: Company) -> list[int]:
    """Replicate a few times; return the number of versions in each bucket, which must not grow any more."""
    for _ in range(3):
        replicator.replicate()
    before = [versions(site) for site in company]
    for _ in range(3):
        replicator.replicate()
    assert [versions(site) for site in company] == before, "the replicator goes in circles"
    return before


@pytest.mark.parametrize("direction", [0, 1])
def test_a_package_and_its_deletion_are_replicated_once_in_both_directions(
    company: Company, replicator: Replicator, direction: int
) -> None:
    source, destination = company[direction], company[1 - direction]
    put(source, "p/a")
    assert keys(destination) == [], "the emulator itself replicates"
    assert settle(replicator, company) == [1, 1]
    assert keys(destination) == ["p/a"]
    delete(source, "p/a")
    assert settle(replicator, company) == [2, 2]
    assert keys(source) == keys(destination) == []


def test_only_keys_under_the_prefix_of_a_rule_are_replicated(
    company: Company, replicator: Replicator
) -> None:
    put(company[0], "p/a")
    put(company[0], "other/a")
    settle(replicator, company)
    assert keys(company[1]) == ["p/a"]


def test_what_was_there_before_the_rule_is_not_replicated(company: Company) -> None:
    us, eu = company
    rules = us.client("s3").get_bucket_replication(Bucket=us.bucket)["ReplicationConfiguration"]
    us.client("s3").delete_bucket_replication(Bucket=us.bucket)
    replicator = started(*company)
    put(us, "p/old")
    replicator.replicate()
    us.client("s3").put_bucket_replication(Bucket=us.bucket, ReplicationConfiguration=rules)
    replicator.replicate()
    put(us, "p/new")
    settle(replicator, company)
    assert keys(eu) == ["p/new"]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"DeleteMarkerReplication": {"Status": "Disabled"}}, ["p/a"]),
        ({"DeleteMarkerReplication": {"Status": "Enabled"}}, []),
    ],
)
def test_a_deletion_is_replicated_only_if_the_rule_says_so(
    company: Company, replicator: Replicator, changes: dict[str, Any], left: list[str]
) -> None:
    us, eu = company
    change_rule(us, **changes)
    put(us, "p/a")
    settle(replicator, company)
    delete(us, "p/a")
    settle(replicator, company)
    assert (keys(us), keys(eu)) == ([], left)


def test_a_disabled_rule_does_nothing(company: Company, replicator: Replicator) -> None:
    us, eu = company
    change_rule(us, Status="Disabled")
    put(us, "p/a")
    settle(replicator, company)
    assert keys(eu) == []
