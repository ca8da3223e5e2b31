from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.reconcile.models import Reporter
from pypicloud_s3sync.reconcile.run import reconcile
from pypicloud_s3sync.regions.compare import compare
from pypicloud_s3sync.regions.models import Kind
from support.backends import Backend, Dynamo, Redis, Sql
from support.damage import add_name, drop_name
from support.regions import DAMAGES, World, add, change_row, differences, overwrite

backends = pytest.mark.parametrize("backend", [Dynamo, Redis, Sql], ids=lambda backend: backend.__name__)
KEY, OTHER, NEW = "ab12/pkg/pkg-1.0.zip", "cd34/other/other-1.0.zip", "ab12/pkg/pkg-3.0.zip"
US, EU = "us-east-1", "eu-west-1"


def regions(
    count: int = 2, backend: type[Backend] = Sql, prefixes: tuple[str, ...] = ("", "", "")
) -> list[World]:
    """Return regions with the same three packages."""
    worlds = [World(number, backend, prefixes[number]) for number in range(count)]
    for world in worlds:
        for key in (KEY, "ab12/pkg/pkg-2.0.zip", OTHER):
            world.put(key, hash_sha256="5a")
        world.sync()
    return worlds


@backends
def test_regions_with_the_same_packages_are_equal_and_cost_no_head(backend: type[Backend]) -> None:
    worlds = regions(backend=backend)
    assert differences(worlds) == set()
    assert [world.bucket.heads for world in worlds] == [[], []]


@pytest.mark.untraced
@pytest.mark.parametrize("damage", DAMAGES)
@backends
def test_each_difference_is_found_with_the_layer_that_lost_it(damage: str, backend: type[Backend]) -> None:
    worlds = regions(backend=backend)
    expected = DAMAGES[damage].make(worlds, 1, KEY)
    worlds[1].backend.advance(100)
    assert differences(worlds) == expected


@pytest.mark.parametrize(
    "damage",
    [
        *("upload not replicated", "deletion not replicated", "lost event of an upload"),
        *("lost event of a deletion", "another content", "another content of the same size"),
        *("row whose filename was split wrongly", "row of another content", "row of another version"),
    ],
)
def test_regions_that_hold_different_things_have_different_digests(damage: str) -> None:
    worlds = regions(3)
    DAMAGES[damage].make(worlds, 1, KEY)
    with compare([world.region for world in worlds], Reporter()) as comparison:
        us, eu, ap = (totals.digest for totals in comparison.totals)
    assert (us == ap, us == eu) == (True, False)


@pytest.mark.parametrize("changes", [{"name": "pkg-1", "version": "0"}, {"hash_sha256": "5c"}])
@backends
def test_what_a_listing_does_not_show_is_repaired_with_the_package_that_is_named(
    changes: dict[str, str], backend: type[Backend]
) -> None:
    worlds = regions(backend=backend)
    change_row(worlds[1], KEY, **changes)
    worlds[1].backend.advance(100)
    with compare([world.region for world in worlds], Reporter()) as comparison:
        (package,) = comparison.repairs(Kind.STALE_ROW)[f"{EU}.ini"]
    worlds[1].sync()
    assert differences(worlds), "a listing shows it, so no package has to be named"
    worlds[1].sync(package)
    assert differences(worlds) == set()


# What is not a difference


@pytest.mark.parametrize("damage", ["not replicated", "without its row", "row without it"])
@backends
def test_the_canary_of_a_doctor_is_no_difference(damage: str, backend: type[Backend]) -> None:
    filename = "pypicloud-s3sync-canary-0.1.2.tar.gz"
    worlds, key = regions(backend=backend), f"ab12/pypicloud-s3sync-canary/{filename}"
    worlds[1].put(key, name="pypicloud-s3sync-canary", version="0.1.2")
    if damage != "without its row":
        worlds[1].event(key)
    if damage == "row without it":
        worlds[1].remove(key)
    worlds[1].backend.advance(100)
    assert differences(worlds) == set()
    report = reconcile(worlds[1].region.syncer, worlds[1].bucket)
    assert report.in_sync
    assert not any(report.differences.values())
    assert (filename in worlds[1].backend.filenames()) == (damage != "row without it"), "it is repaired"


