from __future__ import annotations

from typing import Any

import pytest

from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.reconcile import repair
from pypicloud_s3sync.reconcile.models import Kind, Options, Reporter
from pypicloud_s3sync.reconcile.run import reconcile
from pypicloud_s3sync.reconcile.scans import scan_of
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from support.backends import Backend, Custom, Dynamo, Redis, Sql
from support.small_world import TIME, World, counts, filled

backends = pytest.mark.parametrize("backend", [Dynamo, Redis, Sql], ids=lambda backend: backend.__name__)


@backends
def test_an_empty_cache_is_filled_and_then_costs_no_head(backend: type[Backend]) -> None:
    world = World(backend)
    for number in range(7):
        world.put(f"x/pkg{number % 3}/pkg{number % 3}-{number}.0.zip")
    report = world.reconcile()
    assert (counts(report), report.repaired, report.added, report.objects) == ({"missing": 7}, 7, 7, 7)
    again = world.reconcile()
    assert (again.in_sync, again.rows, again.looked_at, world.heads) == (True, 7, 0, [])


def test_the_document_has_the_fields_of_the_contract() -> None:
    world = World()
    world.put("a/pkg-1.0.zip")
    document = world.reconcile(dry_run=True).document()
    assert document | {"seconds": 0} == {
        "command": "reconcile",
        "dry_run": True,
        "in_sync": False,
        "objects": 1,
        "rows": 0,
        "differences": {"missing": 1, "gone": 0, "stale": 0, "summaries": 0},
        "samples": {"missing": ["pkg-1.0.zip"], "gone": [], "stale": [], "summaries": []},
        "repaired": 0,
        "added": 0,
        "queued": 0,
        "failed": [],
        "more_failed": 0,
        "kept": 0,
        "max_delete": 100,
        "looked_at": 1,
        "seconds": 0,
    }
    assert world.reconcile().document()["in_sync"] is True


def test_an_object_that_is_no_package_is_no_difference() -> None:
    world = World()
    world.put("a/README", name="", version="", summary="")
    assert counts(world.reconcile(dry_run=True)) == {}
    assert world.reconcile().in_sync


@backends
def test_a_row_whose_object_is_outside_of_the_prefix_is_gone(backend: type[Backend]) -> None:
    world = World(backend)
    world.put("old/pkg-1.0.zip")
    world.put("new/pkg-2.0.zip")
    world.reconcile()
    world.prefix = "new/"
    assert counts(world.reconcile()) == {"gone": 1}
    assert world.backend.filenames() == {"pkg-2.0.zip"}


def test_a_row_that_names_the_object_of_another_filename_gets_its_own() -> None:
    world = World()
    for key in ("a/pkg-1.0.zip", "a/pkg-2.0.zip"):
        world.put(key)
    wrong = world.adapter.cache.new_package("pkg", "1.0", "pkg-1.0.zip", TIME, None, path="a/pkg-2.0.zip")
    with world.adapter._transaction():  # type: ignore[attr-defined]
        world.adapter.cache.save(wrong)
    assert counts(world.reconcile()) == {"missing": 1, "stale": 1}
    assert {row.data["path"] for row in world.backend.rows().values()} == {"a/pkg-1.0.zip", "a/pkg-2.0.zip"}


# Deletions


@backends
def test_more_deletions_than_allowed_are_not_made_and_the_rest_is_repaired(backend: type[Backend]) -> None:
    world = filled(5, backend)
    for number in range(3):
        world.remove(f"x/pkg-{number}.0.zip")
    world.put("x/pkg-9.0.zip")
    report = world.reconcile(max_deletions=lambda rows: 2)
    assert (counts(report), report.repaired, report.kept) == ({"missing": 1, "gone": 3}, 1, 3)
    assert not report.in_sync
    assert world.backend.filenames() == {f"pkg-{number}.0.zip" for number in (0, 1, 2, 3, 4, 9)}
    report = world.reconcile(max_deletions=lambda rows: 3)
    assert (report.in_sync, report.repaired, len(world.backend.filenames())) == (True, 3, 3)


@pytest.mark.parametrize(("rows", "limit"), [(0, 100), (999, 100), (1010, 101), (50_000, 5000)])
def test_by_default_a_tenth_of_the_rows_may_be_deleted_and_at_least_a_hundred(rows: int, limit: int) -> None:
    assert Options().max_deletions(rows) == limit


# Some packages


@backends
def test_only_the_named_packages_are_compared(backend: type[Backend]) -> None:
    world = filled(2, backend)
    world.put("ab12/my-3d/my-3d-1.0.zip")
    world.put("x/other-1.0.zip")
    world.remove("x/pkg-0.0.zip")
    report = world.reconcile(packages=frozenset({"my-3d"}))
    assert (counts(report), report.objects, report.rows) == ({"missing": 1}, 1, 0)
    report = world.reconcile(packages=frozenset({"pkg"}))
    assert (counts(report), report.rows) == ({"gone": 1}, 2)
    assert world.backend.filenames() == {"my-3d-1.0.zip", "pkg-1.0.zip"}


