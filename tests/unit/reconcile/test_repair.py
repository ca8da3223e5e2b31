"""Repairs that fail, that are tried again, or that are impossible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy
from botocore.exceptions import ClientError

from pypicloud_s3sync.caches.dynamo_tables import READ_PAUSES
from pypicloud_s3sync.reconcile import models
from pypicloud_s3sync.reconcile.capacity import PAUSE, DynamoCapacity
from pypicloud_s3sync.reconcile.name_repair import NameRepair
from pypicloud_s3sync.reconcile.passes import Pass
from pypicloud_s3sync.reconcile.run import reconcile
from pypicloud_s3sync.reconcile.scans import scan_of
from pypicloud_s3sync.reconcile.state import DONE, State
from pypicloud_s3sync.sync.converge import Syncer
from pypicloud_s3sync.sync.objects import ObjectReader
from support.backends import Backend, Dynamo, Redis, Sql
from support.histories import BUCKET
from support.small_world import World, counts, filled


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