@pytest.mark.parametrize("prefixes", [("", "packages/"), ("us/", "eu/"), ("a", "")])
def test_each_region_may_have_its_own_prefix(prefixes: tuple[str, str]) -> None:
    worlds = regions(prefixes=prefixes)
    assert differences(worlds) == set()
    add(worlds[0], NEW)
    assert differences(worlds) == {("not_replicated", "pkg-3.0.zip", EU)}


def test_a_file_may_lie_under_another_key_as_without_prepend_hash() -> None:
    worlds = regions()
    worlds[0].put("ab12/new/new-1.0.zip")
    worlds[1].put("new/new-1.0.zip")
    for world in worlds:
        world.sync()
    assert differences(worlds) == set()


def test_a_hash_that_only_one_region_knows_is_no_difference() -> None:
    worlds = regions()
    worlds[0].put("new/new-1.0.zip", hash_sha256="5a")
    worlds[1].put("new/new-1.0.zip")
    for world in worlds:
        world.sync()
    assert differences(worlds) == set()
    assert differences(worlds[::-1]) == set()


def test_the_time_of_a_replica_is_no_difference() -> None:
    worlds = regions()
    worlds[1].put(KEY, seconds=3600, hash_sha256="5a")
    worlds[1].sync()
    assert differences(worlds) == set()


def test_what_only_the_metadata_of_an_object_says_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypicloud_s3sync.reconcile.bucket._time", lambda page: 2**31)
    worlds = [World(0), World(1)]
    for number, world in enumerate(worlds):
        world.region = replace(world.region, known=tmp_path / str(number))
        world.put("a/README", name="", version="")
        world.put("a/pkg-1.0.zip", version="other")
        world.sync()
    assert differences(worlds) == set()
    assert [sorted(world.bucket.heads) for world in worlds] == [["a/README", "a/pkg-1.0.zip"]] * 2
    for world in worlds:
        world.bucket.heads.clear()
    assert differences(worlds) == set()
    assert [world.bucket.heads for world in worlds] == [[], []]


def test_a_bucket_may_hold_other_things_than_packages() -> None:
    worlds = regions()
    worlds[0].put("README", name="", version="", summary="")
    assert differences(worlds) == set()


@pytest.mark.parametrize("slow", [0, 1])
def test_an_upload_and_a_deletion_that_reach_all_regions_meanwhile_are_no_differences(slow: int) -> None:
    """The regions are listed one after the other."""
    worlds = regions()

    def change() -> None:
        for world in worlds:
            world.put(NEW)
            world.remove(OTHER)
            world.event(NEW)
            world.event(OTHER)

    worlds[slow].bucket.before_listing = change
    assert differences(worlds) == set()


@pytest.mark.parametrize("slow", [0, 1])
@backends
def test_a_file_that_is_overwritten_everywhere_meanwhile_is_no_difference(
    slow: int, backend: type[Backend]
) -> None:
    worlds = regions(backend=backend)

    def change() -> None:
        for world in worlds:
            overwrite(world, KEY)

    worlds[slow].bucket.before_listing = change
    assert differences(worlds) == set()


# Which region is wrong


def test_without_hashes_the_size_tells_another_content() -> None:
    worlds = regions()
    for world, content in zip(worlds, ("short", "a longer one"), strict=True):
        world.put("new/new-1.0.zip", content)
        world.sync()
    assert differences(worlds) == {("different_content", "new-1.0.zip", EU)}