@backends
def test_a_package_that_exists_nowhere_is_no_difference(backend: type[Backend]) -> None:
    report = filled(2, backend).reconcile(packages=frozenset({"absent"}), dry_run=True)
    assert (counts(report), report.in_sync, report.objects, report.rows) == ({}, True, 0, 0)


class RoundTrips:
    """Counts the round trips to Redis that list something."""

    def __init__(self, db: Any) -> None:
        self.db, self.count = db, 0

    def pipeline(self, transaction: bool = True) -> Any:
        self.count += 1
        return self.db.pipeline(transaction)

    def sscan_iter(self, *arguments: Any, **options: Any) -> Any:
        self.count += 1
        return self.db.sscan_iter(*arguments, **options)


def test_the_rows_of_many_projects_are_listed_in_a_few_round_trips() -> None:
    world = World(Redis)
    names = {f"pkg{number}" for number in range(60)}
    for name in names:
        world.put(f"x/{name}-1.0.zip")
    world.reconcile()
    scan = scan_of(world.adapter)
    scan.cache.db = counted = RoundTrips(scan.cache.db)
    assert {row.name for page in scan.rows(names) for row in page} == names
    assert counted.count == 2


# Others


def test_a_cache_class_of_its_own_is_reconciled_by_its_public_methods() -> None:
    world = World(Custom)
    world.put("x/a-1.0.zip")
    world.put("x/b-1.0.zip")
    assert counts(world.reconcile()) == {"missing": 2}
    world.remove("x/a-1.0.zip")
    assert counts(world.reconcile()) == {"gone": 1}
    assert (world.reconcile().looked_at, world.backend.filenames()) == (0, {"b-1.0.zip"})


def test_without_a_bucket_nothing_is_compared() -> None:
    world = World()
    syncer = Syncer(ObjectReader(world.bucket), world.adapter, None)
    with pytest.raises(S3SyncError, match=r"storage\.bucket"):
        reconcile(syncer, world.bucket)


def test_kinds_are_those_of_the_contract() -> None:
    assert [kind.value for kind in Kind] == ["missing", "gone", "stale", "summaries"]


class Steps(Reporter):
    """Keeps the last message of each step."""

    def __init__(self) -> None:
        self.messages: dict[str, str] = {}

    def done(self, step: str, message: str) -> None:
        self.messages[step] = message


@pytest.mark.parametrize("number", [0, 1, 2])
def test_steps_name_one_file_and_several_files_in_the_right_form(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "is_worthwhile", lambda files, objects: True)
    world, steps = World(Redis), Steps()
    for version in range(number):
        world.put(f"a/pkg-{version}.0.zip")
    world.reconcile(steps)
    files, objects = (f"{number} {noun}{'s' * (number != 1)}" for noun in ("file", "object"))
    expected = {
        "list rows": "listed 0 rows",
        "list bucket": f"listed {objects}",
        "confirm": "listed the bucket again: no file had changed meanwhile",
    }
    repaired = {"repair": f"looked at {files}, {number} repaired"} if number else {}
    assert steps.messages == expected | repaired


def test_a_wrong_summary_is_counted_in_the_right_form() -> None:
    world, steps = World(Redis), Steps()
    world.put("a/pkg-1.0.zip")
    world.reconcile()
    world.backend.db.srem("pypicloud:set", "pkg")  # type: ignore[attr-defined]
    world.reconcile(steps)
    assert steps.messages["summaries"] == "checked 1 summary, 1 was wrong"


def test_a_name_is_found_of_which_redis_has_only_a_list_of_files_or_a_summary() -> None:
    world = World(Redis)
    cache = world.adapter.cache
    for name in ("a*b", "listed", "known"):
        cache.db.sadd(cache.redis_filename_set(name), f"{name}-1.0.zip")
    cache.db.hset(cache.redis_summary_key("summarized"), "summary", "text")
    cache.db.sadd(cache.redis_set, "known")
    scan = scan_of(world.adapter)
    found: list[str] = []
    for page in scan.names(is_listed=found.__contains__):
        found += [listed.name for listed in page]
    assert sorted(found) == ["a*b", "known", "listed", "summarized"]


def test_a_name_is_found_that_a_handler_puts_on_the_list_of_names_after_that_was_read() -> None:
    """It may have a file that no row has, and the handler looks at its own file only."""
    world, listed = World(Redis), {"other"}
    cache = world.adapter.cache
    cache.db.sadd(cache.redis_set, "other")
    cache.db.sadd(cache.redis_filename_set("pkg"), "pkg-8.zip")
    pages = scan_of(world.adapter).names(is_listed=listed.__contains__)
    assert [each.name for each in next(pages)] == ["other"]
    cache.db.sadd(cache.redis_set, "pkg")
    assert [each.name for page in pages for each in page] == ["pkg"]
