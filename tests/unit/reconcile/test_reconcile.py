from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy
from botocore.exceptions import ClientError

from pypicloud_s3sync.caches.dynamo_tables import READ_PAUSES
from pypicloud_s3sync.exceptions import S3SyncError
from pypicloud_s3sync.reconcile import models, repair
from pypicloud_s3sync.reconcile.capacity import PAUSE, DynamoCapacity
from pypicloud_s3sync.reconcile.models import Kind, Options, Report, Reporter
from pypicloud_s3sync.reconcile.name_repair import NameRepair
from pypicloud_s3sync.reconcile.passes import Pass
from pypicloud_s3sync.reconcile.run import reconcile
from pypicloud_s3sync.reconcile.scans import scan_of
from pypicloud_s3sync.reconcile.state import DONE, State
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from support.backends import Backend, Custom, Dynamo, Redis, Sql
from support.histories import BUCKET
from support.small_world import TIME, World

backends = pytest.mark.parametrize("backend", [Dynamo, Redis, Sql], ids=lambda backend: backend.__name__)


def counts(report: Report) -> dict[str, int]:
    return {kind.value: count for kind, count in report.differences.items() if count}


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


def filled(count: int, backend: type[Backend] = Sql) -> World:
    world = World(backend)
    for number in range(count):
        world.put(f"x/pkg-{number}.0.zip")
    world.reconcile()
    return world


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


# Failures


def set_column(world: World, column: str, value: Any) -> None:
    statement = sqlalchemy.text(f"UPDATE packages SET {column} = :value WHERE filename = 'pkg-0.0.zip'")
    with world.backend.maker.begin() as session:  # type: ignore[attr-defined]
        session.execute(statement, {"value": value})


def set_field(world: World, field: str, value: Any) -> None:
    db: Any = world.backend.db  # type: ignore[attr-defined]
    key = world.adapter.cache.redis_key("pkg-0.0.zip")
    db.hdel(key, field) if value is None else db.hset(key, field, value)


def set_attribute(world: World, attribute: str, value: Any) -> None:
    client: Any = world.adapter.client  # type: ignore[attr-defined]
    item = dict(client.tables["DynamoPackage"]["pkg-0.0.zip"])
    client._write("DynamoPackage", "pkg-0.0.zip", {**item, attribute: value})


@pytest.mark.parametrize(
    ("backend", "change", "field", "value"),
    [
        *((Sql, set_column, "data", value) for value in ("abc", "[1]", "null", "")),
        *((Redis, set_field, "last_modified", value) for value in ("abc", "inf", "1e300", None)),
        *((Redis, set_field, field, None) for field in ("name", "version", "filename")),
        (Redis, set_field, "path", "abc"),
        *((Dynamo, set_attribute, "data", {"S": value}) for value in ("abc", "[1]")),
        (Dynamo, set_attribute, "last_modified", {"S": "x"}),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_are_repaired(
    backend: type[Backend], change: Callable[[World, str, Any], None], field: str, value: Any
) -> None:
    world = filled(2, backend)
    change(world, field, value)
    world.put("x/other-1.0.zip")
    report = world.reconcile()
    assert (list(report.failed), report.added) == (["pkg-0.0.zip"], 1)
    work = Pass(world.syncer(), world.bucket, State())
    assert work.run().phase == DONE
    assert "x/pkg-0.0.zip" in work.failed


def test_a_key_that_is_no_text_is_replaced() -> None:
    world = filled(1, Redis)
    set_field(world, "path", "[1]")
    set_field(world, "other_paths", "7")
    assert counts(world.reconcile()) == {"stale": 1}
    assert world.reconcile().looked_at == 0


def test_a_file_that_fails_is_named_and_the_others_are_repaired() -> None:
    world = World()
    for name in ("a", "b", "c"):
        world.put(f"x/{name}-1.0.zip")
    world.denied = {"x/b-1.0.zip"}
    report = world.reconcile()
    assert (report.repaired, list(report.failed), report.in_sync) == (2, ["b-1.0.zip"], False)
    assert "403" in report.failed["b-1.0.zip"]
    assert world.heads.count("x/b-1.0.zip") == 2, "it was not tried again"
    world.denied = set()
    assert world.reconcile().in_sync


def test_of_many_files_that_fail_the_first_are_named_and_the_others_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "FAILURES", 3)
    world = World(Redis)
    for number in range(8):
        world.put(f"x/pkg-{number}.0.zip")
    world.denied = set(world.bucket.versions)
    report = world.reconcile()
    assert (len(report.failed), report.failures, counts(report)) == (3, 8, {"missing": 8})
    document = report.document()
    assert (len(document["failed"]), document["more_failed"], document["in_sync"]) == (3, 5, False)


def test_a_summary_whose_failure_is_not_named_does_not_count_as_repaired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "FAILURES", 1)
    world = World(Redis)
    for name in ("one", "two", "three"):
        world.put(f"x/{name}-1.0.zip")
    world.reconcile()
    world.backend.db.delete("pypicloud:set")  # type: ignore[attr-defined]

    def refuse(*_: object) -> dict[str, Exception]:
        return {name: ValueError("refused") for name in ("one", "two")}

    monkeypatch.setattr(NameRepair, "_keep", refuse)
    report = world.reconcile()
    assert (counts(report), report.repaired, report.failures) == ({"summaries": 3}, 1, 2)