def test_a_row_that_a_listing_shows_to_be_stale_needs_no_package_to_be_named() -> None:
    worlds = regions()
    DAMAGES["another content and a lost event"].make(worlds, 1, KEY)
    with compare([world.region for world in worlds], Reporter()) as comparison:
        assert comparison.repairs(Kind.STALE_ROW) == {f"{EU}.ini": [""]}


def test_of_three_regions_the_one_with_another_content_is_named() -> None:
    worlds = regions(3)
    overwrite(worlds[0], KEY)
    assert differences(worlds) == {("different_content", "pkg-1.0.zip", US)}


def test_of_two_regions_the_second_one_is_compared_with_the_first() -> None:
    worlds = regions()
    overwrite(worlds[0], KEY)
    assert differences(worlds) == {("different_content", "pkg-1.0.zip", EU)}


def test_every_region_that_lacks_a_file_is_named() -> None:
    worlds = regions(3)
    add(worlds[1], NEW)
    assert differences(worlds) == {
        ("not_replicated", "pkg-3.0.zip", US),
        ("not_replicated", "pkg-3.0.zip", "ap-south-1"),
    }


def test_a_region_without_anything_lacks_everything() -> None:
    worlds = [*regions(), World(2)]
    lacking = {(it[0], it[2]) for it in differences(worlds)}
    assert lacking == {("not_replicated", "ap-south-1")}
    assert len(differences(worlds)) == 3


# Names


@pytest.mark.parametrize("backend", [Dynamo, Redis], ids=lambda backend: backend.__name__)
def test_a_project_that_is_not_listed_counts_as_a_stale_row_of_its_newest_file(
    backend: type[Backend],
) -> None:
    worlds = regions(backend=backend)
    drop_name(worlds[1].backend, "pkg")
    assert differences(worlds) == {("stale_row", "pkg-2.0.zip", EU)}
    worlds[1].sync()
    assert differences(worlds) == set()


@pytest.mark.parametrize("backend", [Dynamo, Redis], ids=lambda backend: backend.__name__)
def test_a_project_that_is_listed_without_files_is_an_extra_row(backend: type[Backend]) -> None:
    worlds = regions(backend=backend)
    add_name(worlds[1].backend, "ghost")
    assert differences(worlds) == {("extra_row", "ghost", EU)}


# Failures


def test_a_file_that_cannot_be_read_is_an_error_because_nobody_knows_whether_it_differs() -> None:
    worlds = regions()
    worlds[1].put("ab12/new/new-1.0.zip")

    def refuse(Bucket: str, Key: str) -> None:
        answer: Any = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(answer, "HeadObject")

    worlds[1].bucket.head_object = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(S3SyncError, match=r"1 file of the bucket packages-1 .*new-1\.0\.zip.*403"):
        compare([world.region for world in worlds], Reporter())


def test_an_error_of_the_second_look_is_raised() -> None:
    worlds = regions()
    add(worlds[0], NEW)

    def refuse(Bucket: str, Key: str) -> None:
        raise ConnectionError("gone")

    worlds[1].bucket.head_object = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(ConnectionError):
        compare([world.region for world in worlds], Reporter())


def test_kinds_are_those_of_the_contract() -> None:
    kinds = ["not_replicated", "missing_row", "extra_row", "stale_row", "different_content"]
    assert [kind.value for kind in Kind] == kinds


def test_the_document_has_the_fields_of_the_contract() -> None:
    worlds = regions()
    add(worlds[0], NEW)
    with compare([world.region for world in worlds], Reporter()) as comparison:
        document = comparison.document()
        assert not comparison.equal
    digests = [region.pop("digest") for region in document["regions"]]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    assert document == {
        "equal": False,
        "regions": [
            {"config": f"{US}.ini", "bucket": "packages-0", "region": US, "objects": 4, "rows": 4},
            {"config": f"{EU}.ini", "bucket": "packages-1", "region": EU, "objects": 3, "rows": 3},
        ],
        "counts": dict.fromkeys([kind.value for kind in Kind], 0) | {"not_replicated": 1},
    }