def test_a_database_that_goes_away_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.put("x/a-1.0.zip")

    def refuse(keys: object) -> None:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(world.adapter, "read", refuse)
    with pytest.raises(ConnectionRefusedError):
        world.reconcile()


def test_throttled_writes_are_repeated_in_smaller_batches_until_they_succeed() -> None:
    world = World(Dynamo)
    for number in range(9):
        world.put(f"x/p{number}-1.0.zip")
    client: Any = world.adapter.client  # type: ignore[attr-defined]
    write, refused, slept = client.transact_write_items, list[int](), list[float]()
    handlers: dict[str, Any] = {}
    client.meta.events.register = handlers.__setitem__

    def limited(TransactItems: list[Any]) -> Any:
        if len(TransactItems) > 4:
            refused.append(len(TransactItems))
            answer: Any = {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": [{"Code": "ThrottlingError"}],
            }
            handlers["after-call.dynamodb.TransactWriteItems"](answer)
            raise ClientError(answer, "TransactWriteItems")
        return write(TransactItems)

    client.transact_write_items = limited
    scan = scan_of(world.adapter)
    assert isinstance(scan.capacity, DynamoCapacity)
    scan.capacity._pause = slept.append
    syncer = Syncer(ObjectReader(world.bucket), world.adapter, BUCKET, "", lambda seconds: None)
    report = reconcile(syncer, world.bucket, scan=scan)
    assert refused
    assert (report.failed, report.repaired) == ({}, 9)


def test_summaries_that_dynamodb_does_not_return_at_once_are_read_again() -> None:
    world = filled(1, Dynamo)
    tables: Any = world.adapter.tables  # type: ignore[attr-defined]
    read, asked, slept = tables.client.batch_get_item, list[Any](), list[float]()

    def limited(RequestItems: Any) -> Any:
        asked.append(RequestItems)
        if len(asked) <= len(READ_PAUSES) + 1:
            return {"Responses": {}, "UnprocessedKeys": RequestItems}
        return read(RequestItems)

    tables.client.batch_get_item, tables.pause = limited, slept.append
    scan: Any = scan_of(world.adapter)
    scan.capacity._pause = slept.append
    assert [listed.name for page in scan.names({"pkg"}) for listed in page] == ["pkg"]
    assert slept == [*READ_PAUSES, PAUSE]


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
    assert sorted(listed.name for page in scan.names() for listed in page) == [
        *("a*b", "known", "listed", "summarized")
    ]
